"""A call's events as an async iterator, and its reply at the end."""

from __future__ import annotations

from collections import deque
from typing import Generic, Self, TypeVar

import anyio

from codex_oauth.errors import TurnInterruptedError
from codex_oauth.events import Event
from codex_oauth.types import Reply

__all__ = ("ReplyStream",)

T = TypeVar("T")


class ReplyStream(Generic[T]):
    """What `AsyncCodex.stream` yields. One consumer iterates it, and it may stop at any point."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._more = anyio.Event()
        self._ended = anyio.Event()
        self._reply: Reply[T] | None = None
        self._error: Exception | None = None

    def __aiter__(self) -> Self:
        # Not an async generator: one that is left in the middle has to be closed by somebody, and trio complains.
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._ended.is_set():
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._more = anyio.Event()
            await self._more.wait()
        return self._events.popleft()

    async def reply(self) -> Reply[T]:
        """The reply, once the call is done. Events that nobody took in may be left.

        Raises:
            CodexOAuthError: The call failed; the same as from `complete`.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        assert self._reply is not None
        return self._reply

    def put(self, event: Event) -> None:
        """Add an event; never waits, so that a slow consumer slows nothing down."""
        self._events.append(event)
        self._more.set()

    def succeed(self, reply: Reply[T]) -> None:
        """The call is done."""
        self._reply = reply
        self._end()

    def fail(self, error: Exception) -> None:
        """The call has failed."""
        self._error = error
        self._end()

    def leave(self) -> None:
        """The call goes on no longer. If it has neither succeeded nor failed, whoever still reads is told."""
        if not self._ended.is_set():
            self.fail(TurnInterruptedError("the stream was left before its end"))

    def _end(self) -> None:
        self._ended.set()
        self._more.set()
