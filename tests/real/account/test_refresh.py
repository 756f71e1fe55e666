"""A token that is about to expire: refreshed once, before anybody needs it, and by nobody twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Final

import anyio
import pytest

from codex_oauth.account import read_sign_in
from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import AccountCheckError, DeadlineExceededError
from codex_oauth.testing import (
    DROP,
    HANG,
    Failed,
    HttpResponse,
    LoopbackChatGPT,
    NoResponse,
    Request,
    Text,
    unauthorized,
)
from tests.real.account.crowd import is_whole
from tests.real.account.people import nothing_runs
from tests.real.endpoints import RESPONSES
from tests.real.samples import PROMPT
from tests.scripted import eventually

TOKEN = "/oauth/token"

pytestmark = pytest.mark.anyio
shared_or_own = pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])


def bearers(chatgpt: LoopbackChatGPT) -> list[str | None]:
    """The tokens that the model's service has seen."""
    return [request.request.bearer for request in chatgpt.model_requests]


# --- when ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-60, 200, 325])
@shared_or_own
async def test_a_token_with_less_than_330_seconds_left_is_refreshed_before_it_is_used(
    codex: AsyncCodex,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    tokens: Callable[[], dict[str, str]],
    seconds: float,
    shared: bool,
) -> None:
    chatgpt.sign_in(settings.home, expires_in=seconds)
    async with codex if shared else nullcontext():
        for _ in range(3):
            await codex.complete(PROMPT)
    assert len(chatgpt.refresh_requests) == 1
    assert set(bearers(chatgpt)) == {tokens()["access_token"]}
    assert is_whole(settings.home)


@pytest.mark.parametrize("seconds", [345, 3_600])
async def test_a_token_that_is_good_for_longer_is_left_alone(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, seconds: float
) -> None:
    chatgpt.sign_in(settings.home, expires_in=seconds)
    before = (settings.home / "auth.json").read_bytes()
    await codex.complete(PROMPT)
    assert chatgpt.refresh_requests == ()
    assert (settings.home / "auth.json").read_bytes() == before


async def all_at_once(clients: Sequence[AsyncCodex], times: int = 1) -> None:
    async with anyio.create_task_group() as tasks:
        for client in clients:
            for _ in range(times):
                tasks.start_soon(client.complete, PROMPT)


def is_due(home: Path) -> bool:
    sign_in = read_sign_in(home)
    assert sign_in is not None
    assert sign_in.expires_at is not None
    return sign_in.expires_at - time.time() < 330


async def test_running_app_servers_go_on_with_a_token_that_one_of_them_had_refreshed(
    settings: Settings, chatgpt: LoopbackChatGPT, tokens: Callable[[], dict[str, str]]
) -> None:
    chatgpt.sign_in(settings.home, expires_in=334)
    chatgpt.websocket = False  # a connection that is open already was let in with the token of its time
    old = tokens()["access_token"]
    clients = [AsyncCodex(settings=settings) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for client in clients:
            await stack.enter_async_context(client)
        await all_at_once(clients)
        assert chatgpt.refresh_requests == ()
        # Nothing but time makes a token due.
        assert await anyio.to_thread.run_sync(eventually, lambda: is_due(settings.home))
        await all_at_once(clients, 4)
        assert len(chatgpt.refresh_requests) == 1
        new = tokens()["access_token"]
        assert new != old
        # They have the old one, which is good, until the service or the clock is against it.
        chatgpt.reset()
        refuse(chatgpt, old)
        await all_at_once(clients, 2)
    assert chatgpt.refresh_requests == ()
    accepted = [request for request in chatgpt.model_requests if request.request.bearer == new]
    assert len(accepted) >= 6
    assert is_whole(settings.home)


def refuse(chatgpt: LoopbackChatGPT, token: str) -> None:
    """The model's service takes any token but this one."""

    def answer(request: Request) -> HttpResponse | None:
        return HttpResponse(401, {"error": {"code": "token_expired"}}) if request.bearer == token else None

    chatgpt.websocket = False
    chatgpt.respond(RESPONSES, answer)


@pytest.mark.slow
async def test_a_running_app_server_takes_the_new_token_by_itself_when_the_old_one_runs_out(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, tokens: Callable[[], dict[str, str]]
) -> None:
    chatgpt.sign_in(settings.home, expires_in=334)
    async with codex:
        await codex.complete(PROMPT)
        assert await anyio.to_thread.run_sync(eventually, lambda: is_due(settings.home))
        await codex.complete(PROMPT)
        refreshed = time.monotonic()
        # codex looks for another one when 300 of the 330 seconds are left.
        assert await anyio.to_thread.run_sync(eventually, lambda: time.monotonic() > refreshed + 32, 60)
        await codex.complete(PROMPT)
    assert len(chatgpt.refresh_requests) == 1
    assert bearers(chatgpt)[-1] == tokens()["access_token"]
    assert len(set(bearers(chatgpt))) == 2


# --- not just now ----------------------------------------------------------------------------------------------------


ANSWERS: Final[Mapping[str, HttpResponse | NoResponse]] = {
    "500": HttpResponse(500, {}),
    "403": HttpResponse(403, {}),
    "no-json": HttpResponse(200, b"<html>"),
    "dropped": DROP,
}


@pytest.mark.parametrize("answer", ANSWERS, ids=ANSWERS)
@pytest.mark.parametrize(("found", "shared"), [("expired", False), ("revoked", True)])
async def test_a_refresh_that_fails_just_now_may_be_tried_again(
    codex: AsyncCodex,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    answer: str,
    found: str,
    shared: bool,
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60 if found == "expired" else 3600)
    if found == "revoked":
        chatgpt.revoke_access_tokens()
    before = (settings.home / "auth.json").read_bytes()
    async with codex if shared else nullcontext():
        for _ in range(2):
            chatgpt.respond(TOKEN, ANSWERS[answer])
            with pytest.raises(
                AccountCheckError, match=r"an expired token could not be refreshed.*; call again"
            ) as caught:
                await codex.complete(PROMPT)
            assert (caught.value.retryable, caught.value.exit_status) == (True, 1)
            assert chatgpt.model_requests == ()
            assert (settings.home / "auth.json").read_bytes() == before
        chatgpt.respond(TOKEN, None)
        await codex.complete(PROMPT)
    assert chatgpt.refresh_outcomes == {"granted": 1}


@pytest.mark.parametrize("transport", ["sse"], indirect=True)
@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("answer", ANSWERS, ids=ANSWERS)
async def test_a_refresh_that_fails_just_now_in_mid_turn_may_be_tried_again(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, answer: str
) -> None:
    # codex repeats a turn that fails so; the stand-in shortens its pauses until it does for the last time.
    chatgpt.script(*[Failed("rate_limit_exceeded", "Please try again in 0.01s.")] * 5)
    chatgpt.default = unauthorized()
    chatgpt.respond(TOKEN, ANSWERS[answer])
    with pytest.raises(AccountCheckError, match=r"an expired token could not be refreshed.*; call again") as caught:
        await codex.complete(PROMPT)
    assert (caught.value.retryable, caught.value.exit_status) == (True, 1)
    chatgpt.respond(TOKEN, None)
    chatgpt.default = Text("fine")
    assert (await codex.complete(PROMPT)).text == "fine"


async def test_a_token_that_is_still_good_is_used_where_it_cannot_be_refreshed_just_now(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, tokens: Callable[[], dict[str, str]]
) -> None:
    chatgpt.sign_in(settings.home, expires_in=200)
    chatgpt.respond(TOKEN, HttpResponse(500, {}))
    await codex.complete(PROMPT)
    assert bearers(chatgpt) == [tokens()["access_token"]]


async def test_a_refresh_without_an_answer_ends_at_the_deadline_and_is_not_held_against_the_sign_in(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.respond(TOKEN, HANG)
    with pytest.raises(DeadlineExceededError):
        await codex.complete(PROMPT, timeout=0.5)
    chatgpt.respond(TOKEN, None)
    # The app-server that waits for the answer has the lock until it is gone.
    chatgpt.offline = True
    assert nothing_runs(settings.home, 15)
    chatgpt.offline = False
    await codex.complete(PROMPT)
    assert chatgpt.refresh_outcomes == {"granted": 1}


async def test_a_call_that_is_given_up_in_a_first_start_loses_no_token(
    fresh_settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    """As the first start after an update of codex is: the sign-in is there, and old."""
    chatgpt.sign_in(fresh_settings.home, expires_in=-60)
    chatgpt.refresh_delay = 1.0
    codex = AsyncCodex(settings=fresh_settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(codex.complete, PROMPT)
        await anyio.to_thread.run_sync(lambda: chatgpt.wait_for_requests(1, path=TOKEN))
        tasks.cancel_scope.cancel()
    assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"


# --- the file in the middle of a change ------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("expires_in", [3600, -60], ids=["good", "expired"])
@shared_or_own
async def test_a_sign_in_that_is_half_written_is_waited_for(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, share: float, expires_in: float, shared: bool
) -> None:
    chatgpt.sign_in(settings.home, expires_in=expires_in)
    file = settings.home / "auth.json"
    async with codex if shared else nullcontext():
        await codex.models()
        if shared:
            await codex.complete(PROMPT)
            chatgpt.sign_in(settings.home, expires_in=expires_in)
        whole = file.read_bytes()
        file.write_bytes(whole[: round(len(whole) * share)])
        writer = threading.Timer(0.015, file.write_bytes, [whole])
        writer.start()
        reply = await codex.complete(PROMPT)
        writer.join()
    assert reply.account.plan == "plus"
    assert len(chatgpt.refresh_requests) == (0 if expires_in > 0 else 2 if shared else 1)
