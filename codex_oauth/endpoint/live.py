"""A reply as it comes, without what a client could not take back: text that is repeated, or refused in the end."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from codex_oauth import events
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.events import Event
from codex_oauth.records import replace
from codex_oauth.schema.decode import DecodeError, decode

if TYPE_CHECKING:
    from codex_oauth.types import Reply

__all__ = ("Live", "messages_of", "own_text")

_AGAIN: Final = (
    "the service broke off and then wrote another answer, after part of the first one was sent on; ask again, or "
    "without a stream"
)
_NOT_FITTING: Final = (
    "the answer does not fit its schema, and it was sent on while it was written; ask without a stream, where the "
    "model is told what is wrong and may mend it"
)


class Live:
    """Sends the events of a reply on.

    Messages come in order, each once: where the service lost the connection and begins a message again, what was sent
    on is not repeated. A tool's call is told at the end, for the same reason.

    Args:
        tell: Takes the events.
        held: Whether messages are told at the end, from the reply: it may be another one than was written first.
    """

    def __init__(self, tell: Callable[[Event], Awaitable[None]], *, held: bool) -> None:
        self._tell = tell
        self._held = held
        # The message that is being written: the id it was told under (None between messages), what was told, in pieces,
        # for a long one is not to be put together with each; and what has come since the service began it again, until
        # that is as much as was told.
        self._id: str | None = None
        self._told: list[str] = []
        self._again: str | None = None
        self._sent = False

    async def see(self, event: Event) -> None:
        """Take in the next event.

        Raises:
            ApiError: What was sent on is not what the reply will be.
        """
        match event:
            case events.ToolCallReceived() | events.ResponseCompleted():
                return
            case events.RepairStarted() if self._sent:
                raise _broken(_NOT_FITTING, "output_validation", again=False)
            case events.ItemStarted(_, "agentMessage", _) | events.TextDelta() | events.MessageCompleted():
                if not self._held:
                    await self._message(event)
            case _:
                await self._tell(event)

    async def finish(self, reply: Reply[Any]) -> None:
        """Tell what was held back, and the calls."""
        if self._held:
            for item_id, phase, text in messages_of(reply):
                await self._tell(events.ItemStarted(item_id, "agentMessage", phase))
                await self._tell(events.TextDelta(item_id, text))
                await self._tell(events.MessageCompleted(item_id, phase, text))
        elif self._id is not None:
            # It was cut off, and nobody completed it.
            await self._tell(events.MessageCompleted(self._id, None, "".join(self._told)))
        for call in reply.calls:
            await self._tell(events.ToolCallReceived(call))

    async def _message(self, event: events.ItemStarted | events.TextDelta | events.MessageCompleted) -> None:
        match event:
            case events.ItemStarted():
                if self._id is None:
                    self._id, self._told, self._again = event.item_id, [], None
                    await self._tell(event)
                else:
                    self._again = ""
            case events.TextDelta():
                if self._id is None:
                    await self._message(events.ItemStarted(event.item_id, "agentMessage"))
                if self._again is None:
                    await self._more(event.text)
                else:
                    await self._catch_up(self._again + event.text)
            case events.MessageCompleted():
                if self._id is None:
                    await self._message(events.ItemStarted(event.item_id, "agentMessage", event.phase))
                await self._catch_up(event.text)
                if self._again is not None:
                    raise _broken(_AGAIN, "stream_disconnected", again=True)
                item_id, self._id = self._id or event.item_id, None
                await self._tell(replace(event, item_id=item_id))

    async def _catch_up(self, heard: str) -> None:
        """Compare the message, as far as it has come again, with what was told; go on where it is longer."""
        told = "".join(self._told)
        if len(heard) < len(told):
            if not told.startswith(heard):
                raise _broken(_AGAIN, "stream_disconnected", again=True)
            self._again = heard
            return
        if not heard.startswith(told):
            raise _broken(_AGAIN, "stream_disconnected", again=True)
        self._again = None
        await self._more(heard[len(told) :])

    async def _more(self, text: str) -> None:
        if text:
            self._told.append(text)
            self._sent = True
            await self._tell(events.TextDelta(self._id or "", text))


def own_text(reply: Reply[Any], schema: Mapping[str, Any] | None) -> Reply[Any]:
    """The reply with its text in the shape of the caller's schema. The model may have written another one: strict mode
    has no optional properties, say, and what stands for them is undone in `output`."""
    if schema is None or reply.finish != "stop":
        return reply
    try:
        if decode(reply.text) == reply.output:
            return reply
    except DecodeError:
        pass
    text = json.dumps(reply.output, ensure_ascii=False, separators=(",", ":"))
    items: list[Mapping[str, Any]] = list(reply.items)
    for place in reversed(range(len(items))):
        if items[place].get("type") == "message":
            content: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
            items[place] = {**items[place], "content": [content]}
            break
    return replace(reply, text=text, items=tuple(items))


def messages_of(reply: Reply[Any]) -> Iterator[tuple[str, str | None, str]]:
    """The messages of a reply: the id, the phase and the text of each."""
    found = False
    for number, item in enumerate(reply.items):
        if item.get("type") == "message":
            found = True
            parts = item.get("content") or ()
            text = "".join(part.get("text") or "" for part in parts)
            yield item.get("id") or f"msg_{number}", item.get("phase"), text
    if not found and reply.text:
        yield "msg_0", None, reply.text


def _broken(message: str, code: str, *, again: bool) -> ApiError:
    headers = {} if again else {"x-should-retry": "false"}
    return ApiError(502, message, type="server_error", code=code, headers=headers)
