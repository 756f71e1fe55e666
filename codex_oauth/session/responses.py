"""The model's responses of a turn, one by one: what each was sent, and what it answered with.

codex tells them in two ways. With `experimentalRawEvents` on `thread/start` come the service's own items
(`rawResponseItem/completed`) and, from 0.149 on, the end of each response with its usage (`rawResponse/completed`).
Without them, a response ends where `thread/tokenUsage/updated` says what it cost, and its items are put together from
codex's own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.types import Account, ModelResponse, ToolCall, Usage

if TYPE_CHECKING:
    from codex_oauth.session.request import Item, Thread, TurnRequest

__all__ = ("ResponseLog", "calls_of", "user_item")

_OF_CODEX: Final = ("internal_chat_message_metadata_passthrough",)
# What codex adds to an item for itself.

_CALLS: Final = ("function_call", "custom_tool_call")

_ROLES_OF_INPUT: Final = ("user", "developer", "system")


class ResponseLog:
    """Collects the responses of one turn, and what was said on its thread.

    Args:
        thread: The turn's thread; its `items` grow as the turn goes on.
        request: The turn.
        completed: Told of each response that is complete.

    Attributes:
        items: The output items of the turn so far. Where the caller answers the calls of a turn after it, without those
            that nobody can answer any more.
        response_id: The service's id of the last response that was told.
    """

    def __init__(self, thread: Thread, request: TurnRequest, completed: Callable[[ModelResponse], None]) -> None:
        self.items: list[Item] = []
        self.response_id: str | None = None
        self._thread = thread
        self._request = request
        self._completed = completed
        self._said: list[Item] = list(request.items) if thread.items is None else thread.items
        thread.items = self._said
        if request.text is not None:
            self._said.append(user_item(request.text, request.images))
        self._began_at = len(self._said)
        self._output: list[Item] = []
        self._raw = False
        self._number = 0
        self._began = time.time()

    def raw_item(self, item: Item) -> Item | None:
        """Take in an item of the service's; None for one that is known already, or is codex's own word."""
        if not self._raw:
            # codex tells its own form of an item first.
            self._raw = True
            self.items, self._output = [], []
            del self._said[self._began_at :]
        kind = item.get("type")
        if kind == "message" and item.get("role") in _ROLES_OF_INPUT:
            return None  # the caller's own, as it was sent; or what codex says of a turn that it has broken off
        item = {name: value for name, value in item.items() if name not in _OF_CODEX}
        self._take(item, output=kind not in ("function_call_output", "custom_tool_call_output"))
        return item

    def codex_item(self, item: Mapping[str, Any]) -> None:
        """Take in an item of codex's, for a binary that tells no other."""
        if self._raw:
            return
        match item["type"]:
            case "agentMessage":
                self._take(_message(item["text"], item.get("phase"), item["id"]), output=True)
            case "reasoning":
                summary = [{"type": "summary_text", "text": text} for text in item.get("summary") or ()]
                self._take({"type": "reasoning", "id": item["id"], "summary": summary}, output=True)
            case "dynamicToolCall":
                call = {"type": "function_call", "call_id": item["id"], "name": item["tool"]}
                self._take({**call, "arguments": json.dumps(item["arguments"])}, output=True)
                text = "".join(part.get("text", "") for part in item.get("contentItems") or ())
                self._said.append({"type": "function_call_output", "call_id": item["id"], "output": text})
            case _:
                pass

    def end(self, usage: Usage, *, model: str, turn_id: str, account: Account, response_id: str | None) -> None:
        """A response is complete."""
        self._number += 1
        self.response_id = response_id
        request, output = self._request, tuple(self._output)
        self._output = []
        before = self._before(output)
        ended = time.time()
        self._completed(
            ModelResponse(
                response_id=response_id,
                thread_id=self._thread.id,
                turn_id=turn_id,
                number=self._number,
                model=model,
                effort=request.effort,
                instructions=request.instructions,
                tools=request.tools,
                schema=request.schema,
                input=before,
                output=output,
                usage=usage,
                account=account,
                began=self._began,
                ended=ended,
                exact=self._raw,
            )
        )
        self._began = ended

    @property
    def unfinished(self) -> bool:
        """Whether there are items of a response whose end was not told."""
        return bool(self._output)

    def _take(self, item: Item, *, output: bool) -> None:
        self._said.append(item)
        if output:
            self._output.append(item)
            if self._is_for_the_caller(item):
                self.items.append(item)
            return
        self._began = time.time()  # the next response waits for this
        if self._raw and self._output:
            # Outputs come after the response that holds their calls. This one has no end: the connection was lost, and
            # what had come of it is a part of the next request.
            if self._request.on_call is None:
                broken = {id(one) for one in self._output}
                self.items = [one for one in self.items if id(one) not in broken]
            self._output = []

    def _is_for_the_caller(self, item: Item) -> bool:
        if self._request.on_call is not None or item.get("type") not in _CALLS:
            return True
        return item["type"] == "function_call" and any(item["name"] == tool["name"] for tool in self._request.tools)

    def _before(self, output: Sequence[Item]) -> tuple[Item, ...]:
        """What was said before this response. The outputs of its calls may have come before its end was told."""
        first = next((at for at, item in enumerate(self._said) if output and item is output[0]), len(self._said))
        return tuple(self._said[:first])


def user_item(text: str, images: Sequence[str] = ()) -> Item:
    """A user's message as the service gets it."""
    shown = [{"type": "input_image", "image_url": url} for url in images]
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}, *shown]}


def calls_of(items: Sequence[Item]) -> tuple[ToolCall, ...]:
    """The function calls among output items, in their order."""
    return tuple(
        ToolCall(call_id=str(item["call_id"]), name=str(item["name"]), arguments=str(item.get("arguments") or ""))
        for item in items
        if item.get("type") == "function_call"
    )


def _message(text: str, phase: str | None, item_id: str) -> Item:
    content: list[dict[str, Any]] = [{"type": "output_text", "text": text, "annotations": []}]
    item: dict[str, Any] = {"type": "message", "id": item_id, "role": "assistant", "content": content}
    return item if phase is None else {**item, "phase": phase}
