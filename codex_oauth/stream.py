"""A call's events as an async iterator, and its reply at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, Self, TypeVar

import anyio

from codex_oauth.errors import TurnInterruptedError
from codex_oauth.events import Event, Observer
from codex_oauth.types import Reply

__all__ = ("ReplyStream", "streamed")

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


@asynccontextmanager
async def streamed(call: Callable[[Observer], Awaitable[Reply[Any]]]) -> AsyncGenerator[ReplyStream[Any]]:
    """A call as a stream of its events, while the block lasts. What it raises comes out of the stream."""
    stream: ReplyStream[Any] = ReplyStream()

    async def feed() -> None:
        try:
            stream.succeed(await call(stream.put))
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever reads the stream gets it
            stream.fail(error)
        finally:
            stream.leave()

    failure: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed)
            yield stream
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # `feed` keeps its errors to the stream: the one in the group is the caller's own. It is raised outside, so
        # that its cause and context stay what they were.
        failure = group.exceptions[0]
    if failure is not None:
        raise failure
