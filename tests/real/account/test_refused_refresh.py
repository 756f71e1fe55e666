"""A sign-in that the service refuses to refresh: said once by the service, and from then on by this package."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import anyio
import pytest

from codex_oauth.account import read_sign_in, refusal_of
from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import ReauthenticationReason, ReauthenticationRequired
from codex_oauth.home import prepare_home
from codex_oauth.process import find_binary
from codex_oauth.testing import HttpResponse, LoopbackChatGPT, Request, unauthorized
from codex_oauth.testing.tokens import RefreshRefusal
from tests.conftest import RunCLI
from tests.real.account.conftest import Start
from tests.real.account.people import Shown, auth_of, sign_in, ways
from tests.real.endpoints import ACCOUNT, RESPONSES
from tests.real.samples import PROMPT

TOKEN = "/oauth/token"

REASONS: Final[Mapping[RefreshRefusal, tuple[ReauthenticationReason, str]]] = {
    "expired": ("expired", "its refresh token has expired"),
    "reused": ("reused", "its refresh token was already used, most likely by a copy of it"),
    "invalidated": ("revoked", "it was revoked"),
    "other": ("other", "the service refused to refresh it"),
}

pytestmark = pytest.mark.anyio
refusals = pytest.mark.parametrize(
    ("refusal", "shared"), [("expired", False), ("reused", True), ("invalidated", False), ("other", True)]
)
shared_or_own = pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])


@pytest.fixture
def fresh_environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a user with nothing in the state folder."""
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    return environ


class Starts:
    """The processes that a codex was started as: its place is taken by a script that counts, and starts it."""

    def __init__(self, codex: Path, folder: Path) -> None:
        self.path = folder / "codex"
        self._log = folder / "starts"
        self._log.touch()
        self.path.write_text(f'#!/bin/sh\necho >> {shlex.quote(str(self._log))}\nexec {shlex.quote(str(codex))} "$@"\n')
        self.path.chmod(0o700)

    def count(self) -> int:
        return self._log.read_bytes().count(b"\n")


@pytest.fixture
def starts(fresh_environ: dict[str, str], settings: Settings, tmp_path: Path) -> Starts:
    counted = Starts(find_binary(settings).path, tmp_path)
    fresh_environ["CODEX_OAUTH_CODEX_BIN"] = str(counted.path)
    return counted


# --- what it says ----------------------------------------------------------------------------------------------------


@refusals
async def test_it_says_why_and_names_the_one_command(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, refusal: RefreshRefusal, shared: bool
) -> None:
    reason, words = REASONS[refusal]
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh(refusal)
    async with codex if shared else nullcontext():
        for _ in range(2):
            with pytest.raises(ReauthenticationRequired) as caught:
                await codex.complete(PROMPT)
            message = f"the sign-in of this home is no longer accepted: {words}; sign in again: codex-oauth login"
            assert (caught.value.message, caught.value.reason, caught.value.refused) == (message, reason, True)
            assert (caught.value.retryable, caught.value.exit_status) == (False, 3)
    assert chatgpt.model_requests == ()


async def test_the_command_is_that_of_the_home(
    fresh_environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.refuse_refresh("expired")
    for given, command in (
        ({}, "codex-oauth login"),
        ({"profile": "other"}, "codex-oauth login --profile other"),
        ({"home": tmp_path / "a home"}, f"codex-oauth login --home '{tmp_path / 'a home'}'"),
    ):
        settings = load_settings(environ=fresh_environ, **given)  # pyright: ignore[reportArgumentType]
        chatgpt.sign_in(settings.home, expires_in=-60)
        with pytest.raises(ReauthenticationRequired) as caught:
            await AsyncCodex(settings=settings).complete(PROMPT)
        assert caught.value.message.rpartition("; ")[2] == f"sign in again: {command}"


# --- what it costs ---------------------------------------------------------------------------------------------------


async def refused_from_now_on(codex: AsyncCodex, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ReauthenticationRequired):
            await codex.complete(PROMPT)


async def test_two_hundred_calls_after_it_ask_nobody_and_start_nothing(
    fresh_environ: dict[str, str], starts: Starts, chatgpt: LoopbackChatGPT, run_cli: RunCLI
) -> None:
    settings = load_settings(environ=fresh_environ)
    prepare_home(settings, find_binary(settings))
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh("expired")
    codex = AsyncCodex(settings=settings)
    before = starts.count()
    await refused_from_now_on(codex, 1)
    assert starts.count() == before + 1
    assert set(chatgpt.connections) == {"auth.openai.com"}
    chatgpt.reset()

    await refused_from_now_on(codex, 70)
    async with codex, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(refused_from_now_on, codex, 7)
    await refused_from_now_on(AsyncCodex(settings=settings), 55)
    for arguments in (
        ("complete", PROMPT),
        ("classify", "--command", "ls"),
        ("status",),
        ("limits",),
        ("complete", "--json", PROMPT),
    ):
        done = run_cli(*arguments)
        assert done.returncode == 3
        assert done.stderr.endswith(b"; sign in again: codex-oauth login\n")
    assert starts.count() == before + 1
    assert chatgpt.connections == Counter()
    assert chatgpt.requests == ()


# --- what ends it ----------------------------------------------------------------------------------------------------


@shared_or_own
async def test_a_sign_in_that_any_program_makes_ends_it(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh("reused")
    async with codex if shared else nullcontext():
        await refused_from_now_on(codex, 2)
        chatgpt.refuse_refresh(None)
        # The same refresh token is still the refused one.
        await refused_from_now_on(codex, 1)
        chatgpt.sign_in(settings.home)
        assert (await codex.complete(PROMPT)).account.plan == "plus"
    assert len(chatgpt.model_requests) == 1


@ways
async def test_a_sign_in_here_ends_it_and_the_note_with_it(
    codex: AsyncCodex, settings: Settings, start: Start, chatgpt: LoopbackChatGPT, way: str
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh("expired")
    await refused_from_now_on(codex, 1)
    notes = list(settings.home.glob(".codex-oauth-*.json"))
    assert len(notes) == 1
    chatgpt.refuse_refresh(None)
    program = start("-m", "codex_oauth", "login", f"--{way}")
    await anyio.to_thread.run_sync(sign_in, chatgpt, Shown(program))
    assert await anyio.to_thread.run_sync(program.wait, 20) == 0
    assert not notes[0].exists()
    assert (await codex.complete(PROMPT)).account.plan == "plus"


async def test_a_note_that_is_damaged_is_none(codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh("expired")
    await refused_from_now_on(codex, 1)
    (note,) = settings.home.glob(".codex-oauth-*.json")
    chatgpt.refuse_refresh(None)
    for content in (b"", b"{", b"[]", b"\xff", b'{"sign_in": 1, "reason": 2, "at": 3}'):
        note.write_bytes(content)
        assert (await codex.complete(PROMPT)).account.plan == "plus"


# --- in the middle of a call -----------------------------------------------------------------------------------------


@refusals
async def test_a_refusal_in_mid_turn_is_remembered_too(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, refusal: RefreshRefusal, shared: bool
) -> None:
    chatgpt.websocket = False
    chatgpt.default = unauthorized()
    chatgpt.refuse_refresh(refusal)
    async with codex if shared else nullcontext():
        with pytest.raises(ReauthenticationRequired) as caught:
            await codex.complete(PROMPT)
        assert caught.value.reason == REASONS[refusal][0]
        assert len(chatgpt.refresh_requests) == 1
        chatgpt.reset()
        await refused_from_now_on(codex, 5)
    assert chatgpt.requests == ()


@refusals
async def test_a_refusal_while_the_account_is_asked_for_is_remembered_too(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, version: tuple[int, ...], refusal: RefreshRefusal, shared: bool
) -> None:
    chatgpt.revoke_access_tokens()
    chatgpt.refuse_refresh(refusal)
    async with codex if shared else nullcontext():
        with pytest.raises(ReauthenticationRequired) as caught:
            await codex.complete(PROMPT)
        # 0.169 does not always say the reason, where it asks for the account and for a thread's settings at once.
        reasons = {REASONS[refusal][0], "other"} if version >= (0, 169) else {REASONS[refusal][0]}
        assert caught.value.reason in reasons
        assert caught.value.refused
        assert len(chatgpt.refresh_requests) == 1
        chatgpt.reset()
        await refused_from_now_on(codex, 5)
    assert chatgpt.requests == ()
    assert chatgpt.model_requests == ()


# --- somebody else was first -----------------------------------------------------------------------------------------


@shared_or_own
@pytest.mark.parametrize("moment", ["expired", "account", "turn"])
async def test_a_call_goes_on_with_what_somebody_else_has_refreshed_meanwhile(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, moment: str, shared: bool
) -> None:
    chatgpt.websocket = False
    chatgpt.sign_in(settings.home, expires_in=-60 if moment == "expired" else 3600)
    old = auth_of(settings.home)["tokens"]["access_token"]
    if moment != "expired":
        path = ACCOUNT if moment == "account" else RESPONSES
        chatgpt.respond(path, lambda request: HttpResponse(401, {}) if request.bearer == old else None)

    def used(request: Request) -> HttpResponse:
        """Another process was a moment faster, and has just stored what it got."""
        chatgpt.sign_in(settings.home)
        chatgpt.respond(TOKEN, None)
        return HttpResponse(401, {"error": {"code": "refresh_token_reused", "message": "It was used."}})

    chatgpt.respond(TOKEN, used)
    async with codex if shared else nullcontext():
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
    assert len(chatgpt.refresh_requests) == 1
    sign_in = read_sign_in(settings.home)
    assert sign_in is not None
    assert refusal_of(settings, sign_in) is None
    assert chatgpt.model_requests[-1].request.bearer == auth_of(settings.home)["tokens"]["access_token"] != old


@shared_or_own
async def test_a_refusal_that_comes_late_is_not_held_against_a_new_sign_in(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    """The same client has made a call with the new one by then."""
    old = auth_of(settings.home)["tokens"]["access_token"]
    chatgpt.websocket = False
    chatgpt.respond(RESPONSES, lambda request: HttpResponse(401, {}) if request.bearer == old else None)
    chatgpt.refuse_refresh("invalidated")
    chatgpt.refresh_delay = 1.0
    replies: list[str] = []

    async def ask(prompt: str) -> None:
        replies.append((await codex.complete(prompt)).text)

    async with codex if shared else nullcontext():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "early")
            await anyio.to_thread.run_sync(lambda: chatgpt.wait_for_requests(1, path=TOKEN))
            chatgpt.sign_in(settings.home, account_id="acc_new")
            await ask("in between")
            assert replies == ["You said: in between"]
        await ask("later")
    assert replies == ["You said: in between", "You said: early", "You said: later"]
