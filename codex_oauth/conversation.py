"""Several turns of one conversation: a live thread, and the history from which it can be made anew."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeAlias, cast

import anyio
from anyio import AsyncContextManagerMixin

from codex_oauth.errors import ConfigurationError, TurnInterruptedError
from codex_oauth.items import checked_items, checked_tools, kept_items
from codex_oauth.lease import Kept
from codex_oauth.records import replace
from codex_oauth.schema import OutputSpec
from codex_oauth.session import TurnRequest
from codex_oauth.stream import ReplyStream, streamed
from codex_oauth.tool_runs import ToolRuns
from codex_oauth.tools import tools_of
from codex_oauth.types import Reply

if TYPE_CHECKING:
    from codex_oauth.calling import Image
    from codex_oauth.events import Event, Observer

__all__ = ("MAX_STEPS", "TOOL_TIMEOUT", "TURN_TIMEOUT", "Conversation", "ConversationHost")

TURN_TIMEOUT: Final = 300.0
"""Seconds for one turn with its tools, where the caller names no other number."""

MAX_STEPS: Final = 32
"""Responses with tool calls in one turn, where the caller names no other number."""

TOOL_TIMEOUT: Final = 60.0
"""Seconds for one call of a tool, where the caller names no other number."""


_NEVER_ASKED: Final = ("exec_command", "shell_command")
# codex 0.163 and 0.169 offer them to the model, and then tell it that there are none of these names.

_LEAVING: Final = 1.0
"""Seconds that leaving a conversation waits for its turn. To stop one takes 0.15 at most; tools may have to tidy up."""

Call: TypeAlias = Callable[..., Awaitable[Reply[Any]]]
"""Makes a call: a label, the wanted output, the turn, seconds, an observer, and where the thread is kept."""


class ConversationHost(NamedTuple):
    """What a conversation needs of its client.

    Attributes:
        prepare: Checks a prompt, and makes the turn of it.
        limited: Adds the limit of the output to a turn.
        opened: A block within which calls share an app-server; it gives what makes them.
    """

    prepare: Callable[..., tuple[OutputSpec[Any], TurnRequest]]
    limited: Callable[[TurnRequest, int | None], TurnRequest]
    opened: Callable[[], AbstractAsyncContextManager[Call]]


class Conversation(AsyncContextManagerMixin):
    """A conversation: made by `AsyncCodex.conversation`, used within `async with`, one turn at a time.

    The thread is kept between turns, so that a turn sends only what is new. Where it is lost (the app-server ended, a
    turn failed or was cancelled), the next turn begins another one with `history`.
    """

    def __init__(
        self,
        host: ConversationHost,
        *,
        instructions: str | None = None,
        tools: Sequence[Any] = (),
        history: Sequence[Mapping[str, Any]] = (),
        model: str | None = None,
        effort: str | None = None,
        timeout: float = TURN_TIMEOUT,
        tool_timeout: float = TOOL_TIMEOUT,
        max_steps: int = MAX_STEPS,
        label: str | None = "conversation",
    ) -> None:
        if type(max_steps) is not int or max_steps < 1:
            raise ConfigurationError("max_steps must be a whole number of at least 1")
        if not isinstance(cast("object", tool_timeout), int | float) or not tool_timeout > 0:
            raise ConfigurationError("tool_timeout is in seconds, and more than 0")
        self._host = host
        known = tools_of(tools)
        for number, one in enumerate(known):
            if one.name in _NEVER_ASKED:
                raise ConfigurationError(f"tools[{number}]: codex never asks for a tool of the name {one.name!r}")
        self._offered = checked_tools(
            [{"name": one.name, "description": one.description, "inputSchema": one.schema} for one in known]
        )
        self._tools = {tool.name: tool for tool in known}
        self._history: tuple[Mapping[str, Any], ...] = checked_items(history, "history") if history else ()
        self._options: dict[str, Any] = {"instructions": instructions, "model": model, "effort": effort}
        self._timeout = timeout
        self._tool_timeout = tool_timeout
        self._max_steps = max_steps
        self._label = label
        self._kept = Kept()
        self._call: Call | None = None
        self._running: _Turn | None = None

    @property
    def history(self) -> tuple[Mapping[str, Any], ...]:
        """What was said, oldest first, as items of OpenAI's Responses API: for `history=` of another conversation."""
        return self._history

    def fork(self) -> Conversation:
        """Another conversation that has said the same so far. The two go on without each other."""
        other = Conversation(
            self._host,
            tools=list(self._tools.values()),
            timeout=self._timeout,
            tool_timeout=self._tool_timeout,
            max_steps=self._max_steps,
            label=self._label,
            **self._options,
        )
        other._history = self._history
        return other

    async def send(
        self,
        prompt: str,
        *,
        images: Sequence[Image] = (),
        output: Any = None,
        timeout: float | None = None,
        max_output_tokens: int | None = None,
    ) -> Reply[Any]:
        """Say something, let the model call the tools as often as it wants, and get its final answer.

        Args:
            prompt: The input.
            images: As for `AsyncCodex.complete`.
            output: As for `AsyncCodex.complete`.
            timeout: Seconds for the whole turn, tools included; None for what the conversation was made with.
            max_output_tokens: Tokens of text after which the turn is broken off; `finish` is `length` then, and the
                conversation is where it was before.

        Raises:
            StepLimitError: The model called tools in more responses than `max_steps`.
            TurnInterruptedError: The conversation was left meanwhile.
            CodexOAuthError: As `AsyncCodex.complete`. The conversation is where it was before then.
        """
        return await self._turn(*self._prepared(prompt, images, output, max_output_tokens), timeout, _ignore)

    def stream(
        self,
        prompt: str,
        *,
        images: Sequence[Image] = (),
        output: Any = None,
        timeout: float | None = None,
        max_output_tokens: int | None = None,
    ) -> AbstractAsyncContextManager[ReplyStream[Any]]:
        """As `send`, with its events as they happen, `ToolStarted` and `ToolFinished` among them. Leaving the block
        early interrupts the turn, and its tools."""
        prepared = self._prepared(prompt, images, output, max_output_tokens)
        return streamed(lambda observer: self._turn(*prepared, timeout, observer))

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        async with self._host.opened() as call:
            self._call = call
            try:
                yield self
            finally:
                self._call = None
                if self._running is not None:
                    await self._running.stop()
                self._kept.drop()

    def _prepared(
        self, prompt: str, images: Sequence[Image], output: Any, most: int | None
    ) -> tuple[OutputSpec[Any], TurnRequest]:
        spec, request = self._host.prepare(prompt, output=output, images=images, **self._options)
        return spec, replace(self._host.limited(request, most), tools=self._offered, raw=True)

    async def _turn(
        self, spec: OutputSpec[Any], request: TurnRequest, timeout: float | None, observer: Observer
    ) -> Reply[Any]:
        if self._call is None:
            raise RuntimeError("a conversation is used within `async with`")
        if self._running is not None:
            raise RuntimeError("a conversation has one turn at a time; fork() gives another conversation")
        self._running = turn = _Turn()
        good = False
        try:
            with turn.scope:
                reply = await self._with_tools(
                    self._call, spec, replace(request, items=self._history), timeout, observer
                )
                thread = self._kept.thread
                if reply.finish == "stop" and thread is not None and thread.items is not None:
                    self._history, good = kept_items(thread.items), True
                return reply
            raise TurnInterruptedError("the conversation was left before its turn ended")
        finally:
            self._running = None
            if not good:
                # What was said on it since is not what the caller goes on from.
                self._kept.drop()
            turn.ended.set()

    async def _with_tools(
        self, call: Call, spec: OutputSpec[Any], request: TurnRequest, timeout: float | None, observer: Observer
    ) -> Reply[Any]:
        seconds = self._timeout if timeout is None else timeout
        failure: BaseException = TurnInterruptedError("the turn was cancelled by one of its own tools")
        try:
            async with anyio.create_task_group() as tasks:
                runs = ToolRuns(self._tools, tasks, observer, timeout=self._tool_timeout, max_steps=self._max_steps)

                def observe(event: Event) -> None:
                    observer(event)
                    runs.observe(event)

                request = replace(request, on_call=runs.answer)
                try:
                    return await call(self._label, spec, request, seconds, observe, self._kept)
                finally:
                    runs.stop()
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            failure = group.exceptions[0]
        raise failure


class _Turn:
    """A turn that runs, for whoever has to end it."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()

    async def stop(self) -> None:
        self.scope.cancel()
        with anyio.move_on_after(_LEAVING, shield=True):
            await self.ended.wait()


def _ignore(event: Event) -> None:
    pass
