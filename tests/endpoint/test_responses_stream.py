"""The events of a streamed response, put together by OpenAI's own client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, cast

import pytest
from openai._models import construct_type
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent

from codex_oauth import events
from codex_oauth.endpoint.api import About
from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.endpoint.responses import not_stored, response
from codex_oauth.endpoint.responses_stream import ResponseStream
from codex_oauth.events import Event
from codex_oauth.types import Reply
from tests.endpoint.replies import message_item, reply_of

pytestmark = pytest.mark.anyio

ABOUT: Final = About(id="0" * 32, created=1_800_000_000)
ASKED: Final = Asked(model="gpt-6-luna", effort="low", echo={"metadata": {"a": "b"}, "instructions": "Be kind"})
REASONING: Final = {
    "type": "reasoning",
    "id": "rs_a",
    "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
    "encrypted_content": "sealed",
}
CALL: Final = {
    "type": "function_call",
    "id": "fc_a",
    "call_id": "c1",
    "name": "weather",
    "arguments": '{"city":"Rome"}',
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def said(item_id: str, *pieces: str, phase: str | None = None) -> list[Event]:
    """A message, as it is told."""
    text = "".join(pieces)
    begun = events.ItemStarted(item_id, "agentMessage", phase)
    return [
        begun,
        *(events.TextDelta(item_id, piece) for piece in pieces),
        events.MessageCompleted(item_id, phase, text),
    ]


async def streamed(told: Sequence[Event], reply: Reply[Any] | ApiError, asked: Asked = ASKED) -> list[dict[str, Any]]:
    """The events that are written, each read from its bytes."""
    written = bytearray()

    async def write(piece: bytes) -> None:
        written.extend(piece)

    stream = ResponseStream(asked, ABOUT, write)
    for event in told:
        await stream.tell(event)
    if isinstance(reply, ApiError):
        await stream.fail(reply)
    else:
        await stream.end(reply)
    found: list[dict[str, Any]] = []
    for block in written.decode().split("\n\n")[:-1]:
        head, _, data = block.partition("\n")
        value = json.loads(data.removeprefix("data: "))
        assert head == f"event: {value['type']}"
        found.append(value)
    assert [value["sequence_number"] for value in found] == list(range(len(found)))
    return found


def put_together(found: Sequence[dict[str, Any]]) -> Any:
    """What OpenAI's client makes of the events; it raises where they come in another order than it wants."""
    state: ResponseStreamState[None] = ResponseStreamState(text_format=omit, input_tools=omit)
    for value in found:
        state.handle_event(cast("ResponseStreamEvent", construct_type(type_=ResponseStreamEvent, value=value)))
    return cast("Any", state)._completed_response


def kinds(found: Sequence[dict[str, Any]]) -> list[str]:
    return [value["type"].removeprefix("response.") for value in found]


async def test_a_text_comes_in_the_order_that_the_api_promises() -> None:
    reply = reply_of(message_item("Hello there"), text="Hello there")
    found = await streamed(said("msg_a", "Hello", " there"), reply)
    assert kinds(found) == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("output_item.done", "completed"),
    ]
    assert put_together(found).output_text == "Hello there"
    last = found[-1]["response"]
    assert last == {**response(ASKED, reply, ABOUT), "completed_at": last["completed_at"]}


async def test_every_event_and_the_response_are_what_the_client_declares() -> None:
    reply = reply_of(REASONING, message_item("Hm", phase="commentary"), CALL, text="", finish="tool_calls")
    told = [events.ItemStarted("rs_a", "reasoning"), *said("msg_a", "Hm", phase="commentary")]
    for value in await streamed(told, reply):
        event = construct_type(type_=ResponseStreamEvent, value=value)
        type(event).model_validate(value, strict=False)  # type: ignore[attr-defined]
    whole = Response.model_validate(response(ASKED, reply, ABOUT))
    assert whole.status == "completed"
    assert whole.usage is not None
    assert whole.usage.input_tokens_details.cached_tokens == 8
    assert whole.usage.output_tokens_details.reasoning_tokens == 2
    assert (whole.metadata, whole.instructions) == ({"a": "b"}, "Be kind")


async def test_calls_and_reasoning_are_whole_at_the_end_and_keep_their_order() -> None:
    reply = reply_of(REASONING, message_item("Hm", phase="commentary"), CALL, finish="tool_calls")
    told = [
        events.ItemStarted("rs_a", "reasoning"),
        events.ReasoningDelta("rs_a", "First."),
        events.UnknownEvent("item/reasoning/summaryPartAdded", {"itemId": "rs_a"}),
        events.ReasoningDelta("rs_a", "Then."),
        *said("msg_a", "Hm", phase="commentary"),
        events.ToolCallReceived(reply.calls[0]),
    ]
    found = await streamed(told, reply)
    done = {value["output_index"]: value["item"] for value in found if value["type"] == "response.output_item.done"}
    assert [done[index]["type"] for index in range(3)] == ["reasoning", "message", "function_call"]
    assert done[0] == REASONING
    assert (done[1]["phase"], done[1]["status"]) == ("commentary", "completed")
    assert {name: done[2][name] for name in CALL} == CALL
    texts = [value["text"] for value in found if value["type"] == "response.reasoning_summary_text.done"]
    assert texts == ["First.", "Then."]
    assert [item.type for item in put_together(found).output] == ["reasoning", "message", "function_call"]


async def test_what_was_not_told_before_the_end_is_told_then() -> None:
    reply = reply_of(REASONING, message_item("Hello"), CALL, text="Hello", finish="tool_calls")
    found = await streamed([], reply)
    assert put_together(found).output_text == "Hello"
    assert kinds(found).count("reasoning_summary_part.done") == 2
    arguments = [value["arguments"] for value in found if value["type"] == "response.function_call_arguments.done"]
    assert arguments == ['{"city":"Rome"}']


async def test_a_text_that_was_cut_off_is_incomplete_everywhere() -> None:
    reply = reply_of(text="One two", finish="length")
    found = await streamed(said("item-7", "One", " two"), reply)
    assert kinds(found)[-1] == "incomplete"
    last = found[-1]["response"]
    assert (last["status"], last["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    item = last["output"][0]
    assert (item["id"], item["status"], item["content"][0]["text"]) == ("item-7", "incomplete", "One two")
    done = next(value for value in found if value["type"] == "response.output_item.done")
    assert done["item"] == item
    assert response(ASKED, reply, ABOUT)["output"][0]["content"] == item["content"]


async def test_commentary_before_a_text_that_was_cut_off_is_complete() -> None:
    reply = reply_of(message_item("Hm", phase="commentary"), text="One", finish="length")
    found = await streamed([*said("msg_a", "Hm", phase="commentary"), *said("msg_b", "One")], reply)
    last = found[-1]["response"]["output"]
    assert [(item["content"][0]["text"], item["status"]) for item in last] == [
        ("Hm", "completed"),
        ("One", "incomplete"),
    ]
    # Held back, it is not told before the end.
    found = await streamed(said("msg_a", "Hm", phase="commentary"), reply)
    assert [item["status"] for item in found[-1]["response"]["output"]] == ["completed", "incomplete"]
    assert kinds(found).count("output_item.done") == 2


async def test_reasoning_towards_an_answer_that_did_not_fit_is_ended_and_not_given_back() -> None:
    reply = reply_of({**REASONING, "id": "rs_b"}, message_item("{}"), text="{}")
    told = [events.ItemStarted("rs_a", "reasoning"), events.ItemStarted("rs_b", "reasoning"), *said("msg_a", "{}")]
    found = await streamed(told, reply)
    assert kinds(found).count("output_item.added") == kinds(found).count("output_item.done") == 3
    assert [item.id for item in put_together(found).output] == ["rs_b", "msg_a"]


async def test_ids_of_the_end_are_those_of_the_stream_where_the_service_gives_none() -> None:
    nameless = {name: value for name, value in message_item("Hello").items() if name != "id"}
    found = await streamed(said("item-1", "Hello"), reply_of(nameless, text="Hello"))
    assert put_together(found).output[0].id == "item-1"
    assert response(ASKED, reply_of(nameless, text="Hello"), ABOUT)["output"][0]["id"].startswith("msg_")


async def test_a_failure_in_the_middle_is_told_twice_so_that_nobody_takes_it_for_an_end() -> None:
    error = ApiError(502, "the service broke off", type="server_error", code="stream_disconnected")
    found = await streamed([events.ItemStarted("msg_a", "agentMessage"), events.TextDelta("msg_a", "Hel")], error)
    failed, last = found[-2:]
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": "server_error", "message": "the service broke off"}
    assert (last["type"], last["code"], last["message"]) == ("error", "stream_disconnected", "the service broke off")
    # What has OpenAI's clients raise.
    assert last["error"]["message"] == "the service broke off"


async def test_the_model_of_a_response_is_the_one_that_ran() -> None:
    told = [events.ModelRerouted("gpt-6-luna", "gpt-6.1-sol"), *said("msg_a", "Hello")]
    found = await streamed(told, reply_of(message_item("Hello"), text="Hello"))
    assert found[0]["response"]["model"] == "gpt-6.1-sol"


def test_a_stored_response_is_said_not_to_be_there() -> None:
    error = not_stored("resp_1")
    assert (error.status, error.code) == (404, "response_not_stored")
    assert "`input`" in error.message
