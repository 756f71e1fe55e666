"""`respond` on the real binary: one response of the model at a time, to a conversation that the caller keeps."""

from __future__ import annotations

import base64
from typing import Any, Final

import anyio
import pytest

from codex_oauth import AsyncCodex, Codex, ConfigurationError, IncompleteReplyError, TextDelta, ToolCallReceived
from codex_oauth.config import Settings
from codex_oauth.testing import Hang, Items, Json, LoopbackChatGPT, Text, Usage, function_call, message, reasoning
from codex_oauth.types import ToolCall
from tests.real.samples import PNG

WEATHER: Final[dict[str, Any]] = {
    "name": "get_weather",
    "description": "The weather.",
    "inputSchema": {"type": "object", "properties": {}},
}
IMAGE = "data:image/png;base64," + base64.b64encode(PNG).decode()


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def output(call_id: str, text: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


@pytest.mark.anyio
async def test_calls_come_back_and_their_outputs_go_in_with_what_was_said(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    calls = [function_call("get_weather", {"city": "Paris"}, "c1"), function_call("get_weather", {}, "c2")]
    chatgpt.script(
        Items([reasoning("hm", "sealed"), message("Let me look.", "commentary"), *calls], Usage(50, 5, 7, 2)),
        Text("18 and 20."),
    )
    items = [user("Weather?")]
    async with codex:
        first = await codex.respond(items, instructions="Be brief.", tools=[WEATHER])
        assert (first.finish, first.text, first.output) == ("tool_calls", "", None)
        assert first.calls == (
            ToolCall(call_id="c1", name="get_weather", arguments='{"city": "Paris"}'),
            ToolCall(call_id="c2", name="get_weather", arguments="{}"),
        )
        assert (first.usage.input, first.usage.cached, first.usage.output, first.usage.reasoning) == (50, 5, 7, 2)
        assert [item["type"] for item in first.items] == ["reasoning", "message", "function_call", "function_call"]
        items += [*first.items, output("c2", "20"), output("c1", "18")]
        second = await codex.respond(items, instructions="Be brief.", tools=[WEATHER])
    assert (second.finish, second.text, second.calls) == ("stop", "18 and 20.", ())
    assert [item["type"] for item in second.items] == ["message"]
    kinds = [(item["type"], item.get("call_id")) for item in chatgpt.model_requests[-1].context]
    assert kinds == [
        ("additional_tools", None),
        ("message", None),
        ("message", None),
        ("reasoning", None),
        ("message", None),
        ("function_call", "c1"),
        ("function_call", "c2"),
        ("function_call_output", "c2"),
        ("function_call_output", "c1"),
    ]
    posts = [request for request in chatgpt.model_requests if not request.prewarm]
    assert len(posts) == 2


@pytest.mark.anyio
async def test_calls_that_are_made_one_after_the_other_share_nothing(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Text("One."), Text("Two."))
    async with codex:
        await codex.respond([user("first")], instructions="Be brief.")
        await codex.respond([user("second")], instructions="Be brief.")
    texts = [item["content"][0]["text"] for item in chatgpt.model_requests[-1].context]
    assert texts == ["Be brief.", "second"]


@pytest.mark.anyio
async def test_a_stream_tells_the_text_and_the_calls(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([message("I look."), function_call("get_weather", {}, "c1")]))
    async with codex.stream_response([user("Weather?")], tools=[WEATHER]) as stream:
        events = [event async for event in stream]
        reply = await stream.reply()
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["I look."]
    assert [event.call.call_id for event in events if isinstance(event, ToolCallReceived)] == ["c1"]
    assert (reply.finish, reply.text) == ("tool_calls", "I look.")


@pytest.mark.anyio
async def test_a_call_of_a_tool_that_nobody_gave_is_refused_and_the_model_goes_on(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Items([function_call("shell", {"command": "ls"}, "c1")]), Text("Without it."))
    reply = await codex.respond([user("Look.")], tools=[WEATHER])
    assert (reply.finish, reply.text) == ("stop", "Without it.")
    assert chatgpt.model_requests[-1].context[-1]["output"] == "unsupported call: shell"


@pytest.mark.anyio
async def test_a_schema_is_asked_of_the_answer_and_not_of_calls(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([function_call("get_weather", {}, "c1")]), Json({"wrong": 1}), Json({"degrees": 18}))
    schema = {"type": "object", "properties": {"degrees": {"type": "integer"}}, "required": ["degrees"]}
    items = [user("Weather?")]
    async with codex:
        first = await codex.respond(items, tools=[WEATHER], output=schema)
        assert first.finish == "tool_calls"
        items += [*first.items, output("c1", "18")]
        second = await codex.respond(items, tools=[WEATHER], output=schema)
    assert (second.output, second.repaired) == ({"degrees": 18}, True)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "chunks", "most", "given"),
    [("one two three four", 4, 2, "one two "), ("a" * 100, 1, 5, "a" * 20), ("short", 1, 5, None)],
)
async def test_text_beyond_the_limit_is_broken_off(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, text: str, chunks: int, most: int, given: str | None
) -> None:
    chatgpt.default = Text(text, chunks=chunks)
    async with codex:
        reply = await codex.respond([user("Count.")], max_output_tokens=most)
        if given is None:
            assert (reply.finish, reply.text) == ("stop", text)
            assert (await codex.complete("Count.", max_output_tokens=most)).text == text
            return
        assert reply.finish == "length"
        assert given.startswith(reply.text)
        assert reply.text
        with pytest.raises(IncompleteReplyError) as caught:
            await codex.complete("Count.", max_output_tokens=most)
    assert caught.value.reason == "max_output_tokens"


@pytest.mark.anyio
async def test_leaving_a_response_ends_it_at_the_service(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Hang("some"))
    async with codex:
        async with codex.stream_response([user("Go.")]) as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        await anyio.to_thread.run_sync(lambda: chatgpt.wait_until(lambda: not chatgpt.answering))


@pytest.mark.anyio
async def test_every_kind_of_item_reaches_the_model(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rule."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": IMAGE}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "sealed"},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [{"type": "input_text", "text": "seen"}, {"type": "input_image", "image_url": IMAGE}],
        },
        {
            "type": "message",
            "role": "assistant",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "Hm."}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "One."}, {"type": "input_text", "text": "Two."}],
        },
    ]
    await codex.respond(items)
    context = chatgpt.model_requests[-1].context
    assert [item["type"] for item in context] == [item["type"] for item in items]
    assert [item.get("role") for item in context] == [item.get("role") for item in items]
    assert context[1]["content"][0]["image_url"] == IMAGE
    assert [part["text"] for part in context[-1]["content"]] == ["One.", "Two."]


REFUSED_ITEMS: Final[list[tuple[Any, str]]] = [
    ([], "not empty"),
    ("hello", "a list of items, and not empty; such as"),
    ([{"role": "user", "content": "hi"}], r"items\[0\]: type must be"),
    ([user("a"), {"type": "item_reference", "id": "x"}], r"items\[1\]: type must be"),
    ([{"type": "message", "role": "system", "content": []}], "a system message is a developer one"),
    ([{"type": "message", "role": "user", "content": "hi"}], "content must be a list of parts"),
    ([{"type": "message", "role": "user", "content": []}], "the message is empty"),
    ([{"type": "message", "role": "user", "content": [{"type": "input_file"}]}], "part 0 must be of type"),
    ([{"type": "message", "role": "user", "content": [{"type": "input_text"}]}], "part 0: text must be text"),
    (
        [{"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "http://x/y.png"}]}],
        "data URL",
    ),
    ([{"type": "function_call", "call_id": "c1", "name": "x", "arguments": "{}"}], "'c1' needs one call and one"),
    ([user("a"), output("c9", "x")], "'c9' needs one call and one output"),
    ([{"type": "reasoning", "summary": None}], "summary must be a list"),
    ([user("\ud800")], "half a surrogate pair"),
]


@pytest.mark.parametrize(("items", "words"), REFUSED_ITEMS)
def test_items_that_codex_would_drop_or_refuse_are_named(codex: AsyncCodex, items: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        codex.stream_response(items)


REFUSED_TOOLS: Final[list[tuple[Any, str]]] = [
    ([{"name": "get weather"}], "letters, digits"),
    ([{"name": "a"}, {"name": "a"}], "another tool"),
    ([{"name": "a", "description": 1}], "description must be text"),
    ([{"name": "a", "inputSchema": []}], "parameters must be a JSON Schema"),
]


@pytest.mark.parametrize(("tools", "words"), REFUSED_TOOLS)
def test_tools_that_codex_would_refuse_are_named(codex: AsyncCodex, tools: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        codex.stream_response([user("a")], tools=tools)


@pytest.mark.parametrize("most", [0, -1, 1.5, True])
def test_a_limit_is_a_whole_number(codex: AsyncCodex, most: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_output_tokens"):
        codex.stream_response([user("a")], max_output_tokens=most)


def test_respond_without_await(chatgpt: LoopbackChatGPT, settings: Settings) -> None:
    chatgpt.script(Text("One."), Text("Two."))
    with Codex(settings=settings) as codex:
        assert codex.respond([user("a")]).text == "One."
        with codex.stream_response([user("b")]) as stream:
            assert [event.text for event in stream if isinstance(event, TextDelta)] == ["Two."]
