"""Renders a reply to the steps of a response: the events both transports share, and what happens between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .replies import Cut, Empty, Failed, Hang, HttpError, Incomplete, Items, Json, Reply, Slow, Text, Usage, message

__all__ = ["Drop", "Event", "Pause", "Refuse", "Stall", "Step", "render"]


@dataclass(frozen=True, slots=True)
class Event:
    """Send one event of the Responses stream."""

    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error instead of a stream; the only step of its response, pauses aside."""

    error: HttpError


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds, or until the peer goes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more until the peer goes or asks for something else."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without a word."""


Step: TypeAlias = Event | Refuse | Pause | Stall | Drop


def render(reply: Reply, response_id: str) -> Iterator[Step]:
    """The steps that make up `reply`, for a response of this id."""
    match reply:
        case Slow(inner, delay):
            for step in render(inner, response_id):
                yield Pause(delay)
                yield step
        case HttpError():
            yield Refuse(reply)
        case Text(text, usage, chunks):
            yield _created(response_id)
            yield from _item(0, {**message(text), "id": f"{response_id}_0"}, chunks or 1)
            yield _completed(response_id, usage)
        case Json(value, usage):
            yield from render(Text(json.dumps(value, ensure_ascii=False), usage), response_id)
        case Items(items, usage, end_turn):
            yield _created(response_id)
            for index, item in enumerate(items):
                yield from _item(index, {"id": f"{response_id}_{index}", **item}, 1)
            yield _completed(response_id, usage, end_turn)
        case Empty(usage):
            yield _created(response_id)
            yield _completed(response_id, usage)
        case Failed(code, text):
            yield _created(response_id)
            error = {"code": code, "message": text}
            yield _event("response.failed", response={"id": response_id, "status": "failed", "error": error})
        case Incomplete(reason, text):
            yield from _beginning(response_id, text)
            details = {"reason": reason}
            response = {"id": response_id, "status": "incomplete", "incomplete_details": details}
            yield _event("response.incomplete", response=response)
        case Cut(text):
            yield from _beginning(response_id, text)
            yield Drop()
        case Hang(text):
            yield from _beginning(response_id, text)
            yield Stall()


def _event(kind: str, **fields: Any) -> Event:
    return Event({"type": kind, **fields})


def _created(response_id: str) -> Event:
    return _event("response.created", response={"id": response_id, "status": "in_progress", "output": []})


def _completed(response_id: str, usage: Usage, end_turn: bool | None = None) -> Event:
    # The service leaves `output` empty here: the items came one by one before.
    response: dict[str, Any] = {
        "id": response_id,
        "status": "completed",
        "output": [],
        "usage": {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
            "total_tokens": usage.input_tokens + usage.output_tokens,
        },
    }
    if end_turn is not None:
        response["end_turn"] = end_turn
    return _event("response.completed", response=response)


def _beginning(response_id: str, text: str) -> Iterator[Event]:
    """A response that has begun, and a message that never ends when there is a text."""
    yield _created(response_id)
    if text:
        *started, _done = _item(0, {**message(text), "id": f"{response_id}_0"}, 1)
        yield from started


def _item(index: int, item: Mapping[str, Any], chunks: int) -> Iterator[Event]:
    place = {"output_index": index, "item_id": item["id"]}
    match item.get("type"):
        case "message":
            yield _event("response.output_item.added", output_index=index, item={**item, "content": []})
            text = "".join(str(part.get("text", "")) for part in item["content"])
            for piece in _pieces(text, chunks):
                yield _event("response.output_text.delta", **place, content_index=0, delta=piece)
        case "reasoning":
            yield _event("response.output_item.added", output_index=index, item={**item, "summary": []})
            for part, summary in enumerate(item["summary"]):
                blank = {"type": "summary_text", "text": ""}
                yield _event("response.reasoning_summary_part.added", **place, summary_index=part, part=blank)
                delta = summary["text"]
                yield _event("response.reasoning_summary_text.delta", **place, summary_index=part, delta=delta)
        case _:
            yield _event("response.output_item.added", output_index=index, item=item)
    yield _event("response.output_item.done", output_index=index, item=dict(item))


def _pieces(text: str, count: int) -> Iterator[str]:
    """`text` in at most `count` pieces of nearly equal length, none of them empty."""
    size = max(1, -(-len(text) // max(1, count)))
    for start in range(0, len(text), size):
        yield text[start : start + size]
