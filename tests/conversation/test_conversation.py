"""A conversation on the real binary: its turns, its tools, and what it is made anew from."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from codex_oauth import (
    AsyncCodex,
    Codex,
    ConfigurationError,
    DeadlineExceededError,
    Event,
    OverloadedError,
    ResponseCompleted,
    StepLimitError,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
)
from codex_oauth.config import Settings
from codex_oauth.testing import (
    Answer,
    Hang,
    Items,
    Json,
    LoopbackChatGPT,
    Text,
    Usage,
    function_call,
    message,
    overloaded,
    reasoning,
)
from tests.real.samples import PNG
from tests.real.test_leaving import app_servers


@pytest.fixture
async def opened(codex: AsyncCodex) -> AsyncIterator[AsyncCodex]:
    """A client whose app-server is shared by the conversations of a test."""
    async with codex:
        yield codex


def outputs(chatgpt: LoopbackChatGPT) -> dict[str, Any]:
    """What the model was told of its calls, by their ids."""
    items = chatgpt.model_requests[-1].context
    return {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}


def words(chatgpt: LoopbackChatGPT) -> list[tuple[str, str]]:
    """Who said what in the last request, without the tools."""
    return [
        (item["role"], part["text"])
        for item in chatgpt.model_requests[-1].context
        if item["type"] == "message"
        for part in item["content"]
    ]


@pytest.mark.anyio
async def test_three_tools_work_through_a_folder_and_the_text_comes_once(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text(f"the note {name}")
    ran: list[str] = []

    def glob(pattern: str) -> list[str]:
        "The files that match a pattern."
        ran.append("glob")
        return sorted(path.name for path in folder.glob(pattern))

    async def read(name: str) -> str:
        "A file's text."
        ran.append(f"read {name}")
        return (folder / name).read_text()

    async def summarise(texts: list[str], words: int = 10) -> dict[str, Any]:
        "A summary."
        ran.append("summarise")
        return {"summary": " and ".join(texts), "words": words}

    chatgpt.script(
        Items([message("I look.", "commentary"), function_call("glob", {"pattern": "*.txt"}, "c1")]),
        Items(
            [
                message("Two files."),
                function_call("read", {"name": "one.txt"}, "c2"),
                function_call("read", {"name": "two.txt"}, "c3"),
            ]
        ),
        Items([function_call("summarise", {"texts": ["the note one", "the note two"]}, "c4"), reasoning("enough")]),
        Items([message("Now I know.", "commentary"), message("Two notes.", "final_answer")]),
    )
    events: list[Event] = []
    async with (
        opened.conversation(instructions="Be brief.", tools=[glob, read, summarise]) as chat,
        chat.stream("What is in the folder?") as stream,
    ):
        events += [event async for event in stream]
        reply = await stream.reply()

    assert reply.text == "Two notes."
    assert "".join(event.text for event in events if isinstance(event, TextDelta)).count("Two notes.") == 1
    assert ran[0] == "glob"
    assert set(ran[1:3]) == {"read one.txt", "read two.txt"}
    assert ran[3:] == ["summarise"]
    assert len(chatgpt.model_requests) - sum(request.prewarm for request in chatgpt.model_requests) == 4
    assert outputs(chatgpt) == {
        "c1": '["one.txt","two.txt"]',
        "c2": "the note one",
        "c3": "the note two",
        "c4": '{"summary":"the note one and the note two","words":10}',
    }
    assert sum(isinstance(event, ResponseCompleted) for event in events) == 4
    assert [event.ok for event in events if isinstance(event, ToolFinished)] == [True] * 4


@pytest.mark.anyio
async def test_a_later_turn_knows_the_earlier_one_and_another_conversation_does_not(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Text("Hello."), Text("You said hi."), Text("Nothing."))
    async with opened.conversation(instructions="Be brief.") as chat:
        await chat.send("Hi.")
        await chat.send("What did I say?")
    assert words(chatgpt) == [
        ("developer", "Be brief."),
        ("user", "Hi."),
        ("assistant", "Hello."),
        ("user", "What did I say?"),
    ]
    async with opened.conversation(instructions="Be brief.") as other:
        await other.send("What did I say?")
    assert words(chatgpt) == [("developer", "Be brief."), ("user", "What did I say?")]


@pytest.mark.anyio
async def test_the_calls_of_one_response_run_at_once(opened: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    both = 0
    met = anyio.Event()

    async def meet(name: str) -> str:
        nonlocal both
        both += 1
        if both == 2:
            met.set()
        await met.wait()
        return name

    chatgpt.script(
        Items([function_call("meet", {"name": "a"}, "c1"), function_call("meet", {"name": "b"}, "c2")]), Text("Met.")
    )
    async with opened.conversation(tools=[meet], tool_timeout=20) as chat:
        assert (await chat.send("Meet.")).text == "Met."
    assert outputs(chatgpt) == {"c1": "a", "c2": "b"}


@pytest.mark.anyio
async def test_the_model_is_told_what_went_wrong_with_a_call(opened: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    def fail() -> None:
        raise ValueError("no such file")

    async def sleep() -> None:
        await anyio.sleep_forever()

    def twice(arguments: dict[str, int]) -> int:
        return arguments["n"] * 2

    described: dict[str, Any] = {
        "name": "described",
        "description": "By a schema.",
        "parameters": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]},
        "handler": twice,
    }
    calls = [
        function_call("add", {"a": 1, "b": "two", "c": 3}, "wrong"),
        function_call("add", {"a": 1, "b": 2}, "right"),
        function_call("add", "[1, 2]", "list"),
        function_call("fail", {}, "fails"),
        function_call("sleep", {}, "slow"),
        function_call("nothing", {}, "unknown"),
        function_call("described", {"n": 0}, "schema"),
        function_call("described", {"n": 4}, "described"),
    ]
    chatgpt.script(Items(calls), Text("I see."))
    async with opened.conversation(tools=[add, fail, sleep, described], tool_timeout=0.2) as chat:
        await chat.send("Try.")
    told = outputs(chatgpt)
    assert told.pop("wrong").startswith("the arguments do not fit: /b: Input should be a valid integer")
    assert told == {
        "right": "3",
        "list": "the arguments do not fit: the arguments are not a JSON object",
        "fails": "the tool failed: ValueError: no such file",
        "slow": "the tool did not answer within 0.2 s",
        "unknown": "unsupported call: nothing",
        "schema": "the arguments do not fit: /n: breaks 'minimum'",
        "described": "8",
    }


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["cancelled", "left", "late"])
async def test_no_tool_goes_on_or_begins_once_a_turn_is_over(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, how: str
) -> None:
    began, ended = [0], [0]
    inside = anyio.Event()

    async def work() -> str:
        began[0] += 1
        inside.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended[0] += 1
        return "never"

    calls = [function_call("work", {}, f"c{number}") for number in range(2)]
    chatgpt.script(Items(calls), Text("Well?"))
    async with opened.conversation(tools=[work]) as chat:
        if how == "left":
            async with chat.stream("Work.") as stream:
                async for event in stream:
                    if isinstance(event, ToolStarted):
                        await inside.wait()
                        break
        elif how == "late":
            with pytest.raises(DeadlineExceededError):
                await chat.send("Work.", timeout=1.0)
        else:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chat.send, "Work.")
                await inside.wait()
                tasks.cancel_scope.cancel()
        assert (began[0], ended[0], chat.history) == (2, 2, ())
        assert (await chat.send("Again.")).text == "Well?"
    assert words(chatgpt) == [("user", "Again.")]
    assert (began[0], ended[0]) == (2, 2)


@pytest.mark.anyio
async def test_a_model_that_calls_for_ever_is_stopped(opened: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    ran = 0

    async def again() -> None:
        nonlocal ran
        ran += 1

    chatgpt.default = lambda request: Items([function_call("again", {}, f"c{len(request.context)}")])
    async with opened.conversation(tools=[again], max_steps=3) as chat:
        with pytest.raises(StepLimitError) as caught:
            await chat.send("Go.")
        assert (caught.value.steps, caught.value.code, ran) == (3, "step_limit", 3)
        chatgpt.default = Text("Done.")
        assert (await chat.send("Enough?")).text == "Done."
    assert words(chatgpt) == [("user", "Enough?")]


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [overloaded(), Hang("some")], ids=["refused", "late"])
async def test_a_turn_that_fails_leaves_the_conversation_where_it_was(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, answer: Answer
) -> None:
    chatgpt.script(Text("Hello."), answer, Text("Still here."))
    async with opened.conversation() as chat:
        await chat.send("Hi.")
        before = chat.history
        with pytest.raises((OverloadedError, DeadlineExceededError)):
            await chat.send("Fail.", timeout=2.0)
        assert chat.history == before
        assert (await chat.send("And?")).text == "Still here."
    assert words(chatgpt) == [("user", "Hi."), ("assistant", "Hello."), ("user", "And?")]


@pytest.mark.anyio
async def test_a_conversation_outlives_its_app_server(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    def ask() -> str:
        return "the output"

    chatgpt.script(Items([reasoning("hm", "sealed"), function_call("ask", {}, "c1")]), Text("Asked."), Text("Here."))
    async with opened.conversation(tools=[ask]) as chat:
        await chat.send("Ask.")
        for pid in app_servers(processes_of()):
            os.kill(pid, signal.SIGKILL)
        session = chat._kept.session  # pyright: ignore[reportPrivateUsage]
        assert session is not None
        with anyio.fail_after(10):
            await session.wait_ended()
        reply = await chat.send("Are you there?")
    assert reply.text == "Here."
    kinds = [item["type"] for item in chatgpt.model_requests[-1].context]
    assert kinds == [
        "additional_tools",
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "message",
        "message",
    ]
    assert outputs(chatgpt) == {"c1": "the output"}


@pytest.mark.anyio
async def test_forks_and_given_histories_go_on_without_each_other(opened: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("Hello."), Text("Left."), Text("Right."), Text("Given."))
    async with opened.conversation(instructions="Be brief.") as chat:
        await chat.send("Hi.")
        async with chat.fork() as fork:
            await fork.send("Go left.")
        assert words(chatgpt)[1:] == [("user", "Hi."), ("assistant", "Hello."), ("user", "Go left.")]
        await chat.send("Go right.")
        assert words(chatgpt)[1:] == [("user", "Hi."), ("assistant", "Hello."), ("user", "Go right.")]
        history = chat.history
    async with opened.conversation(history=history) as given:
        await given.send("And then?")
    assert [text for _, text in words(chatgpt)] == ["Hi.", "Hello.", "Go right.", "Right.", "And then?"]


@pytest.mark.anyio
async def test_images_go_to_the_model_from_the_caller_and_from_a_tool(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    def look() -> ToolOutput:
        return ToolOutput("a picture", images=[PNG])

    chatgpt.script(Items([function_call("look", {}, "c1")]), Text("White."))
    async with opened.conversation(tools=[look]) as chat:
        await chat.send("Look.", images=[PNG])
    context = chatgpt.model_requests[-1].context
    (user,) = [item for item in context if item.get("role") == "user"]
    assert [part["type"] for part in user["content"]][-1] == "input_image"
    assert [part["type"] for part in outputs(chatgpt)["c1"]] == ["input_text", "input_image"]


@pytest.mark.anyio
async def test_an_answer_of_a_conversation_fits_its_schema_or_is_mended(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Json({"primes": "none"}), Json({"prime": False}), Text("Yes."))
    schema = {"type": "object", "properties": {"prime": {"type": "boolean"}}, "required": ["prime"]}
    async with opened.conversation() as chat:
        reply = await chat.send("Is 91 prime?", output=schema)
        assert (reply.output, reply.repaired) == ({"prime": False}, True)
        await chat.send("Sure?")
    assert len(words(chatgpt)) == 5


@pytest.mark.anyio
async def test_a_response_that_does_not_end_the_turn_is_gone_on_from(
    opened: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Items([message("First.")], end_turn=False), Text("Second.", Usage(7, 0, 3, 0)))
    async with opened.conversation() as chat:
        reply = await chat.send("Go.")
    assert reply.text == "Second."
    assert reply.usage.input == 107


@pytest.mark.anyio
async def test_a_conversation_is_opened_once_and_has_one_turn_at_a_time(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    chat = codex.conversation()
    with pytest.raises(RuntimeError, match="within `async with`"):
        await chat.send("Hi.")
    chatgpt.script(Hang(), Text("Never."))
    async with chat, anyio.create_task_group() as tasks:
        tasks.start_soon(chat.send, "Hi.")
        await anyio.to_thread.run_sync(lambda: chatgpt.wait_until(lambda: chatgpt.answering == 1))
        with pytest.raises(RuntimeError, match="one turn at a time"):
            await chat.send("And?")
        with pytest.raises(RuntimeError, match="already been entered"):
            await chat.__aenter__()
        tasks.cancel_scope.cancel()
    assert app_servers(processes_of()) == []


REFUSED: Final[list[tuple[dict[str, Any], str]]] = [
    ({"tools": [print]}, "parameters of print|needs a name of its own|needs a type"),
    ({"tools": [lambda: None]}, "name must be|needs a type"),
    ({"tools": print}, "takes a list"),
    ({"tools": [{"name": "x"}]}, "handler must be a function"),
    ({"tools": [{"name": "x y", "handler": print}]}, "name must be of letters"),
    ({"tools": [{"name": "x", "handler": print, "parameters": {"type": 3}}]}, "parameters: "),
    ({"tools": [{"name": "x", "handler": print}] * 2}, "another tool"),
    ({"max_steps": 0}, "max_steps"),
    ({"tool_timeout": 0}, "tool_timeout"),
    ({"history": [{"type": "message", "role": "system", "content": []}]}, "role must be"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_cannot_be_a_conversation_is_refused_before_anything_starts(
    codex: AsyncCodex, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        codex.conversation(**arguments)


def test_a_conversation_without_await(chatgpt: LoopbackChatGPT, settings: Settings) -> None:
    def double(number: int) -> int:
        return number * 2

    chatgpt.script(Items([function_call("double", {"number": 21}, "c1")]), Text("42."), Text("Yes."), Text("Fork."))
    with Codex(settings=settings) as codex, codex.conversation(tools=[double]) as chat:
        assert chat.send("Double 21.").text == "42."
        with chat.stream("Sure?") as stream:
            assert any(isinstance(event, TextDelta) for event in stream)
            assert stream.reply().text == "Yes."
        with chat.fork() as fork:
            assert fork.send("And?").text == "Fork."
        assert len(chat.history) == 6


def test_a_conversation_of_a_client_that_is_not_open_has_an_app_server_of_its_own(
    chatgpt: LoopbackChatGPT, settings: Settings, processes_of: Callable[[], list[int]]
) -> None:
    chatgpt.script(Text("Hello."), Text("Again."))
    with Codex(settings=settings).conversation() as chat:
        chat.send("Hi.")
        assert chat.send("Hi.").warm
    assert app_servers(processes_of()) == []
