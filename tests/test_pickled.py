"""Clients that are pickled: as their configuration, without a secret."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_oauth import AsyncCodex, Codex, ConfigurationError, ExternalTokenError
from codex_oauth.config import Settings, load_settings
from codex_oauth.pickled import PickledSettings
from codex_oauth.testing import LoopbackChatGPT
from tests.real.account.vault import Vault
from tests.real.samples import PROMPT

CHOICES: list[Mapping[str, Any]] = [
    {},
    {"home": "/somewhere/else", "metrics": False},
    {"profile": "work", "metrics": "/somewhere/metrics.jsonl"},
    {"codex_home": "/somewhere/theirs", "codex_bin": "/somewhere/codex"},
]


@pytest.fixture
def as_this_process(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of the user, as that of this process."""
    for name in os.environ.keys() - environ.keys():
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


def copy_of(client: Any) -> Any:
    return pickle.loads(pickle.dumps(client))


def ask(client: Codex | AsyncCodex, prompt: str) -> tuple[int, str]:
    """What another process does with its copy."""
    reply = client.complete(prompt) if isinstance(client, Codex) else anyio.run(client.complete, prompt)
    return os.getpid(), reply.text


def settings_of(client: Codex | AsyncCodex) -> Settings:
    """What a copy works with."""
    return client.settings


@pytest.mark.usefixtures("as_this_process")
@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: next(iter(chosen), "nothing"))
@pytest.mark.parametrize("kind", [AsyncCodex, Codex])
def test_a_copy_has_the_same_settings(kind: type[AsyncCodex] | type[Codex], chosen: Mapping[str, Any]) -> None:
    client = kind(**chosen, max_concurrency=3)
    copy = copy_of(client)
    assert type(copy) is kind
    assert copy.settings == client.settings
    assert copy_of(copy).settings == client.settings


@pytest.mark.usefixtures("as_this_process")
@pytest.mark.parametrize("kind", [AsyncCodex, Codex])
def test_what_holds_for_calls_goes_along(kind: type[AsyncCodex] | type[Codex]) -> None:
    settings = replace(load_settings(), model="a-model", effort="low", timeout=7.5, model_preference=("*",))
    copy = copy_of(kind(settings=settings))
    assert copy.settings == settings


def test_an_environment_of_ones_own_goes_along(settings: Settings) -> None:
    assert "HTTPS_PROXY" in settings.inherited
    assert copy_of(AsyncCodex(settings=settings)).settings == settings


@pytest.mark.parametrize("entered", [False, True])
@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_process_that_was_spawned_asks_with_its_copy(settings: Settings, kind: str, entered: bool) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        if kind == "blocking":
            client = Codex(settings=settings)
            if entered:
                with client:
                    assert client.complete("here").text == "You said: here"
                    told = list(pool.map(ask, [client] * 2, [PROMPT, "another"]))
            else:
                told = list(pool.map(ask, [client] * 2, [PROMPT, "another"]))
        else:
            asynchronous = AsyncCodex(settings=settings)

            async def within() -> list[tuple[int, str]]:
                async with asynchronous:
                    assert (await asynchronous.complete("here")).text == "You said: here"
                    return [pool.submit(ask, asynchronous, prompt).result() for prompt in (PROMPT, "another")]

            told = (
                anyio.run(within)
                if entered
                else [pool.submit(ask, asynchronous, prompt).result() for prompt in (PROMPT, "another")]
            )
    assert [text for _, text in told] == [f"You said: {PROMPT}", "You said: another"]
    assert os.getpid() not in {process for process, _ in told}


def test_a_copy_finds_its_paths_where_it_lands(
    as_this_process: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(AsyncCodex(metrics=False))
    for name, folder in (("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config")):
        monkeypatch.setenv(name, str(tmp_path / "there" / folder))
    monkeypatch.setenv("PATH", "/only/there")
    landed = pickle.loads(pickled).settings
    assert landed.home == tmp_path / "there" / "state" / "codex-oauth" / "codex-home"
    assert landed.config_dir == tmp_path / "there" / "config" / "codex-oauth"
    assert landed.inherited["PATH"] == "/only/there"
    assert landed.metrics is None
    assert as_this_process["XDG_STATE_HOME"].encode() not in pickled


@pytest.mark.usefixtures("as_this_process")
def test_a_setting_of_another_version_is_not_passed_over() -> None:
    pickled = PickledSettings.of(load_settings())
    newer = replace(pickled, chosen={**pickled.chosen, "wallet": "other"})
    with pytest.raises(ConfigurationError, match=r"another version of codex_oauth.*\(wallet\)"):
        newer.here()


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["token", "credential", "command", "an environment of its own"])
def test_a_token_does_not_travel_and_is_read_where_the_copy_lands(
    as_this_process: dict[str, str],
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
) -> None:
    vault = Vault(chatgpt, tmp_path)
    first = vault.token
    variables = {"CODEX_OAUTH_TOKEN": first, "CODEX_ACCOUNT_ID": "acc_fleet"}
    match given:
        case "token":
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            client = Codex()
        case "credential":
            monkeypatch.setenv("CODEX_OAUTH_CREDENTIAL", vault.credential)
            client = Codex()
        case "command":
            config = Path(as_this_process["XDG_CONFIG_HOME"]) / "codex-oauth" / "config.toml"
            config.parent.mkdir(parents=True)
            command = [str(vault.program), "--with", "a-secret-of-the-command"]
            config.write_text(f"token_command = {json.dumps(command)}\n", encoding="utf-8")
            client = Codex()
        case _:
            client = Codex(settings=load_settings(environ={**as_this_process, **variables}))
    pickled = pickle.dumps(client)
    assert client.settings.external is not None
    for secret in (first.encode(), b"acc_fleet", b"a-secret-of-the-command"):
        assert secret not in pickled
    if given != "command":
        second = vault.renew()
        monkeypatch.setenv("CODEX_OAUTH_TOKEN", second)
        monkeypatch.setenv("CODEX_ACCOUNT_ID", "acc_fleet")
        monkeypatch.delenv("CODEX_OAUTH_CREDENTIAL", raising=False)
    copy = pickle.loads(pickled)
    assert copy.complete(PROMPT).account.plan == "business"
    assert {request.request.bearer for request in chatgpt.model_requests} == {vault.token}


@pytest.mark.usefixtures("settings")
def test_where_there_is_no_token_the_copy_says_so_and_nobody_else_pays(
    as_this_process: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(chatgpt, tmp_path)
    monkeypatch.setenv("CODEX_OAUTH_CREDENTIAL", vault.credential)
    pickled = pickle.dumps(Codex())
    monkeypatch.delenv("CODEX_OAUTH_CREDENTIAL")
    assert Codex().account().plan == "plus", "somebody is signed in here"
    seen = len(chatgpt.model_requests)
    copy = pickle.loads(pickled)
    with copy, pytest.raises(ExternalTokenError, match="there is none here: set CODEX_OAUTH_TOKEN or"):
        copy.complete(PROMPT)
    with pytest.raises(ExternalTokenError):
        copy.account()
    with pytest.raises(ExternalTokenError):
        copy_of(copy).complete(PROMPT)
    assert len(chatgpt.model_requests) == seen


def test_a_proxys_password_does_not_travel(environ: dict[str, str]) -> None:
    environ["https_proxy"] = environ["HTTPS_PROXY"] = "http://somebody:a-secret-of-the-proxy@127.0.0.1:9"
    environ["TMPDIR"] = "/of/its/own"
    pickled = pickle.dumps(AsyncCodex(settings=load_settings(environ=environ)))
    assert b"a-secret-of-the-proxy" not in pickled
    landed = pickle.loads(pickled).settings.inherited
    assert landed["TMPDIR"] == "/of/its/own"
    assert landed.get("HTTPS_PROXY") == os.environ.get("HTTPS_PROXY")


def test_a_sign_in_does_not_travel(settings: Settings) -> None:
    tokens = json.loads((settings.home / "auth.json").read_bytes())["tokens"]
    with Codex(settings=settings) as client:
        client.complete(PROMPT)
        pickled = pickle.dumps(client)
    assert [name for name, value in tokens.items() if value.encode() in pickled] == []
