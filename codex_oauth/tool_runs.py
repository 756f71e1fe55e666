"""The tools of one turn while they run: all calls of a response at once, each answered by its own id."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.abc
import anyio.to_thread

from codex_oauth.errors import ConfigurationError
from codex_oauth.events import Event, ResponseCompleted, ToolFinished, ToolStarted
from codex_oauth.images import data_url
from codex_oauth.session.responses import calls_of
from codex_oauth.tools import Tool, ToolArgumentsError, ToolOutput
from codex_oauth.types import ToolCall

if TYPE_CHECKING:
    from codex_oauth.events import Observer

__all__ = ("ToolRuns",)

_LONGEST: Final = 1_048_576
"""Characters of one result, as many as codex takes as an input."""


_PATIENCE: Final = 5.0
"""Seconds that a call waits for the end of its response: codex may ask for it while the response streams, or before the
end has been taken in here."""


_THREADS: Final = 64
"""Functions of one turn that run at once where they are not async."""


class _Run:
    """One call."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.done = anyio.Event()
        self.result: Mapping[str, Any] = {}


class ToolRuns:
    """Runs what the model calls, and keeps the results until codex asks for them.

    codex 0.163 asks for one result after the other, in any order; the handlers of a response run at once all the same.

    Args:
        tools: What may be called.
        tasks: Where the handlers run: they end with it.
        tell: Told when one begins and ends.
        timeout: Seconds for each.
        max_steps: Responses with calls that there may be.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        tasks: anyio.abc.TaskGroup,
        tell: Observer,
        *,
        timeout: float,
        max_steps: int,
    ) -> None:
        self.exceeded = False
        self._tools = tools
        self._tasks = tasks
        self._tell = tell
        self._timeout = timeout
        self._max_steps = max_steps
        self._steps = 0
        self._stopped = False
        self._runs: dict[str, _Run] = {}
        # Of this turn's own: a function that never returns keeps its thread.
        self._threads = anyio.CapacityLimiter(_THREADS)

    def observe(self, event: Event) -> None:
        """Begin what a response calls, once it is complete: one that is cut off comes again, with other calls."""
        if isinstance(event, ResponseCompleted):
            calls = [call for call in calls_of(event.response.output) if call.name in self._tools]
            if not calls:
                return
            self._steps += 1
            if self._steps > self._max_steps:
                self.exceeded = True
                self.stop()
                self._tasks.cancel_scope.cancel()
                return
            for call in calls:
                self._begin(call)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True

    async def answer(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of a call that codex asks for."""
        arguments: Any = params.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        call = ToolCall(call_id=str(params.get("callId")), name=str(params.get("tool")), arguments=text)
        run = self._run_of(call)
        with anyio.move_on_after(_PATIENCE):
            await run.begun.wait()
        self._begin(call)
        await run.done.wait()
        return run.result

    def _run_of(self, call: ToolCall) -> _Run:
        return self._runs.setdefault(call.call_id, _Run())

    def _begin(self, call: ToolCall) -> None:
        run = self._run_of(call)
        if not run.begun.is_set() and not self._stopped:
            run.begun.set()
            self._tasks.start_soon(self._execute, call, run)

    async def _execute(self, call: ToolCall, run: _Run) -> None:
        began = time.perf_counter()
        self._tell(ToolStarted(call.call_id, call.name))
        output = ToolOutput(f"there is no tool {call.name}")
        ok = False
        tool = self._tools.get(call.name)
        if tool is not None:
            with anyio.move_on_after(self._timeout) as scope:
                output, ok = await _result(tool, call.arguments, self._threads)
            if scope.cancelled_caught:
                output, ok = ToolOutput(f"the tool did not answer within {self._timeout:g} s"), False
        run.result = _answer(output, ok)
        self._tell(ToolFinished(call.call_id, call.name, ok, time.perf_counter() - began))
        run.done.set()


async def _result(tool: Tool, arguments: str, threads: anyio.CapacityLimiter) -> tuple[ToolOutput, bool]:
    try:
        args, kwargs = tool.read(arguments)
    except ToolArgumentsError as error:
        return ToolOutput(f"the arguments do not fit: {error}"), False
    try:
        return _output(await _called(partial(tool.handler, *args, **kwargs), tool.handler, threads)), True
    except Exception as error:  # noqa: BLE001 - whatever it is, the model is told, and may do something else
        return ToolOutput(f"the tool failed: {type(error).__name__}: {error}"), False


async def _called(call: Callable[[], Any], handler: Callable[..., Any], threads: anyio.CapacityLimiter) -> Any:
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
        return await call()
    # Abandoned where the turn is cancelled: nothing can stop a thread, and nobody waits for it.
    value = await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=threads)
    return await value if inspect.isawaitable(value) else value


def _output(value: object) -> ToolOutput:
    if isinstance(value, ToolOutput):
        return value
    if isinstance(value, str):
        return ToolOutput(value)
    from pydantic_core import to_json

    return ToolOutput(to_json(value).decode())


def _answer(output: ToolOutput, ok: bool) -> Mapping[str, Any]:
    text = output.text
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "\n[cut]"
    parts: list[dict[str, Any]] = [{"type": "inputText", "text": text}]
    try:
        parts += [{"type": "inputImage", "imageUrl": data_url(image)} for image in output.images]
    except ConfigurationError as error:
        parts.append({"type": "inputText", "text": f"an image could not be read: {error}"})
        ok = False
    return {"success": ok, "contentItems": parts}
