"""The `ctx.llm` of an environment, on the real binary: which wallet pays, what is told, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import ConfigurationError, ReauthenticationRequired
from codex_oauth.llm import (
    UNAVAILABLE,
    LlmContext,
    LlmError,
    Selection,
    UnavailableLlm,
    create_default_llm,
    create_default_sync_llm,
)
from codex_oauth.sync_client import Codex
from codex_oauth.testing import LoopbackChatGPT
from tests.account.tokens import jwt
from tests.llm.conftest import Told
from tests.real.account.vault import Vault, refuse
from tests.real.samples import PROMPT

pytestmark = pytest.mark.anyio

ANSWER: Final = f"You said: {PROMPT}"
CONFIGURED: Final = "ctx.llm configured from sandbox credentials"
KEYS: Final = {"OPENAI_API_KEY": "sk-never", "OPENCODE_API_KEY": "sk-oc-never"}


def created(environ: Mapping[str, str], told: Told, **arguments: Any) -> LlmContext:
    """The `ctx.llm`, which there is."""
    llm = create_default_llm(environ=environ, log=told, **arguments)
    assert llm is not None
    return llm


# --- who pays --------------------------------------------------------------------------------------------------------

NAMELESS: Final = jwt({"jti": "nameless"})
SOURCES: Final[dict[str, Callable[[Vault], dict[str, str]]]] = {
    "CODEX_OAUTH_CREDENTIAL": lambda vault: {
        "CODEX_OAUTH_CREDENTIAL": f" {vault.credential}\n",
        "CODEX_OAUTH_TOKEN": "another-token",
        "CODEX_ACCOUNT_ID": "acc_other",
    },
    "CODEX_OAUTH_TOKEN": lambda vault: {
        "CODEX_OAUTH_CREDENTIAL": vault.credential[:-1],
        "CODEX_OAUTH_TOKEN": f"{vault.token}\n",
        "CODEX_ACCOUNT_ID": " ",
        "CHATGPT_ACCOUNT_ID": "acc_fleet",
    },
    "codex_oauth home": lambda _: {
        "CODEX_OAUTH_CREDENTIAL": json.dumps({"access_token": NAMELESS}),
        "CODEX_OAUTH_TOKEN": NAMELESS,
    },
}


@pytest.fixture
def token_command(environ: dict[str, str], settings: Settings, vault: Vault) -> None:
    """A configuration that names the program."""
    file = Path(environ["XDG_CONFIG_HOME"], "codex-oauth", "config.toml")
    file.parent.mkdir(parents=True)
    file.write_text(f"token_command = [{json.dumps(str(vault.program))}]\n", encoding="utf-8")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("model", [None, "openai-codex/codex-latest"])
async def test_the_chosen_source_pays_and_is_told_once_by_its_name(
    environ: dict[str, str],
    settings: Settings,
    vault: Vault,
    chatgpt: LoopbackChatGPT,
    told: Told,
    source: str,
    model: str | None,
) -> None:
    given = SOURCES[source](vault)
    llm = created({**environ, **KEYS, **given}, told, persona_model=model)
    assert [(message, fields) for level, message, fields in told.lines if level == "info"] == [
        (
            CONFIGURED,
            {"provider": "codex-backend", "source": source, "model": "codex-latest" if model else "default"},
        )
    ]
    for _ in range(2):
        assert await llm.complete(PROMPT) == ANSWER
    of_the_home = json.loads((settings.home / "auth.json").read_bytes())["tokens"]["access_token"]
    pays = ("acc_1", of_the_home) if source == "codex_oauth home" else ("acc_fleet", vault.token)
    paying = {(one.request.headers["chatgpt-account-id"], one.request.bearer) for one in chatgpt.model_requests}
    assert paying == {pays}
    assert set(chatgpt.connections) == {"chatgpt.com"}
    assert len(told.of("info")) == 1
    order = list(SOURCES)
    assert [fields["source"] for fields in told.of("debug") if "source" in fields] == order[: order.index(source)]
    secrets = {value.strip() for value in (*given.values(), *KEYS.values(), vault.token)} - {""}
    assert {secret for secret in secrets if secret in repr(told.lines)} == set()


async def test_nothing_there_is_nothing(environ: dict[str, str], signed_out: Settings, told: Told) -> None:
    assert create_default_llm(environ=environ, log=told) is None
    assert create_default_sync_llm(environ=environ, log=told) is None
    assert told.lines == []
    with pytest.raises(LlmError, match=r"^ctx\.llm is unavailable: ") as caught:
        await UnavailableLlm().complete(PROMPT)
    assert caught.value.code == "unavailable"
    assert str(caught.value).startswith(f"{UNAVAILABLE} ")
    assert "codex-oauth login" in str(caught.value)


async def test_a_home_with_an_api_key_is_no_plan(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    chatgpt.sign_in_with_api_key(signed_out.home)
    try:
        assert create_default_llm(environ=environ, log=told) is None
    finally:
        (signed_out.home / "auth.json").unlink()


@pytest.mark.usefixtures("token_command")
async def test_a_token_command_of_the_configuration_is_a_source_too(
    environ: dict[str, str], settings: Settings, vault: Vault, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    llm = created({**environ, **KEYS}, told)
    assert [fields["source"] for fields in told.of("info")] == ["token_command"]
    assert await llm.complete(PROMPT) == ANSWER
    assert {one.request.bearer for one in chatgpt.model_requests} == {vault.token}


async def test_a_client_of_the_callers_is_the_plans_source(
    environ: dict[str, str], settings: Settings, vault: Vault, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    folder = settings.state_dir / "profiles" / "llm-work"
    given = {**environ, **KEYS, "CODEX_OAUTH_CREDENTIAL": vault.credential}
    codex = AsyncCodex(settings=load_settings(profile="llm-work", environ=given))
    chatgpt.sign_in(codex.settings.home, account_id="acc_work")
    try:
        async with codex:
            assert await created(given, told, codex=codex).complete(PROMPT) == ANSWER
    finally:
        shutil.rmtree(folder)
    assert [fields["source"] for fields in told.of("info")] == ["codex_oauth profile llm-work"]
    assert {one.request.headers["chatgpt-account-id"] for one in chatgpt.model_requests} == {"acc_work"}


async def test_the_blocking_one_is_chosen_alike(
    environ: dict[str, str], settings: Settings, vault: Vault, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    given = {**environ, "CODEX_OAUTH_CREDENTIAL": vault.credential}
    with Codex(settings=settings) as codex:
        for own, source in ((None, "CODEX_OAUTH_CREDENTIAL"), (codex, "codex_oauth home")):
            llm = create_default_sync_llm(environ=given, log=told, codex=own)
            assert llm is not None
            assert llm.complete(PROMPT) == ANSWER
            assert told.of("info")[-1]["source"] == source
    assert [one.request.bearer == vault.token for one in chatgpt.model_requests] == [True, False]


def test_without_arguments_the_processs_environment_and_logging_are_used(
    environ: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    caplog.set_level("DEBUG", "codex_oauth.llm")
    llm = create_default_sync_llm(persona={"model": "codex-latest", "harness": "codex"})
    assert llm is not None
    assert llm.complete(PROMPT) == ANSWER
    (line, chosen) = caplog.records
    assert (line.levelname, line.name, chosen.levelname) == ("INFO", "codex_oauth.llm", "DEBUG")
    assert line.getMessage() == (
        f"{CONFIGURED} {{'provider': 'codex-backend', 'source': 'codex_oauth home', 'model': 'codex-latest'}}"
    )


async def test_a_copy_that_is_pickled_holds_no_token_and_reads_its_own(
    environ: dict[str, str], settings: Settings, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**environ, "CODEX_OAUTH_CREDENTIAL": vault.credential}
    llm = create_default_llm(environ=given)
    copied = pickle.dumps(llm)
    assert vault.token.encode() not in copied
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert await pickle.loads(copied).complete(PROMPT) == ANSWER


# --- other providers -------------------------------------------------------------------------------------------------

OTHERS: Final = [
    ("openai", "OPENAI_API_KEY", "openai/gpt-5.4", "gpt-5.4"),
    ("anthropic", "ANTHROPIC_API_KEY", "claude-opus-4-8", "claude-opus-4-8"),
    ("anthropic", "CLAUDE_CODE_OAUTH_TOKEN", None, None),
    ("opencode", "OPENCODE_API_KEY", "opencode/deepseek", "deepseek"),
]


@pytest.mark.parametrize(("provider", "source", "model", "asked"), OTHERS)
@pytest.mark.parametrize("signed_in", [True, False])
async def test_another_provider_is_refused_and_the_plan_asked_for_nothing(
    environ: dict[str, str],
    signed_out: Settings,
    chatgpt: LoopbackChatGPT,
    told: Told,
    provider: str,
    source: str,
    model: str | None,
    asked: str | None,
    signed_in: bool,
) -> None:
    if signed_in:
        chatgpt.sign_in(signed_out.home)
    try:
        with pytest.raises(LlmError) as caught:
            create_default_llm(environ={**environ, source: "sk-never"}, persona_model=model, log=told)
    finally:
        (signed_out.home / "auth.json").unlink(missing_ok=True)
    sign_in = "" if signed_in else "run codex-oauth login or set CODEX_OAUTH_CREDENTIAL, and "
    assert str(caught.value) == (
        f"ctx.llm: {source} was chosen, and this package makes calls for a ChatGPT plan alone: give "
        f"providers={{'{provider}': …}} for it; or, to have the plan pay, {sign_in}name a codex model, such as "
        "openai-codex/codex-latest"
    )
    assert caught.value.code == "other_provider"
    assert not chatgpt.connections


@pytest.mark.parametrize(("provider", "source", "model", "asked"), OTHERS)
async def test_another_providers_factory_is_told_what_was_chosen_and_makes_its_calls(
    environ: dict[str, str],
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    told: Told,
    provider: str,
    source: str,
    model: str | None,
    asked: str | None,
) -> None:
    chosen: list[Selection] = []

    def factory(selection: Selection) -> LlmContext:
        chosen.append(selection)
        return UnavailableLlm()

    given = {**environ, source: "sk-never"}
    llm = create_default_llm(environ=given, persona_model=model, log=told, providers={provider: factory})  # pyright: ignore[reportArgumentType]
    assert isinstance(llm, UnavailableLlm)
    assert [(one.provider, one.source, one.model) for one in chosen] == [(provider, source, asked)]
    assert told.of("info") == [{"provider": provider, "source": source, "model": asked or "default"}]
    assert "sk-never" not in f"{chosen}{told.lines}"
    assert not chatgpt.connections


async def test_a_model_of_another_provider_is_answered_by_the_plans_default_and_told(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    llm = created(environ, told, persona={"model": "anthropic/claude-opus-4-8"})
    assert told.of("warn") == [{"model": "anthropic/claude-opus-4-8"}]
    await llm.complete(PROMPT)
    assert chatgpt.model_requests[0].model == next(
        one.id for one in await AsyncCodex(settings=settings).models() if one.default
    )


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["CODEX_BACKEND_BASE_URL", "base_url", "baseUrl"])
def test_no_other_host_is_ever_sent_to(
    environ: dict[str, str], settings: Settings, vault: Vault, told: Told, where: str
) -> None:
    def given(url: str) -> dict[str, str]:
        if where == "CODEX_BACKEND_BASE_URL":
            return {**environ, where: url}
        return {**environ, "CODEX_OAUTH_CREDENTIAL": json.dumps({**json.loads(vault.credential), where: url})}

    with pytest.raises(LlmError) as caught:
        create_default_llm(environ=given("https://user:s3cr3t@gateway.test/codex"), log=told)
    named = where if where.isupper() else "the base_url in CODEX_OAUTH_CREDENTIAL"
    assert str(caught.value) == (
        f"ctx.llm: {named} names another host than ChatGPT's, and this package sends to no other; take it away"
    )
    assert isinstance(caught.value.__cause__, ConfigurationError)
    assert told.lines == []
    assert create_default_llm(environ=given("https://chatgpt.com/backend-api/codex/"), log=told) is not None


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"CODEX_OAUTH_TOKEN": "sk-s3cr3t"}, "CODEX_OAUTH_TOKEN: the access token is not a JWT"),
        ({"CODEX_OAUTH_TOKEN": jwt({"exp": 1})}, "the token in CODEX_OAUTH_TOKEN has expired"),
    ],
    ids=["no-token", "expired"],
)
async def test_a_token_that_is_no_good_fails_its_call_and_nobody_else_pays(
    environ: dict[str, str],
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    told: Told,
    variables: dict[str, str],
    says: str,
) -> None:
    llm = created({**environ, **KEYS, **variables, "CODEX_ACCOUNT_ID": "acc_1"}, told)
    with pytest.raises(LlmError) as caught:
        await llm.complete(PROMPT)
    assert str(caught.value).startswith(f"ctx.llm: {says}")
    assert "s3cr3t" not in f"{caught.value}{told.lines}"
    assert not chatgpt.connections


@pytest.mark.parametrize(
    "arguments", [{"persona": {"model": 5}}, {"persona": {"harness": ["codex"]}}, {"persona_model": 5}]
)
def test_a_persona_that_is_none_is_refused(environ: dict[str, str], arguments: dict[str, Any]) -> None:
    with pytest.raises(LlmError, match=r"^ctx\.llm: the persona's '(model|harness)' must be text$"):
        create_default_llm(environ=environ, **arguments)


# --- refresh ---------------------------------------------------------------------------------------------------------


async def test_a_token_of_the_home_that_has_expired_is_refreshed_once(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    before = json.loads((settings.home / "auth.json").read_bytes())["tokens"]
    llm = created(environ, told)
    assert await llm.complete(PROMPT) == ANSWER
    after = json.loads((settings.home / "auth.json").read_bytes())["tokens"]
    assert len(chatgpt.refresh_requests) == 1
    assert [one.request.bearer for one in chatgpt.model_requests] == [after["access_token"]]
    assert after["refresh_token"] != before["refresh_token"]


async def test_a_401_in_the_middle_is_refreshed_and_the_call_goes_on(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    llm = created(environ, told)
    assert await llm.complete(PROMPT) == ANSWER
    refuse(chatgpt, str(chatgpt.model_requests[0].request.bearer))
    assert await llm.complete(PROMPT) == ANSWER
    assert len(chatgpt.refresh_requests) == 1
    first, second = (one.request.bearer for one in chatgpt.model_requests)
    assert first != second


@pytest.mark.usefixtures("token_command")
async def test_a_refused_token_of_the_environment_is_asked_for_anew(
    environ: dict[str, str], settings: Settings, vault: Vault, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    old = vault.token
    llm = created({**environ, "CODEX_OAUTH_TOKEN": old, "CODEX_ACCOUNT_ID": "acc_fleet"}, told)
    refuse(chatgpt, old)
    new = vault.renew()
    assert await llm.complete(PROMPT) == ANSWER
    assert chatgpt.model_requests[-1].request.bearer == new
    assert [fields["source"] for fields in told.of("info")] == ["CODEX_OAUTH_TOKEN"]


async def test_a_sign_in_that_is_no_longer_accepted_says_so(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh("invalidated")
    with pytest.raises(LlmError, match=r"^ctx\.llm: the sign-in of this home is no longer accepted: ") as caught:
        await created({**environ, **KEYS}, told).complete(PROMPT)
    assert isinstance(caught.value.__cause__, ReauthenticationRequired)
    assert caught.value.code == "reauthentication_required"
    assert chatgpt.model_requests == ()
