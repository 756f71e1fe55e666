"""A profile that an API key pays for: the other wallet, used where it is named and nowhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import (
    ConfigurationError,
    CredentialRejectedError,
    NotLoggedInError,
    QuotaExceededError,
    UsageLimitReachedError,
    WrongAccountError,
)
from codex_oauth.testing import Failed, HttpError, LoopbackChatGPT, usage_limit_reached
from codex_oauth.types import Account
from tests.conftest import RunCLI
from tests.real.account.people import auth_of, mode_of
from tests.real.samples import PRIME, PROMPT

KEY = "sk-loopback"

pytestmark = pytest.mark.anyio
shared_or_own = pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])


@pytest.fixture
def chatgpt() -> Iterator[LoopbackChatGPT]:
    """A stand-in where a key pays too."""
    with LoopbackChatGPT(api_keys=(KEY,)) as stand_in:
        yield stand_in


@pytest.fixture
def keyed(environ: dict[str, str], chatgpt: LoopbackChatGPT) -> Settings:
    """Settings on a profile that is new to every test."""
    name = f"key-{chatgpt.proxy_url.rpartition(':')[2]}"
    return load_settings(profile=name, environ=environ)


@pytest.fixture
async def key_client(keyed: Settings, chatgpt: LoopbackChatGPT) -> AsyncCodex:
    """A client on a profile that has its key."""
    codex = AsyncCodex(settings=keyed)
    assert await codex.login_api_key(KEY) == Account(kind="apiKey")
    chatgpt.reset()
    return codex


def payers(chatgpt: LoopbackChatGPT) -> set[tuple[str, str | None]]:
    """Who has asked, and where."""
    return {(request.host, request.bearer) for request in chatgpt.requests}


# --- who pays --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("transport")
@shared_or_own
async def test_a_call_that_names_the_profile_is_paid_for_by_its_key_alone(
    key_client: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    async with key_client if shared else nullcontext():
        reply = await key_client.complete(PROMPT)
        assert (reply.text, reply.account) == (f"You said: {PROMPT}", Account(kind="apiKey"))
        await key_client.complete(PROMPT, output=PRIME)
        assert await key_client.account() == Account(kind="apiKey")
    assert payers(chatgpt) == {("api.openai.com", KEY)}
    assert set(chatgpt.connections) == {"api.openai.com"}
    assert len(chatgpt.model_requests) == 2


@pytest.mark.usefixtures("key_client", "transport")
async def test_a_call_that_does_not_is_paid_for_by_the_plan_alone(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    assert (await codex.complete(PROMPT)).account.plan == "plus"
    assert payers(chatgpt) == {("chatgpt.com", auth_of(settings.home)["tokens"]["access_token"])}
    assert set(chatgpt.connections) == {"chatgpt.com"}


@shared_or_own
async def test_a_plan_at_its_limit_is_not_helped_out_by_a_key(
    key_client: AsyncCodex, codex: AsyncCodex, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    chatgpt.default = usage_limit_reached(2_000_000_000)
    async with codex if shared else nullcontext():
        with pytest.raises(UsageLimitReachedError):
            await codex.complete(PROMPT)
    assert set(chatgpt.connections) == {"chatgpt.com"}


async def test_a_plan_that_is_refused_or_missing_is_not_helped_out_by_a_key(
    key_client: AsyncCodex, codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    (settings.home / "auth.json").unlink()
    with pytest.raises(NotLoggedInError):
        await codex.complete(PROMPT)
    assert chatgpt.connections == {}


@pytest.mark.parametrize("transport", ["sse"], indirect=True)
@pytest.mark.usefixtures("transport", "settings")
async def test_a_key_that_is_refused_is_not_helped_out_by_the_plan(
    key_client: AsyncCodex, keyed: Settings, chatgpt: LoopbackChatGPT
) -> None:
    again_soon = Failed("rate_limit_exceeded", "Please try again in 0.01s.")
    chatgpt.script(*[again_soon] * 5)
    chatgpt.default = HttpError(401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided."}})
    with pytest.raises(CredentialRejectedError) as caught:
        await key_client.complete(PROMPT)
    assert caught.value.message.endswith(f" To sign in again: codex-oauth login --api-key --profile {keyed.profile}")
    assert payers(chatgpt) == {("api.openai.com", KEY)}
    assert set(chatgpt.connections) == {"api.openai.com"}


@pytest.mark.usefixtures("settings")
async def test_a_key_without_credit_is_not_helped_out_by_the_plan(
    key_client: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = Failed("insufficient_quota")
    with pytest.raises(QuotaExceededError):
        await key_client.complete(PROMPT)
    assert set(chatgpt.connections) == {"api.openai.com"}


# --- which home holds what -------------------------------------------------------------------------------------------


async def test_the_key_lies_in_its_profiles_home_alone(
    key_client: AsyncCodex, keyed: Settings, settings: Settings, tmp_path: Path
) -> None:
    await key_client.complete(PROMPT)
    assert (auth_of(keyed.home)["OPENAI_API_KEY"], mode_of(keyed.home)) == (KEY, 0o600)
    holders = [
        path
        for folder in (keyed.home.parent, settings.home, tmp_path)
        for path in folder.rglob("*")
        if path.is_file() and KEY.encode() in path.read_bytes()
    ]
    assert holders == [keyed.home / "auth.json"]


async def test_the_home_of_the_plan_takes_no_key(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    before = auth_of(settings.home)
    with pytest.raises(ConfigurationError, match="an API key needs a profile of its own: --profile NAME"):
        await codex.login_api_key(KEY)
    assert auth_of(settings.home) == before
    assert chatgpt.connections == {}


async def test_a_profile_stays_what_it_was_made_for(
    key_client: AsyncCodex, environ: dict[str, str], keyed: Settings, chatgpt: LoopbackChatGPT
) -> None:
    with pytest.raises(ConfigurationError, match=f"profile '{keyed.profile}' is for an API key; choose another"):
        async with key_client.login_device():
            pass
    plan = AsyncCodex(settings=load_settings(profile=f"plan-of-{keyed.profile}", environ=environ))
    async with plan.login_device() as login:
        assert login.user_code is not None
        chatgpt.approve_device(login.user_code)
        await login.wait()
    with pytest.raises(ConfigurationError, match=r"is for a ChatGPT plan; choose another --profile NAME"):
        await plan.login_api_key(KEY)
    assert (await plan.complete(PROMPT)).account.plan == "plus"


async def test_a_plan_that_lies_in_a_keys_home_pays_for_nothing(
    key_client: AsyncCodex, keyed: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(keyed.home)
    with pytest.raises(WrongAccountError, match="this profile is for an API key") as caught:
        await key_client.complete(PROMPT)
    assert caught.value.message.endswith(f"codex-oauth login --api-key --profile {keyed.profile}")
    assert (caught.value.account, chatgpt.model_requests) == ("chatgpt", ())
    assert "api.openai.com" not in chatgpt.connections


async def test_a_key_that_lies_beside_a_plan_pays_for_nothing(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    file = settings.home / "auth.json"
    file.write_text(json.dumps({**auth_of(settings.home), "OPENAI_API_KEY": KEY}), encoding="utf-8")
    assert (await codex.complete(PROMPT)).account.plan == "plus"
    assert set(chatgpt.connections) == {"chatgpt.com"}
    assert KEY not in {request.bearer for request in chatgpt.requests}


async def test_limits_are_those_of_a_plan(key_client: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    with pytest.raises(WrongAccountError, match="limits are those of a plan"):
        await key_client.limits()
    assert chatgpt.connections == {}


async def test_a_key_that_is_signed_out_is_gone(key_client: AsyncCodex, keyed: Settings) -> None:
    await key_client.logout()
    assert not (keyed.home / "auth.json").exists()
    with pytest.raises(NotLoggedInError) as caught:
        await key_client.complete(PROMPT)
    assert caught.value.message == (
        f"not signed in; give this profile its API key: codex-oauth login --api-key --profile {keyed.profile}"
    )


# --- from a shell ----------------------------------------------------------------------------------------------------


def test_a_shell_gives_the_key_on_stdin(run_cli: RunCLI, keyed: Settings, chatgpt: LoopbackChatGPT) -> None:
    assert keyed.profile is not None
    given = run_cli("login", "--api-key", "--profile", keyed.profile, stdin=f"{KEY}\n")
    assert given.returncode == 0
    assert given.stdout.splitlines()[0] == b"signed in  apiKey, billed for each call"
    assert KEY.encode() not in given.stdout + given.stderr
    done = run_cli("complete", "--profile", keyed.profile, PROMPT)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"You said: {PROMPT}\n".encode(), b"")
    assert payers(chatgpt) == {("api.openai.com", KEY)}
    chatgpt.reset()
    assert run_cli("complete", PROMPT).returncode == 0
    assert set(chatgpt.connections) == {"chatgpt.com"}


@pytest.mark.usefixtures("key_client", "settings")
async def test_no_variable_of_a_shell_names_a_profile(
    environ: dict[str, str], keyed: Settings, chatgpt: LoopbackChatGPT
) -> None:
    assert keyed.profile is not None
    done = await anyio.run_process(
        [sys.executable, "-m", "codex_oauth", "complete", PROMPT],
        env={**environ, "CODEX_OAUTH_PROFILE": keyed.profile, "CODEX_PROFILE": keyed.profile},
    )
    assert done.stdout == f"You said: {PROMPT}\n".encode()
    assert set(chatgpt.connections) == {"chatgpt.com"}
