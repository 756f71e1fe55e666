"""The events of a streamed response, in the order in which clients put them together.

    response.created, response.in_progress
    for each output item: output_item.added, what it is made of in pieces, the end of each piece, output_item.done
    response.completed, or response.incomplete, or response.failed and error

Each event has the next `sequence_number`; each item keeps the `output_index` that it was added under.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.endpoint.responses_object import message, output_text

__all__ = ("Item", "ResponseEvents")

_CODES: Final = {400: "invalid_prompt", 429: "rate_limit_exceeded"}
# The codes of a failed response that fit a status; for everything else, `server_error`.


@dataclass(slots=True)
class Item:
    """An output item that was added.

    Attributes:
        kind: `message`, `reasoning` or `function_call`.
        id: Its id.
        index: Its `output_index`.
        phase: A message's.
        texts: The pieces of the text of a message, or the parts of the summary of reasoning.
        closed: How many of them have ended.
        done: Whether the whole item has.
    """

    kind: str
    id: str
    index: int
    phase: str | None = None
    texts: list[str] = field(default_factory=list[str])
    closed: int = 0
    done: bool = False


class ResponseEvents:
    """Makes the events of one response.

    Args:
        framed: The response in progress.

    Attributes:
        response: The response in progress; its `model` may change.
        items: What was added, in that order.
    """

    def __init__(self, framed: dict[str, Any]) -> None:
        self.response = framed
        self.items: list[Item] = []
        self._number = 0
        self._made: list[bytes] = []

    def take(self) -> bytes:
        """The events made since the last time, as server-sent events."""
        made, self._made = b"".join(self._made), []
        return made

    def begin(self) -> None:
        """The first events, unless they have been made."""
        if self._number == 0:
            self._event("response.created", response=self.response)
            self._event("response.in_progress", response=self.response)

    def add_message(self, item_id: str, phase: str | None, place: int | None = None) -> Item:
        """A message begins."""
        item = self._add("message", message(item_id, (), phase=phase, status="in_progress"), place)
        item.phase = phase
        self._piece("response.content_part.added", item, content_index=0, part=output_text(""))
        return item

    def text(self, item: Item, delta: str) -> None:
        """A message goes on."""
        item.texts.append(delta)
        self._piece("response.output_text.delta", item, content_index=0, delta=delta, logprobs=[])

    def end_message(self, item: Item, status: str) -> None:
        """A message ends."""
        text = "".join(item.texts)
        part = output_text(text)
        self._piece("response.output_text.done", item, content_index=0, text=text, logprobs=[])
        self._piece("response.content_part.done", item, content_index=0, part=part)
        self._done(item, message(item.id, [part], phase=item.phase, status=status))

    def add_reasoning(self, item_id: str, place: int | None = None) -> Item:
        """Reasoning begins."""
        return self._add("reasoning", {"id": item_id, "type": "reasoning", "summary": []}, place)

    def summary(self, item: Item, delta: str) -> None:
        """A summary of reasoning goes on, in a new part if the last one has ended."""
        if item.closed == len(item.texts):
            part = {"type": "summary_text", "text": ""}
            self._piece("response.reasoning_summary_part.added", item, summary_index=item.closed, part=part)
            item.texts.append("")
        item.texts[-1] += delta
        self._piece("response.reasoning_summary_text.delta", item, summary_index=item.closed, delta=delta)

    def end_summary_part(self, item: Item) -> None:
        """The part that is open ends, if one is."""
        if item.closed < len(item.texts):
            index, text = item.closed, item.texts[-1]
            part = {"type": "summary_text", "text": text}
            self._piece("response.reasoning_summary_text.done", item, summary_index=index, text=text)
            self._piece("response.reasoning_summary_part.done", item, summary_index=index, part=part)
            item.closed += 1

    def end_reasoning(self, item: Item, whole: Mapping[str, Any]) -> None:
        """Reasoning ends: what of its summary was not told yet, and the item."""
        self.end_summary_part(item)
        for part in whole["summary"][len(item.texts) :]:
            self.summary(item, part.get("text") or "")
            self.end_summary_part(item)
        self._done(item, whole)

    def call(self, whole: Mapping[str, Any], place: int | None = None) -> None:
        """A call of a function, from its beginning to its end."""
        item = self._add("function_call", {**whole, "arguments": "", "status": "in_progress"}, place)
        arguments = whole["arguments"]
        if arguments:
            self._piece("response.function_call_arguments.delta", item, delta=arguments)
        self._piece("response.function_call_arguments.done", item, name=whole["name"], arguments=arguments)
        self._done(item, whole)

    def message(self, whole: Mapping[str, Any], place: int | None = None) -> None:
        """A message, from its beginning to its end."""
        item = self.add_message(whole["id"], whole.get("phase"), place)
        text = "".join(part.get("text") or part.get("refusal") or "" for part in whole["content"])
        self.text(item, text)
        self.end_message(item, whole["status"])

    def end(self, ended: Mapping[str, Any]) -> None:
        """The response is whole, or was cut off: the last event."""
        self._event(f"response.{ended['status']}", response=ended)

    def fail(self, error: ApiError, output: Sequence[Mapping[str, Any]] = ()) -> None:
        """The response failed: the last events.

        Many clients take `response.failed` for an end like any other. An event with a member `error` has OpenAI's own
        clients raise.
        """
        told = {"code": _CODES.get(error.status, "server_error"), "message": error.message}
        self._event("response.failed", response={**self.response, "status": "failed", "error": told, "output": output})
        self._event("error", code=error.code, message=error.message, param=error.param, **error.body())

    def _add(self, kind: str, item: Mapping[str, Any], place: int | None) -> Item:
        self.begin()
        taken = {each.index for each in self.items}
        index = len(self.items) if place is None else place
        while index in taken:
            index += 1
        added = Item(kind, item["id"], index)
        self.items.append(added)
        self._event("response.output_item.added", output_index=index, item=item)
        return added

    def _done(self, item: Item, whole: Mapping[str, Any]) -> None:
        item.done = True
        self._event("response.output_item.done", output_index=item.index, item=whole)

    def _piece(self, kind: str, item: Item, **members: Any) -> None:
        self._event(kind, item_id=item.id, output_index=item.index, **members)

    def _event(self, kind: str, **members: Any) -> None:
        value = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self._made.append(f"event: {kind}\ndata: {text}\n\n".encode())
