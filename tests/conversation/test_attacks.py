"""Conversations and tools on the real binary, under what models, tools and callers do at their worst."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import anyio
import pytest
import trio.testing

from codex_oauth import (
    AsyncCodex,
    Codex,
    Event,
    InvalidRequestError,
    ResponseCompleted,
    StepLimitError,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnInterruptedError,
)
from codex_oauth.config import Settings
from codex_oauth.session import Thread, TurnRequest
from codex_oauth.session.responses import ResponseLog
from codex_oauth.session.tool_calls import ToolCalls
from codex_oauth.testing import (
    HttpError,
    HttpResponse,
    Items,
    LoopbackChatGPT,
    ModelRequest,
    Reply,
    Request,
    Text,
    function_call,
    message,
)
from codex_oauth.tool_runs import ToolRuns
from codex_oauth.tools import tools_of
from codex_oauth.types import Account, ModelResponse, Usage
from tests.conversation.test_conversation import outputs, words
from tests.real.endpoints import RESPONSES
from tests.real.test_leaving import app_servers

TOKEN: Final = "/oauth/token"
SECRET: Final = "the zebra crosses the river at midnight"


@pytest.fixture
async def opened(codex: AsyncCodex) -> AsyncIterator[AsyncCodex]:
    """A client whose app-server is shared by the conversations of a test."""
    async with codex:
        yield codex


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def is_answered(request: ModelRequest) -> bool:
    """Whether the model has what it called for."""
    return request.context[-1]["type"] == "function_call_output"


def described(name: str, tool: Callable[[], Any]) -> dict[str, Any]:
    """A tool that takes nothing."""

    def handler(_: dict[str, Any]) -> Any:
        return tool()

    return {"name": name, "handler": handler}


async def quiet(chatgpt: LoopbackChatGPT) -> None:
    """Wait until the service answers nobody."""
    await anyio.to_thread.run_sync(lambda: chatgpt.wait_until(lambda: not chatgpt.answering))


# --- tools -----------------------------------------------------------------------------------------------------------


class Unwritable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def count() -> Iterator[int]:
    yield from range(3)


def results(*, asyncio: bool) -> dict[str, tuple[Callable[[], Any], str]]:
    """What a tool does, and what the model is told of it."""

    def raises(error: BaseException) -> Callable[[], Any]:
        def tool() -> None:
            raise error

        return tool

    async def ends() -> None:
        sys.exit(3)

    async def cancelled() -> None:
        raise anyio.get_cancelled_exc_class()

    told: dict[str, tuple[Callable[[], Any], str]] = {
        "exit": (raises(SystemExit(2)), "the tool failed: SystemExit: 2"),
        "async_exit": (ends, "the tool failed: SystemExit: 3"),
        "stop": (raises(StopIteration()), "the tool failed: RuntimeError: coroutine raised StopIteration"),
        "unwritable": (raises(Unwritable()), "the tool failed: Unwritable: it cannot be written"),
        "half_error": (raises(ValueError("bad \udcff name")), "the tool failed: ValueError: bad ? name"),
        "half_name": (lambda: "name\udcff.txt", "name?.txt"),
        "no_text": (lambda: ToolOutput(5), "the tool failed: TypeError: a ToolOutput's text must be text"),  # pyright: ignore[reportArgumentType]
        "no_images": (
            lambda: ToolOutput("x", images="a.png"),
            "the tool failed: TypeError: a ToolOutput's images are a list of paths, bytes or data URLs",
        ),
        "counted": (count, "[0,1,2]"),
    }
    if asyncio:
        # Only there can a cancellation be somebody else's, such as a future's.
        told["cancelled"] = (cancelled, "the tool failed: it waited for something that was cancelled")
    return told


@pytest.mark.anyio
async def test_whatever_a_tool_does_the_model_is_told_and_the_turn_goes_on(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, anyio_backend_name: str
) -> None:
    wanted = results(asyncio=anyio_backend_name == "asyncio")
    tools = [described(name, tool) for name, (tool, _) in wanted.items()]
    chatgpt.script(Items([function_call(name, {}, name) for name in wanted]), Text("I see."))
    async with opened.conversation(tools=tools) as chat:
        assert (await chat.send("Try.", timeout=10)).text == "I see."
    assert outputs(chatgpt) == {name: told for name, (_, told) in wanted.items()}


@pytest.mark.anyio
async def test_nothing_runs_with_arguments_that_codex_does_not_read(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    ran: list[Any] = []

    def typed(a: Any = None) -> None:
        ran.append(a)

    wrong = ["", '{"a": NaN}', '{"a": "\\ud800"}', '{"a": ' + "[" * 300 + "]" * 300 + "}", '{"a": 1} {}', '{"a": "\n"}']
    calls = [
        function_call(name, text, f"{name}{at}") for at, text in enumerate(wrong) for name in ("typed", "described")
    ]
    chatgpt.script(Items(calls), Text("I see."))
    async with opened.conversation(tools=[typed, {"name": "described", "handler": ran.append}]) as chat:
        await chat.send("Try.", timeout=10)
    told = outputs(chatgpt)
    assert len(told) == len(calls)
    assert {text.partition(":")[0] for text in told.values()} == {"failed to parse function arguments"}
    assert ran == []


@pytest.mark.anyio
async def test_a_call_of_a_later_response_is_its_own_even_under_the_same_id(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    async def double(n: int) -> int:
        return n * 2

    chatgpt.script(
        Items([function_call("double", {"n": 1}, "c1")]),
        Items([function_call("double", {"n": 2}, "c1")]),
        Text("Done."),
    )
    async with opened.conversation(tools=[double]) as chat:
        await chat.send("Go.")
    told = [item["output"] for item in chatgpt.model_requests[-1].context if item["type"] == "function_call_output"]
    assert told == ["2", "4"]


@pytest.mark.anyio
async def test_calls_of_unknown_tools_are_steps_too_and_the_metrics_say_why_it_ended(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, settings: Settings
) -> None:
    chatgpt.default = lambda request: Items([function_call("nothing", {}, f"c{len(request.context)}")])
    async with opened.conversation(max_steps=3) as chat:
        with pytest.raises(StepLimitError):
            await chat.send("Go.", timeout=10)
    await quiet(chatgpt)
    # codex answers such calls itself, and may have asked once more before it is told to stop.
    assert len(chatgpt.model_requests) in (4, 5)
    assert settings.metrics is not None
    line = json.loads(settings.metrics.read_text().splitlines()[-1])
    assert (line["command"], line["outcome"], line["error"]) == ("conversation", "error", "step_limit")


@pytest.mark.anyio
async def test_a_refreshed_sign_in_in_the_middle_of_a_turn_runs_no_tool_twice(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, settings: Settings
) -> None:
    chatgpt.websocket = False
    old = json.loads((settings.home / "auth.json").read_text())["tokens"]["access_token"]
    paid = 0

    def used(request: Request) -> HttpResponse:
        """Another program was a moment faster."""
        chatgpt.sign_in(settings.home)
        chatgpt.respond(TOKEN, None)
        return HttpResponse(401, {"error": {"code": "refresh_token_reused", "message": "It was used."}})

    async def pay() -> str:
        nonlocal paid
        paid += 1
        if paid == 1:
            chatgpt.respond(TOKEN, used)
            chatgpt.respond(RESPONSES, lambda request: HttpResponse(401, {}) if request.bearer == old else None)
        return "paid"

    def answer(request: ModelRequest) -> Reply:
        call = function_call("pay", {}, f"c{len(chatgpt.model_requests)}")
        return Text("Done.") if is_answered(request) else Items([call])

    chatgpt.default = answer
    async with opened.conversation(tools=[pay]) as chat:
        with pytest.raises(TurnInterruptedError, match="refreshed the sign-in"):
            await chat.send("Pay.", timeout=20)
        assert (paid, chat.history) == (1, ())
        assert (await chat.send("Pay.", timeout=20)).text == "Done."
    assert paid == 2


@pytest.mark.anyio
async def test_an_error_quotes_nothing_of_the_history_or_of_a_tool(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    quoting = HttpError(400, {"error": {"type": "invalid_request_error", "message": f"Bad input: {SECRET}"}})

    def tell() -> str:
        return SECRET

    for first in (Text(SECRET), Items([function_call("tell", {}, "c1")])):
        chatgpt.script(first, quoting)
        async with opened.conversation(tools=[tell]) as chat:
            with pytest.raises(InvalidRequestError, match=r"Bad input: \[removed\]"):  # noqa: PT012 - either turn
                await chat.send("Go.")
                await chat.send("Go on.")


# --- lives -----------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("before", [0, 1])
async def test_leaving_a_conversation_ends_the_turn_that_another_task_has_begun(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, before: int
) -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await anyio.sleep_forever()
        finally:
            ended = True

    chatgpt.default = lambda request: (
        Items([function_call("work", {}, "c1")]) if request.text == "Work." else Text("Hm.")
    )
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        async with opened.conversation(tools=[work]) as chat:
            for _ in range(before):
                await chat.send("Hi.")
            begun = anyio.Event()

            async def send() -> None:
                try:
                    async with chat.stream("Work.", timeout=20) as stream:
                        async for event in stream:
                            if isinstance(event, ToolStarted):
                                begun.set()
                except TurnInterruptedError as error:
                    failures.append(error)

            tasks.start_soon(send)
            await begun.wait()
        assert ended
    assert [str(error) for error in failures] == ["the conversation was left before its turn ended"]
    await quiet(chatgpt)


@pytest.mark.anyio
async def test_conversations_of_a_client_that_is_not_open_do_not_end_each_other(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    left, hanging = anyio.Event(), anyio.Event()

    def answer(request: ModelRequest) -> Reply:
        if is_answered(request):
            return Text("Done.")
        return Items([function_call("wait", {}, "c1")]) if request.text == "Wait." else Text("Hello.")

    async def wait() -> None:
        hanging.set()
        await left.wait()

    async def first() -> None:
        async with codex.conversation() as chat:
            await chat.send("Hi.")
            await hanging.wait()
        left.set()

    chatgpt.default = answer
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        async with codex.conversation(tools=[wait]) as chat:
            assert (await chat.send("Wait.", timeout=20)).text == "Done."
            assert (await chat.send("Hi.")).warm
            async with codex:
                assert (await codex.complete("Hi.")).text == "Hello."
    assert app_servers(processes_of()) == []


@pytest.mark.anyio
async def test_a_history_holds_only_what_another_conversation_takes(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    strange = [
        {"type": "custom_tool_call", "name": "x", "call_id": "c1", "input": "y"},
        {"type": "something_new", "x": 1},
        message("Hello."),
    ]
    chatgpt.script(Items(strange), Text("Hello."), Text("And hello."), Text("Hello again."))
    async with opened.conversation() as chat:
        await chat.send("Hi.")
        async with chat.fork() as fork:
            await fork.send("And?")
        async with opened.conversation(history=chat.history) as given:
            assert (await given.send("And?")).text == "Hello again."


def test_after_ctrl_c_the_same_conversation_goes_on_at_once(chatgpt: LoopbackChatGPT, settings: Settings) -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await anyio.sleep_forever()
        finally:
            ended = True

    chatgpt.default = lambda request: (
        Items([function_call("work", {}, "c1")]) if request.text == "Work." else Text("Hm.")
    )
    with Codex(settings=settings) as codex, codex.conversation(tools=[work]) as chat:
        with pytest.raises(KeyboardInterrupt):
            chat.send("Work.", timeout=20)
        assert ended
        assert chat.send("Hi.").text == "Hm."


def test_a_tool_may_call_its_own_client_but_not_so_that_it_waits_for_itself(
    chatgpt: LoopbackChatGPT, settings: Settings
) -> None:
    with Codex(settings=settings) as codex:

        def ask() -> str:
            return codex.complete("Inner.").text

        async def wait() -> str:
            return codex.complete("Inner.").text

        chatgpt.default = lambda request: Text("Inside." if request.text == "Inner." else "Done.")
        chatgpt.script(Items([function_call("ask", {}, "ask"), function_call("wait", {}, "wait")]))
        with codex.conversation(tools=[ask, wait]) as chat:
            chat.send("Go.", timeout=20)
    told = outputs(chatgpt)
    assert told["ask"] == "Inside."
    assert "this would wait for itself" in told["wait"]


# --- one response at a time ------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_items_of_a_reply_can_be_said_again_whatever_the_model_called(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    tools = [{"name": "look"}]
    chatgpt.script(
        Items([function_call("shell", {}, "s1")]),
        Text("Without it."),
        Items([function_call("shell", {}, "s2"), function_call("look", {}, "c1")]),
        Text("Seen."),
    )
    first = await opened.respond([user("Look.")], tools=tools)
    items = [user("Look."), *first.items, user("Do.")]
    second = await opened.respond(items, tools=tools)
    assert [call.call_id for call in second.calls] == ["c1"]
    items += [*second.items, {"type": "function_call_output", "call_id": "c1", "output": "x"}]
    assert (await opened.respond(items, tools=tools)).text == "Seen."
    assert words(chatgpt)[-2:] == [("assistant", "Without it."), ("user", "Do.")]


CALL: Final = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
OUTPUT: Final = {"type": "function_call_output", "call_id": "c1", "output": "x"}


@pytest.mark.parametrize("answered_here", [False, True])
def test_a_response_that_was_broken_off_is_a_part_of_what_the_next_attempt_is_sent(answered_here: bool) -> None:
    async def answer(params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    told: list[ModelResponse] = []
    tools: Any = ({"type": "function", "name": "look", "description": "", "inputSchema": {}},)
    request = TurnRequest(text="hello", tools=tools, on_call=answer if answered_here else None)
    log = ResponseLog(Thread("t", "m"), request, told.append)
    again = {**CALL, "call_id": "c2"}
    # No end came of the first: codex asks for its call, and sends the output with its next attempt.
    for item in (CALL, OUTPUT, again):
        log.raw_item(item)
    log.end(Usage(), model="m", turn_id="u", account=Account(kind="chatgpt"), response_id="r")
    assert told[0].output == (again,)
    assert told[0].input[1:] == (CALL, OUTPUT)
    assert log.items == ([CALL, again] if answered_here else [again])


def test_what_was_said_on_a_thread_counts_once() -> None:
    thread = Thread("t", "m")
    request = TurnRequest(text="hello", instructions="Be brief.", items=(user("before"),), raw=True, thread=thread)
    assert sorted(request.said()) == ["Be brief.", "before", "hello"]
    ResponseLog(thread, request, lambda response: None)  # noqa: ARG005
    assert sorted(request.said()) == ["Be brief.", "before", "hello"]


def test_a_call_that_ends_its_turn_is_answered_in_the_end_so_that_a_lost_connection_is_tried_again() -> None:
    tools: Any = ({"type": "function", "name": "look", "description": "", "inputSchema": {}},)

    async def main() -> None:
        calls = ToolCalls()
        with calls.answered(Thread("t", "m"), TurnRequest(text="hello", tools=tools)):
            began = trio.current_time()
            answer = await calls.answer({"threadId": "t", "callId": "c1", "tool": "look"})
            assert trio.current_time() - began == 10.0
        assert answer["success"] is False
        assert "not run" in answer["contentItems"][0]["text"]

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_calls_without_the_end_of_their_response_wait_for_it_once_and_run_once() -> None:
    """codex 0.163 asks for one after the other."""
    told: list[Event] = []

    async def main() -> None:
        async def look() -> str:
            return "x"

        (tool,) = tools_of([look])
        async with anyio.create_task_group() as tasks:
            runs = ToolRuns({"look": tool}, tasks, told.append, timeout=60, max_steps=3)
            began = trio.current_time()
            for n in range(3):
                answer = await runs.answer({"callId": f"c{n}", "tool": "look", "arguments": {}})
                assert answer["success"]
            assert trio.current_time() - began == 5.0
            # The response was only slow: its end tells of calls that have run.
            response = replace(RESPONSE, output=tuple({**CALL, "call_id": f"c{n}"} for n in range(4)))
            runs.observe(ResponseCompleted(response))
            await runs.answer({"callId": "c3", "tool": "look", "arguments": {}})
            assert trio.current_time() - began == 5.0
        assert sum(isinstance(event, ToolFinished) for event in told) == 4

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


RESPONSE: Final = ModelResponse(
    response_id="r",
    thread_id="t",
    turn_id="u",
    number=1,
    model="m",
    effort=None,
    instructions=None,
    tools=(),
    schema=None,
    input=(),
    output=(),
    usage=Usage(),
    account=Account(kind="chatgpt"),
    began=0.0,
    ended=1.0,
    exact=True,
)
