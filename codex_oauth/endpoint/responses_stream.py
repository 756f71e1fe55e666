"""A response as it comes. Messages are written at once; calls, and what reasoning encrypts, are known at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from codex_oauth import events
from codex_oauth.endpoint.api import About, Write
from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.endpoint.responses_events import Item, ResponseEvents
from codex_oauth.endpoint.responses_object import COMMENTARY, frame, has_form, output_items, whole
from codex_oauth.events import Event

if TYPE_CHECKING:
    from codex_oauth.types import Reply

__all__ = ("ResponseStream",)

_NEXT_PART: Final = "item/reasoning/summaryPartAdded"


class ResponseStream:
    """Writes one response as server-sent events.

    Args:
        asked: The request; its `model` is the one that runs.
        about: What the response says about itself.
        write: Sends a piece.
    """

    def __init__(self, asked: Asked, about: About, write: Write) -> None:
        self._asked = asked
        self._about = about
        self._write = write
        self._events = ResponseEvents(frame(asked, about))
        # The message whose text has ended. Whether it was cut off shows in what comes next.
        self._ended: Item | None = None
        self._left_out: set[str] = set()

    async def tell(self, event: Event) -> None:
        """Write what the event brings to a response."""
        self._end_message("completed")
        made = self._events
        match event:
            case events.ItemStarted(item_id, "agentMessage", phase) if phase == COMMENTARY and has_form(self._asked):
                self._left_out.add(item_id)
            case events.TextDelta(item_id, _) | events.MessageCompleted(item_id, _, _) if item_id in self._left_out:
                pass
            case events.ItemStarted(item_id, "agentMessage", phase):
                made.add_message(item_id, phase)
            case events.TextDelta(item_id, text):
                made.text(self._message(item_id, None), text)
            case events.MessageCompleted(item_id, phase, _):
                self._ended = self._message(item_id, phase)
            case events.ItemStarted(item_id, "reasoning", _):
                made.add_reasoning(item_id)
            case events.ReasoningDelta(item_id, text):
                made.summary(self._begun("reasoning", item_id) or made.add_reasoning(item_id), text)
            case events.UnknownEvent(method, params) if method == _NEXT_PART:
                item = self._begun("reasoning", params.get("itemId"))
                if item is not None:
                    made.end_summary_part(item)
            case events.ModelRerouted():
                made.response["model"] = event.to_model
            case _:
                pass
        await self._flush()

    async def end(self, reply: Reply[Any]) -> None:
        """Write what was not known before, and the whole response."""
        made, output = self._events, output_items(self._asked, reply, self._about)
        made.begin()
        self._end_message("incomplete" if reply.finish == "length" else "completed")
        told = {kind: [item for item in made.items if item.kind == kind] for kind in ("message", "reasoning")}
        for place, item in enumerate(output):
            kind = item["type"]
            found = _match(told.get(kind, []), item)
            if found is not None:
                item["id"] = found.id
            if kind == "reasoning":
                made.end_reasoning(found or made.add_reasoning(item["id"], place), item)
            elif kind == "function_call":
                made.call(item, place)
            elif found is None:
                made.message(item, place)
        for left in told["reasoning"]:
            # It led to an answer that did not fit, and was given once more.
            made.end_reasoning(left, {"id": left.id, "type": "reasoning", "summary": _parts(left)})
        made.end(whole(made.response, reply, output, completed_at=int(time.time())))
        await self._flush()

    async def fail(self, error: ApiError) -> None:
        """Write what went wrong."""
        self._events.begin()
        self._events.fail(error)
        await self._flush()

    def _message(self, item_id: str, phase: str | None) -> Item:
        return self._begun("message", item_id) or self._events.add_message(item_id, phase)

    def _begun(self, kind: str, item_id: object) -> Item | None:
        begun = (item for item in self._events.items if item.kind == kind and item.id == item_id and not item.done)
        return next(begun, None)

    def _end_message(self, status: str) -> None:
        if self._ended is not None:
            self._events.end_message(self._ended, status)
            self._ended = None

    async def _flush(self) -> None:
        made = self._events.take()
        if made:
            await self._write(made)


def _match(told: list[Item], item: Mapping[str, Any]) -> Item | None:
    # What was told of an item: by its id, else the next of its kind. A message that was told is one of the reply.
    found = next((each for each in told if each.id == item["id"]), None)
    if found is None and told and (item["type"] == "message" or len(told) == 1):
        found = told[0]
    if found is not None:
        told.remove(found)
    return found


def _parts(item: Item) -> list[dict[str, Any]]:
    return [{"type": "summary_text", "text": text} for text in item.texts]
