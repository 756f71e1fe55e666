"""A reply as it comes: nothing is told twice, and nothing that could not be taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from codex_oauth.endpoint.live import Live, own_text
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.endpoint.responses_events import ResponseEvents
from codex_oauth.events import (
    Event,
    ItemStarted,
    MessageCompleted,
    ReasoningDelta,
    RepairStarted,
    TextDelta,
    ToolCallReceived,
)
from codex_oauth.types import Account, Reply, Timing, ToolCall, Usage

CALL = ToolCall(call_id="c1", name="f", arguments="{}")


def reply(text: str, *, output: Any = None, finish: Any = "stop", calls: tuple[ToolCall, ...] = ()) -> Reply[Any]:
    """A reply with one message."""
    content: list[dict[str, Any]] = [{"type": "output_text", "text": text, "annotations": []}]
    return Reply(
        output=output,
        text=text,
        usage=Usage(),
        model="m",
        effort=None,
        account=Account(kind="chatgpt"),
        timing=Timing(),
        repaired=False,
        warm=True,
        turn_id="t",
        finish=finish,
        calls=calls,
        items=({"type": "message", "id": "m1", "role": "assistant", "content": content},) if text else (),
    )


def told(*seen: Event, end: Reply[Any], held: bool = False) -> list[Event]:
    """What a client is told of events, and of the reply at the end."""
    found: list[Event] = []

    async def tell(event: Event) -> None:
        found.append(event)

    async def run(tell: Callable[[Event], Awaitable[None]]) -> None:
        live = Live(tell, held=held)
        for event in seen:
            await live.see(event)
        await live.finish(end)

    anyio.run(run, tell)
    return found


def message(item_id: str, *pieces: str, phase: str | None = None, whole: bool = True) -> list[Event]:
    """The events of a message."""
    deltas = [TextDelta(item_id, piece) for piece in pieces]
    end = [MessageCompleted(item_id, phase, "".join(pieces))] if whole else []
    return [ItemStarted(item_id, "agentMessage", phase), *deltas, *end]


def test_a_reply_is_told_as_it_comes() -> None:
    seen = [ItemStarted("r1", "reasoning"), ReasoningDelta("r1", "hm"), *message("m1", "a", "b")]
    assert told(*seen, end=reply("ab")) == seen


@pytest.mark.parametrize("again", ["m1", "m2"])
def test_a_message_that_the_service_begins_again_is_not_repeated(again: str) -> None:
    seen = [*message("m1", "one ", "two", whole=False), *message(again, "one", " two thr", "ee")]
    assert told(*seen, end=reply("one two three")) == [
        ItemStarted("m1", "agentMessage", None),
        TextDelta("m1", "one "),
        TextDelta("m1", "two"),
        TextDelta("m1", " thr"),
        TextDelta("m1", "ee"),
        MessageCompleted("m1", None, "one two three"),
    ]


@pytest.mark.parametrize("second", [("two",), ("one three",), ("o",)])
def test_another_message_than_was_begun_ends_the_stream(second: tuple[str, ...]) -> None:
    with pytest.raises(ApiError) as caught:
        told(*message("m1", "one two", whole=False), *message("m2", *second), end=reply("x"))
    assert (caught.value.status, caught.value.code) == (502, "stream_disconnected")


def test_two_messages_are_two() -> None:
    seen = [*message("m1", "a", phase="commentary"), *message("m2", "b", phase="final_answer")]
    assert told(*seen, end=reply("b")) == seen


def test_a_message_that_was_cut_off_is_ended_with_what_there_was() -> None:
    found = told(*message("m1", "a", "b", whole=False), end=reply("ab", finish="length"))
    assert found[-1] == MessageCompleted("m1", None, "ab")


def test_calls_come_at_the_end_and_once() -> None:
    end = reply("", finish="tool_calls", calls=(CALL,))
    assert told(ToolCallReceived(CALL), ToolCallReceived(CALL), end=end) == [ToolCallReceived(CALL)]


def test_what_may_be_refused_is_told_once_it_is_not() -> None:
    seen = [*message("m0", "wrong"), RepairStarted(("/: no",)), *message("m1", "right")]
    assert told(*seen, end=reply("right"), held=True) == [RepairStarted(("/: no",)), *message("m1", "right")]


def test_a_repair_of_what_was_told_ends_the_stream() -> None:
    with pytest.raises(ApiError) as caught:
        told(*message("m0", "wrong"), RepairStarted(("/: no",)), end=reply("x"))
    assert (caught.value.code, caught.value.headers) == ("output_validation", {"x-should-retry": "false"})


def test_the_text_is_in_the_callers_shape() -> None:
    schema = {"type": "object"}
    same = reply('{ "a": 1 }', output={"a": 1})
    assert own_text(same, schema) is same
    assert own_text(same, None) is same
    mapped = own_text(reply('{"a": 1, "b": null}', output={"a": 1}), schema)
    assert mapped.text == '{"a":1}'
    assert mapped.items[0]["content"][0]["text"] == '{"a":1}'
    cut = reply('{"a": 1, "b"', finish="length")
    assert own_text(cut, schema) is cut


def test_a_long_message_costs_no_more_for_each_piece_than_a_short_one() -> None:
    # 100,000 pieces take a quarter of a second. Putting the text together with each would take a minute.
    pieces = ["word " * 10] * 100_000
    found = told(
        ItemStarted("m1", "agentMessage"),
        *(TextDelta("m1", piece) for piece in pieces),
        MessageCompleted("m1", None, "".join(pieces)),
        end=reply("".join(pieces)),
    )
    assert len(found) == len(pieces) + 2
    events = ResponseEvents({})
    item = events.add_message("m1", None)
    for piece in pieces:
        events.text(item, piece)
        events.take()
    events.end_message(item, "completed")
    assert "".join(pieces).encode() in events.take()
