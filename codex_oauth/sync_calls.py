"""What the blocking client gives out: streams and conversations whose event loop is in another thread."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from anyio.from_thread import BlockingPortal

from codex_oauth.conversation import Conversation
from codex_oauth.errors import ServerCrashedError
from codex_oauth.events import Event
from codex_oauth.stream import ReplyStream
from codex_oauth.types import Reply

__all__ = ("SyncConversation", "SyncReplyStream", "wait")

T = TypeVar("T")

_ENDING: Final = 1.0
"""Seconds that Ctrl-C waits for the call that it ends. To interrupt a turn takes 0.15 at most."""


class SyncReplyStream(Generic[T]):
    """What `Codex.stream` yields: iterate it for events, and ask it for the reply."""

    def __init__(self, stream: ReplyStream[T], portal: BlockingPortal) -> None:
        self._stream = stream
        self._portal = portal
        self._iterator = aiter(stream)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        try:
            return wait(self._portal, lambda: anext(self._iterator))
        except StopAsyncIteration:
            raise StopIteration from None

    def reply(self) -> Reply[T]:
        """The reply, once the call is done. Raises what `Codex.complete` raises."""
        return wait(self._portal, self._stream.reply)


class SyncConversation:
    """What `Codex.conversation` gives, for use within `with`: see `Conversation`."""

    def __init__(
        self, conversation: Conversation, portals: Callable[[], AbstractContextManager[BlockingPortal]]
    ) -> None:
        self._conversation = conversation
        self._portals = portals
        self._opened: ExitStack | None = None
        self._entered: BlockingPortal | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            portal = stack.enter_context(self._portals())
            stack.enter_context(portal.wrap_async_context_manager(self._conversation))
            self._entered, self._opened = portal, stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened, self._opened, self._entered = self._opened, None, None
        if opened is not None:
            opened.__exit__(kind, error, traceback)

    @property
    def _portal(self) -> BlockingPortal:
        if self._entered is None:
            raise RuntimeError("a conversation is used within its block: with codex.conversation(…) as chat: …")
        return self._entered

    @property
    def history(self) -> tuple[Mapping[str, Any], ...]:
        """What was said, oldest first, as items of OpenAI's Responses API."""
        return self._conversation.history

    def send(self, prompt: str, **arguments: Any) -> Reply[Any]:
        """Say something, and get the final answer; see `Conversation.send`. Ctrl-C ends the turn and tools."""
        return wait(self._portal, partial(self._conversation.send, prompt, **arguments))

    @contextmanager
    def stream(self, prompt: str, **arguments: Any) -> Generator[SyncReplyStream[Any]]:
        """As `send`, with its events; see `Conversation.stream`."""
        with self._portal.wrap_async_context_manager(self._conversation.stream(prompt, **arguments)) as stream:
            yield SyncReplyStream(stream, self._portal)

    def fork(self) -> SyncConversation:
        """Another conversation that has said the same so far; see `Conversation.fork`."""
        return SyncConversation(self._conversation.fork(), self._portals)


def wait(portal: BlockingPortal, call: Callable[[], Awaitable[T]]) -> T:
    ended = threading.Event()

    async def run() -> T:
        try:
            return await call()
        finally:
            ended.set()

    try:
        future = portal.start_task_soon(run)
    except RuntimeError as error:
        if "event loop thread" in str(error):
            raise RuntimeError(
                "this would wait for itself: a tool that is async awaits an AsyncCodex, any other may use a Codex"
            ) from error
        raise ServerCrashedError("the client was closed while the call began") from error
    try:
        return future.result()
    except BaseException:
        # Ctrl-C arrives here, in the caller's thread. The task is cancelled, and interrupts its turn, before the
        # thread and its loop are left, and before the caller may go on with the same conversation.
        future.cancel()
        ended.wait(_ENDING)
        raise
