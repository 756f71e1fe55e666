"""Tokens that are refused as soon as they are refreshed: the call ends, and so does the loop that codex makes of it."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, nullcontext

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import (
    CodexOAuthError,
    CredentialRejectedError,
    DeadlineExceededError,
    ReauthenticationRequired,
)
from codex_oauth.testing import HttpResponse, LoopbackChatGPT
from codex_oauth.testing.tokens import RefreshRefusal
from tests.real.account.people import auth_of, nothing_runs
from tests.real.endpoints import ACCOUNT, SETTINGS
from tests.real.samples import PROMPT

NOT_YOU = HttpResponse(401, {"error": {"code": "token_invalidated", "message": "Not you."}})

pytestmark = pytest.mark.anyio
shared_or_own = pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])


@pytest.fixture
def loops(version: tuple[int, ...]) -> None:
    """A codex that makes a loop of it."""
    if version >= (0, 169):
        pytest.skip("from 0.169 on codex refreshes once")


async def falls_silent(chatgpt: LoopbackChatGPT) -> None:
    """Nothing more is asked of the service: what does not happen has no event, so it is given half a second."""
    before = len(chatgpt.requests)
    with pytest.raises(TimeoutError):
        await anyio.to_thread.run_sync(lambda: chatgpt.wait_until(lambda: len(chatgpt.requests) > before, timeout=0.5))


@pytest.mark.usefixtures("loops", "transport")
@shared_or_own
async def test_a_loop_of_refreshes_is_stopped_and_the_call_says_so(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    chatgpt.respond(SETTINGS, NOT_YOU)
    async with codex if shared else nullcontext():
        began = time.monotonic()
        with pytest.raises(CredentialRejectedError) as caught:
            await codex.complete(PROMPT)
        assert time.monotonic() - began < 3
        assert caught.value.message.endswith("; it was stopped. If that lasts, sign in again: codex-oauth login")
        assert (caught.value.http_status, caught.value.retryable, caught.value.exit_status) == (401, False, 3)
        await falls_silent(chatgpt)
        # codex has no word for it: what tells is that it did go on refreshing.
        assert chatgpt.refresh_outcomes["granted"] >= 5
        chatgpt.respond(SETTINGS, None)
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
    assert chatgpt.model_requests[-1].request.bearer == auth_of(settings.home)["tokens"]["access_token"]
    assert nothing_runs(settings.home)


@pytest.mark.usefixtures("loops")
async def test_no_call_of_a_shared_app_server_that_loops_is_left_waiting(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    """Some may be answered before the loop is seen for what it is; the others are told."""
    chatgpt.respond(SETTINGS, NOT_YOU)
    codes: list[str] = []

    async def ask() -> None:
        try:
            codes.append((await codex.complete(PROMPT)).text)
        except CodexOAuthError as error:
            codes.append(error.code)

    async with codex:
        with anyio.fail_after(6):
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(ask)
        assert len(codes) == 5
        assert {"credential_rejected"} <= set(codes) <= {"credential_rejected", f"You said: {PROMPT}"}
        await falls_silent(chatgpt)


@pytest.mark.usefixtures("loops")
@shared_or_own
async def test_a_call_that_is_given_up_takes_the_loop_with_it(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    """Before it is seen for what it is."""
    chatgpt.respond(SETTINGS, NOT_YOU)
    async with codex if shared else nullcontext():
        with pytest.raises((DeadlineExceededError, CredentialRejectedError)):
            await codex.complete(PROMPT, timeout=0.35)
        await falls_silent(chatgpt)
        chatgpt.respond(SETTINGS, None)
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"


@pytest.mark.usefixtures("loops")
async def test_a_loop_that_begins_while_nobody_calls_is_stopped_too(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    """A thread that is started ahead asks for the settings by itself."""
    async with codex:
        for _ in range(2):
            await codex.complete(PROMPT)
        asked = sum(request.path == SETTINGS for request in chatgpt.requests)
        await anyio.to_thread.run_sync(
            lambda: chatgpt.wait_until(
                lambda: sum(request.path == SETTINGS for request in chatgpt.requests) >= max(asked, 3), timeout=5
            )
        )
        chatgpt.respond(SETTINGS, NOT_YOU)
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
        await anyio.to_thread.run_sync(
            lambda: chatgpt.wait_until(lambda: chatgpt.refresh_outcomes["granted"] >= 5, timeout=5)
        )
        with anyio.fail_after(5):
            while True:
                before = len(chatgpt.requests)
                await anyio.sleep(0.3)
                if len(chatgpt.requests) == before:
                    break
        await falls_silent(chatgpt)
        # The token that it got last was stored: the next one is had with it.
        assert set(chatgpt.refresh_outcomes) == {"granted"}
        chatgpt.respond(SETTINGS, None)
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
    # A sign-in that lost its last token could not be refreshed any more.
    chatgpt.revoke_access_tokens()
    chatgpt.websocket = False
    assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
    assert set(chatgpt.refresh_outcomes) == {"granted"}
    assert auth_of(settings.home)["tokens"]["refresh_token"]


@pytest.mark.parametrize(("refusal", "shared"), [("expired", False), ("reused", True), ("invalidated", False)])
async def test_where_the_refresh_is_refused_too_nothing_loops(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, refusal: RefreshRefusal, shared: bool
) -> None:
    chatgpt.respond(SETTINGS, NOT_YOU)
    chatgpt.refuse_refresh(refusal)
    async with codex if shared else nullcontext():
        with anyio.fail_after(3):
            # The settings are not needed for a reply, which the token still pays for.
            assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
        await falls_silent(chatgpt)
    assert len(chatgpt.refresh_requests) == 1


@shared_or_own
async def test_an_account_service_that_refuses_what_was_just_refreshed_does_not_loop(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    chatgpt.respond(ACCOUNT, NOT_YOU)
    async with codex if shared else nullcontext():
        with anyio.fail_after(3), pytest.raises(ReauthenticationRequired, match=r"sign in again: codex-oauth login$"):
            await codex.complete(PROMPT)
        await falls_silent(chatgpt)
        assert len(chatgpt.refresh_requests) <= 8
        assert chatgpt.model_requests == ()
        # Nothing was refused to the refresh token, so nothing is held against it.
        chatgpt.respond(ACCOUNT, None)
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"


async def test_many_app_servers_that_are_each_refused_once_are_no_loop(
    settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    clients = [AsyncCodex(settings=settings) for _ in range(8)]
    async with AsyncExitStack() as stack:
        for client in clients:
            await stack.enter_async_context(client)
            await client.complete(PROMPT)
        chatgpt.reset()
        chatgpt.websocket = False
        chatgpt.revoke_access_tokens()
        async with anyio.create_task_group() as tasks:
            for client in clients:
                tasks.start_soon(client.complete, PROMPT)
    assert 1 <= chatgpt.refresh_outcomes["granted"] <= len(clients)
