"""A chat completion as it comes: chunks as server-sent events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from codex_oauth import events
from codex_oauth.endpoint.api import About, Write
from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.chat import usage_entry
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.events import Event

if TYPE_CHECKING:
    from codex_oauth.types import Reply

__all__ = ("ChatStream",)

_COMMENTARY = "commentary"


class ChatStream:
    """Writes one chat completion as chunks.

    Commentary is left out, as it is from a whole completion: the API has no place for what a model says on the way to
    its answer.

    Args:
        asked: The request; its `model` is the one that runs.
        about: What the chunks say about themselves.
        write: Sends a piece.
    """

    def __init__(self, asked: Asked, about: About, write: Write) -> None:
        self._write = write
        self._usage = asked.include_usage
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{about.id}",
            "object": "chat.completion.chunk",
            "created": about.created,
            "model": asked.model,
            "service_tier": "default",
            "system_fingerprint": None,
        }
        self._begun = False
        self._calls = 0
        self._commentary: set[str] = set()

    async def tell(self, event: Event) -> None:
        """Write what the event brings to a chat."""
        match event:
            case events.TextDelta():
                if event.item_id not in self._commentary:
                    await self._begin()
                    await self._delta({"content": event.text})
            case events.ItemStarted():
                # The service has begun to answer: whatever goes wrong now, it was not the request.
                await self._begin()
                if event.phase == _COMMENTARY:
                    self._commentary.add(event.item_id)
            case events.ToolCallReceived():
                await self._begin()
                await self._call(event)
            case events.ModelRerouted():
                self._head["model"] = event.to_model
            case _:
                pass

    async def end(self, reply: Reply[Any]) -> None:
        """Write why it ended, the tokens where they are wanted, and the end."""
        await self._begin()
        self._head["model"] = reply.model
        pieces = [self._chunk({}, finish=reply.finish)]
        if self._usage:
            pieces.append(_event({**self._head, "choices": [], "usage": usage_entry(reply.usage)}))
        pieces.append(b"data: [DONE]\n\n")
        await self._write(b"".join(pieces))

    async def fail(self, error: ApiError) -> None:
        """Write what went wrong. Clients take a stream with an error for failed, and so it has no other end."""
        await self._write(_event(error.body()))

    async def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            await self._delta({"role": "assistant", "content": "", "refusal": None})

    async def _call(self, event: events.ToolCallReceived) -> None:
        call, index = event.call, self._calls
        self._calls += 1
        function = {"name": call.name, "arguments": ""}
        await self._delta(
            {"tool_calls": [{"index": index, "id": call.call_id, "type": "function", "function": function}]}
        )
        if call.arguments:
            await self._delta({"tool_calls": [{"index": index, "function": {"arguments": call.arguments}}]})

    async def _delta(self, delta: dict[str, Any]) -> None:
        await self._write(self._chunk(delta, finish=None))

    def _chunk(self, delta: dict[str, Any], *, finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._usage else {}
        return _event({**self._head, "choices": [choice], **usage})


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
