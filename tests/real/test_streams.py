"""Streams: their events and pieces, leaving them early, failures in them, and many of them at once."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import PolicyBlockedError
from codex_oauth.events import (
    Event,
    ItemCompleted,
    ItemStarted,
    MessageCompleted,
    PhaseReached,
    ReasoningDelta,
    TextDelta,
    TurnCompleted,
    TurnStarted,
    UsageUpdated,
)
from codex_oauth.testing import (
    Failed,
    Hang,
    Items,
    Json,
    LoopbackChatGPT,
    ModelRequest,
    Reply,
    Slow,
    Text,
    message,
    reasoning,
)
from tests.real.samples import PRIME, STRANGE


@pytest.mark.anyio
async def test_a_stream_tells_what_happens_in_order(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([reasoning("7 x 13"), message("Let me see.", "commentary"), message("No.", "final_answer")]))
    async with codex.stream("Is 91 prime?") as stream:
        events = [event async for event in stream]
    phases = [event.phase for event in events if isinstance(event, PhaseReached)]
    assert phases == ["spawn", "initialize", "account", "thread", "first_event", "first_text", "completed"]
    times = [event.at for event in events if isinstance(event, PhaseReached)]
    assert times == sorted(times)
    kinds = [type(event) for event in events if not isinstance(event, PhaseReached)]
    known = [kind for kind in kinds if kind.__name__ != "UnknownEvent"]
    message_events = [ItemStarted, TextDelta, MessageCompleted]
    assert known == [
        TurnStarted,
        *(ItemStarted, ReasoningDelta, ItemCompleted),
        *message_events,
        *message_events,
        UsageUpdated,
        TurnCompleted,
    ]
    assert [(event.phase, event.text) for event in events if isinstance(event, MessageCompleted)] == [
        ("commentary", "Let me see."),
        ("final_answer", "No."),
    ]


@pytest.mark.anyio
@pytest.mark.usefixtures("transport")
async def test_the_pieces_of_a_stream_make_up_its_text(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text(STRANGE, chunks=9))
    async with codex.stream("Say it.") as stream:
        pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
        reply = await stream.reply()
    assert len(pieces) == 9
    assert "".join(pieces) == reply.text == STRANGE


@pytest.mark.anyio
async def test_a_streams_reply_can_be_had_without_its_events(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": False}))
    async with codex.stream("Is 91 prime?", output=PRIME) as stream:
        assert (await stream.reply()).output == {"prime": False}


@pytest.mark.anyio
async def test_no_event_shows_content_in_its_repr(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([reasoning("numbat"), message("wombat")]))
    async with codex.stream("quokka", instructions="potoroo") as stream:
        shown = repr([event async for event in stream]) + repr(await stream.reply())
    assert [word for word in ("numbat", "wombat", "quokka", "potoroo", "person@") if word in shown] == []


@pytest.mark.anyio
@pytest.mark.usefixtures("transport")
async def test_leaving_a_stream_early_ends_its_turn_and_no_other(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Hang("It is"), Text("another"))
    async with codex:
        async with codex.stream("Is 91 prime?") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        with anyio.fail_after(5):
            await anyio.to_thread.run_sync(chatgpt.wait_until, lambda: chatgpt.answering == 0)
        after = await codex.complete("And 97?")
    assert (after.text, after.warm) == ("another", True)


@pytest.mark.anyio
async def test_leaving_a_stream_of_a_process_of_its_own_ends_the_process(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    chatgpt.script(Hang("It is"))
    async with codex.stream("Is 91 prime?") as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        assert processes_of() != []
    assert processes_of() == []


@pytest.mark.anyio
async def test_a_failure_is_raised_by_a_streams_events_and_by_its_reply(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Failed("cyber_policy", "No."))
    async with codex.stream("Is 91 prime?") as stream:
        seen: list[Event] = []

        async def listen() -> None:
            async for event in stream:
                seen.append(event)  # noqa: PERF401 - what came before the error is looked at

        with pytest.raises(PolicyBlockedError):
            await listen()
        with pytest.raises(PolicyBlockedError):
            await stream.reply()
    assert isinstance(seen[-1], TurnCompleted)


@pytest.mark.anyio
async def test_an_exception_of_the_callers_leaves_a_stream_as_it_is(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Hang("It is"))

    async def listen() -> None:
        async with codex.stream("Is 91 prime?") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await listen()


@pytest.mark.anyio
@pytest.mark.usefixtures("transport")
async def test_sixty_four_calls_at_once_each_get_their_own_reply(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    def slowly(request: ModelRequest) -> Reply:
        return Slow(Text(f"{request.text} and no other", chunks=3), 0.15)

    chatgpt.default = slowly
    replies: dict[str, str] = {}

    async def ask(prompt: str) -> None:
        async with codex.stream(prompt) as stream:
            pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
            reply = await stream.reply()
        assert "".join(pieces) == reply.text
        replies[prompt] = reply.text

    prompts = [f"call {number:02}" for number in range(64)]
    async with codex, anyio.create_task_group() as tasks:
        for prompt in prompts:
            tasks.start_soon(ask, prompt)
    assert replies == {prompt: f"{prompt} and no other" for prompt in prompts}
    assert chatgpt.peak_answering > 16
    threads = {request.body["client_metadata"]["thread_id"] for request in chatgpt.model_requests}
    assert len(threads) == 64
