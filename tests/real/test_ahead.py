"""Threads that are started ahead, on the real binary: what is sent, what a dead connection does, what stays behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import UsageLimitError
from codex_oauth.events import Event, ServerRetrying
from codex_oauth.testing import LoopbackChatGPT, ModelRequest, Text, usage_limit_reached

pytestmark = pytest.mark.anyio

INSTRUCTIONS = "Be as brief as you can."
SETTINGS = "/backend-api/wham/settings/user"


async def ask(codex: AsyncCodex, prompt: str = "hello", instructions: str = INSTRUCTIONS) -> None:
    assert (await codex.complete(prompt, instructions=instructions)).text == f"You said: {prompt}"


async def until(chatgpt: LoopbackChatGPT, holds: Callable[[], bool]) -> None:
    await anyio.to_thread.run_sync(lambda: chatgpt.wait_until(holds, timeout=10))


async def ready(chatgpt: LoopbackChatGPT, threads: int) -> None:
    """So many threads have been made ready: each asks for the person's settings once."""
    await until(chatgpt, lambda: settings_asked(chatgpt) >= threads)


def settings_asked(chatgpt: LoopbackChatGPT) -> int:
    return sum(request.path == SETTINGS for request in chatgpt.requests)


def said(request: ModelRequest) -> list[tuple[str, str]]:
    """All that the model reads, whoever says it."""
    return [(item["role"], "".join(part["text"] for part in item["content"])) for item in request.context]


def plain(request: ModelRequest) -> str:
    """The request without its ids, times and the order of its keys."""
    text = json.dumps({key: value for key, value in request.body.items() if key != "client_metadata"}, sort_keys=True)
    return re.sub(r"resp_\w+|(msg_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|msg_\w+|\b1\d{9}\.\d+", "<id>", text)


@pytest.mark.usefixtures("transport")
async def test_the_model_reads_the_same_on_a_thread_that_was_there(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    async with codex:
        for number in range(5):
            await ask(codex)
            await ready(chatgpt, number + 1 if number == 0 else number + 2)
    first, *others = chatgpt.model_requests
    assert said(first) == [("developer", INSTRUCTIONS), ("user", "hello")]
    assert {json.dumps(said(request)) for request in others} == {json.dumps(said(first))}
    assert {len(request.tools) for request in chatgpt.model_requests} == {0}
    assert len({plain(request) for request in chatgpt.model_requests}) == 1


async def test_no_two_calls_share_a_thread(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    async with codex:
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                for number in range(6):
                    tasks.start_soon(ask, codex, f"number {number}")
    threads = [request.body["prompt_cache_key"] for request in chatgpt.model_requests]
    assert len(threads) == len(set(threads)) == 18


async def test_a_call_with_other_instructions_never_gets_a_thread_that_was_there(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    async with codex:
        for number in range(9):
            await ask(codex, instructions=f"You are number {number % 3}.")
    for number, request in enumerate(chatgpt.model_requests):
        assert said(request) == [("developer", f"You are number {number % 3}."), ("user", "hello")]


async def test_a_client_that_calls_once_asks_for_no_more_than_that(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    async with codex:
        await ask(codex)
    assert (len(chatgpt.prewarms), len(chatgpt.model_requests), settings_asked(chatgpt)) == (1, 1, 1)


async def test_a_spare_asks_the_model_for_nothing(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    async with codex:
        for _ in range(3):
            await ask(codex)
        await ready(chatgpt, 4)
        await until(chatgpt, lambda: len(chatgpt.prewarms) == 4)
    assert len(chatgpt.model_requests) == 3
    assert all(request.body["generate"] is False for request in chatgpt.prewarms)
    assert "hello" not in json.dumps([request.body for request in chatgpt.prewarms])


async def test_a_connection_that_died_while_nobody_called_fails_no_call(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    events: list[Event] = []
    async with codex:
        for _ in range(2):
            await ask(codex)
        await ready(chatgpt, 3)
        await until(chatgpt, lambda: len(chatgpt.prewarms) == 3)
        chatgpt.offline = True  # cuts every connection
        chatgpt.offline = False
        async with codex.stream("hello", instructions=INSTRUCTIONS) as stream:
            events += [event async for event in stream]
            reply = await stream.reply()
    assert (reply.text, reply.warm) == ("You said: hello", True)
    assert not any(isinstance(event, ServerRetrying) for event in events)
    assert len(chatgpt.model_requests) == 3


async def test_nothing_is_started_ahead_for_a_plan_that_is_used_up(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    async with codex:
        for _ in range(2):
            chatgpt.script(usage_limit_reached())
            with pytest.raises(UsageLimitError):
                await ask(codex)
    assert len(chatgpt.prewarms) == 2


async def test_a_sign_in_of_somebody_else_does_not_find_the_threads_of_the_one_before(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    async with codex:
        for _ in range(3):
            await ask(codex)
        await ready(chatgpt, 4)
        chatgpt.sign_in(settings.home, account_id="acc_other")
        chatgpt.script(Text("to the other"))
        reply = await codex.complete("hello", instructions=INSTRUCTIONS)
    assert reply.text == "to the other"
    assert chatgpt.model_requests[-1].request.headers["chatgpt-account-id"] == "acc_other"


async def test_nothing_runs_once_the_block_is_left(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    async with codex:
        for _ in range(3):
            await ask(codex)
        assert len(processes_of()) == 1
    await until(chatgpt, lambda: not processes_of())
