"""What the two APIs have in common: a request is read, and its reply is written, whole or as a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.events import Event

if TYPE_CHECKING:
    from codex_oauth.types import Reply

__all__ = ("About", "Api", "ReplyWriter", "Write")

Write: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Sends a piece of a stream; the first one begins the answer with status 200. Waits for a client that reads slowly."""


@dataclass(frozen=True, slots=True)
class About:
    """What an answer says about itself.

    Attributes:
        id: 32 hexadecimal digits, of this request alone.
        created: When the request came, in whole seconds since 1970.
    """

    id: str
    created: int


class ReplyWriter(Protocol):
    """Writes one reply as server-sent events. Nothing is written before the service has begun to answer, so that a
    failure before that still has its own status."""

    async def tell(self, event: Event) -> None:
        """Write what the event brings; what `Answering.answer` tells."""
        ...

    async def end(self, reply: Reply[Any]) -> None:
        """Write the end of a reply that is whole."""
        ...

    async def fail(self, error: ApiError) -> None:
        """Write that it went wrong. Called only after something was written."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One of the APIs.

    Attributes:
        path: Its route.
        label: What the metrics call its calls.
        read: From a request's JSON to what it asks for; raises ApiError.
        written: From a reply to the answer's JSON.
        stream: What writes a reply as it comes. The request has been resolved: its `model` is the one that runs.
    """

    path: str
    label: str
    read: Callable[[Mapping[str, Any]], Asked]
    written: Callable[[Asked, Reply[Any], About], Mapping[str, Any]]
    stream: Callable[[Asked, About, Write], ReplyWriter]
