"""Tokens that somebody else refreshes: they pay where they are given, and stay in memory."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import ConfigurationError, NotLoggedInError, ReauthenticationRequired, WrongAccountError
from codex_oauth.testing import LoopbackChatGPT
from tests.real.account.people import nothing_runs
from tests.real.account.vault import Fleet, Vault
from tests.real.samples import PROMPT

pytestmark = pytest.mark.anyio
shared_or_own = pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize(("given", "shared"), [("credential", False), ("token", True), ("command", False)])
async def test_the_given_token_pays_and_nothing_is_written(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, given: str, shared: bool
) -> None:
    match given:
        case "credential":
            codex = fleet(CODEX_OAUTH_CREDENTIAL=vault.credential)
        case "token":
            codex = fleet(CODEX_OAUTH_TOKEN=vault.token, CODEX_ACCOUNT_ID="acc_fleet")
        case _:
            codex = fleet(command=True)
    await codex.complete(PROMPT)  # the first start of a home writes it
    before = files_in(codex.settings.state_dir)
    async with codex if shared else nullcontext():
        reply = await codex.complete(PROMPT)
    assert (reply.text, reply.account.kind, reply.account.plan) == (f"You said: {PROMPT}", "chatgpt", "business")
    assert {(request.bearer, request.headers["chatgpt-account-id"]) for request in chatgpt.requests} == {
        (vault.token, "acc_fleet")
    }
    assert set(chatgpt.connections) == {"chatgpt.com"}
    assert files_in(codex.settings.state_dir) == before
    secret = vault.token.encode()
    assert [
        path for path in codex.settings.state_dir.rglob("*") if path.is_file() and secret in path.read_bytes()
    ] == []
    assert nothing_runs(codex.settings.home)


def files_in(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for a database's own files, which change with every look at it."""
    return {
        str(path.relative_to(folder)): b"" if ".sqlite" in path.name else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


async def test_a_sign_in_of_the_usual_home_neither_pays_nor_is_in_the_way(
    fleet: Fleet, vault: Vault, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    before = (settings.home / "auth.json").read_bytes()
    codex = fleet(CODEX_OAUTH_CREDENTIAL=vault.credential)
    assert (await codex.complete(PROMPT)).account.plan == "business"
    assert {request.bearer for request in chatgpt.requests} == {vault.token}
    assert (settings.home / "auth.json").read_bytes() == before


async def test_a_home_with_a_sign_in_of_its_own_is_refused(
    fleet: Fleet, vault: Vault, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    codex = fleet(CODEX_OAUTH_CREDENTIAL=vault.credential, CODEX_OAUTH_HOME=str(settings.home))
    for ask in (codex.complete(PROMPT), codex.account(), codex.limits()):
        with pytest.raises(ConfigurationError) as caught:
            await ask
        assert caught.value.message == (
            f"{settings.home} holds a sign-in of its own, and CODEX_OAUTH_CREDENTIAL gives a token: unset that, or "
            "name another home"
        )
    assert chatgpt.connections == Counter()


async def test_a_named_profile_and_a_home_of_the_users_own_ignore_it(
    environ: dict[str, str], vault: Vault, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    given = {**environ, "CODEX_OAUTH_CREDENTIAL": vault.credential}
    profile = AsyncCodex(settings=load_settings(profile="not-of-the-fleet", environ=given))
    chatgpt.sign_in(profile.settings.home)
    theirs = AsyncCodex(settings=load_settings(codex_home=settings.home, environ=given))
    for codex in (profile, theirs):
        assert (await codex.complete(PROMPT)).account.plan == "plus"
    assert vault.token not in {request.bearer for request in chatgpt.requests}
    (profile.settings.home / "auth.json").unlink()
    with pytest.raises(NotLoggedInError):
        await profile.complete(PROMPT)


async def test_nobody_signs_in_or_out_beside_it(fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT) -> None:
    codex = fleet(CODEX_OAUTH_TOKEN=vault.token, CODEX_ACCOUNT_ID="acc_fleet")
    with pytest.raises(ConfigurationError, match="calls use the token of CODEX_OAUTH_TOKEN: unset that to sign in"):
        async with codex.login_device():
            pass
    with pytest.raises(ConfigurationError, match="unset that to sign out"):
        await codex.logout()
    assert chatgpt.connections == Counter()


async def test_a_token_that_has_expired_is_known_before_anything_is_started(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT
) -> None:
    old = vault.renew(expires_in=-10)
    codex = fleet(CODEX_OAUTH_TOKEN=old, CODEX_ACCOUNT_ID="acc_fleet")
    with pytest.raises(ReauthenticationRequired, match="the token in CODEX_OAUTH_TOKEN has expired; set a fresh one"):
        await codex.complete(PROMPT)
    assert chatgpt.connections == Counter()
    codex = fleet(command=True, CODEX_OAUTH_TOKEN=old, CODEX_ACCOUNT_ID="acc_fleet")
    vault.renew()
    assert (await codex.complete(PROMPT)).account.plan == "business"
    assert old not in {request.bearer for request in chatgpt.requests}


@shared_or_own
async def test_a_token_of_another_account_than_was_said_is_refused(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    codex = fleet(CODEX_OAUTH_TOKEN=vault.token, CODEX_ACCOUNT_ID="acc_other")
    async with codex if shared else nullcontext():
        began = time.monotonic()
        with pytest.raises(
            WrongAccountError, match="not for the account that it was given with; check the account's id"
        ):
            await codex.complete(PROMPT)
        assert time.monotonic() - began < 3
    assert chatgpt.model_requests == ()
