"""The tools of one turn while they run: all calls of a response at once, each answered by its own id."""

from __future__ import annotations

import inspect
import json
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio
import anyio.abc
import anyio.to_thread

from codex_oauth.errors import ConfigurationError, StepLimitError
from codex_oauth.events import Event, ResponseCompleted, ToolFinished, ToolStarted
from codex_oauth.images import data_url
from codex_oauth.session.responses import calls_of
from codex_oauth.tools import Tool, ToolArgumentsError, ToolOutput
from codex_oauth.types import ToolCall

if TYPE_CHECKING:
    from codex_oauth.events import Observer

__all__ = ("ToolRuns",)

_Part: TypeAlias = dict[str, Any]

_LONGEST: Final = 1_048_576
"""Characters of one result that codex is sent. It shows the model 48,000 bytes of it, of the beginning and the end."""

_PATIENCE: Final = 5.0
"""Seconds that the first call of a response waits for the response's end: codex may ask for it while the response
streams, or before the end has been taken in here. Where the connection was lost in between, no end comes: codex asks
for the calls that are there, and sends their results with its next attempt."""

_THREADS: Final = 64
"""Functions of one turn that run at once where they are not async."""


class _Run:
    """One call.

    Attributes:
        told: A response that is complete holds it.
        answered: codex has its result.
    """

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.done = anyio.Event()
        self.told = False
        self.answered = False
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
        self._tools = tools
        self._tasks = tasks
        self._tell = tell
        self._timeout = timeout
        self._max_steps = max_steps
        self._steps = 0
        self._stopped = False
        self._overdue = False
        self._runs: dict[str, _Run] = {}
        # Of this turn's own: a function that never returns keeps its thread.
        self._threads = anyio.CapacityLimiter(_THREADS)

    def observe(self, event: Event) -> None:
        """Begin what a response calls, once it is complete: what is cut off in the middle may come again.

        Raises:
            StepLimitError: There were calls in too many responses. A tool that nobody has given counts too.
        """
        if not isinstance(event, ResponseCompleted):
            return
        self._overdue = False
        calls = calls_of(event.response.output)
        if not calls:
            return
        self._steps += 1
        if self._steps > self._max_steps:
            self.stop()
            raise StepLimitError(
                f"the model called tools in more than {self._max_steps} responses (max_steps)", steps=self._max_steps
            )
        for call in calls:
            if call.name in self._tools:
                run = self._run_of(call)
                run.told = True
                self._begin(call, run)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True

    async def answer(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of a call that codex asks for."""
        arguments: Any = params.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        call = ToolCall(call_id=str(params.get("callId")), name=str(params.get("tool")), arguments=text)
        run = self._run_of(call)
        if not self._overdue:
            with anyio.move_on_after(_PATIENCE) as scope:
                await run.begun.wait()
            # The others of this response have waited long enough with it.
            self._overdue = scope.cancelled_caught
        self._begin(call, run)
        await run.done.wait()
        run.answered = True
        return run.result

    def _run_of(self, call: ToolCall) -> _Run:
        run = self._runs.get(call.call_id)
        if run is None or (run.told and run.answered):
            # Done with: a later response gives the same id to another call.
            run = self._runs[call.call_id] = _Run()
        return run

    def _begin(self, call: ToolCall, run: _Run) -> None:
        if not run.begun.is_set() and not self._stopped:
            run.begun.set()
            self._tasks.start_soon(self._execute, call, run)

    async def _execute(self, call: ToolCall, run: _Run) -> None:
        began = time.perf_counter()
        self._tell(ToolStarted(call.call_id, call.name))
        parts, ok = [_text(f"there is no tool {call.name}")], False
        tool = self._tools.get(call.name)
        if tool is not None:
            with anyio.move_on_after(self._timeout) as scope:
                parts, ok = await _result(tool, call.arguments, self._threads)
            if scope.cancelled_caught:
                parts, ok = [_text(f"the tool did not answer within {self._timeout:g} s")], False
        run.result = {"success": ok, "contentItems": parts}
        self._tell(ToolFinished(call.call_id, call.name, ok, time.perf_counter() - began))
        run.done.set()


async def _result(tool: Tool, arguments: str, threads: anyio.CapacityLimiter) -> tuple[list[_Part], bool]:
    """What the model is told, and whether it is what the tool gave. Whatever goes wrong, the model may do something
    else."""
    try:
        args, kwargs = tool.read(arguments)
        return await _called(partial(tool.handler, *args, **kwargs), tool.handler, threads)
    except ToolArgumentsError as error:
        return [_text(f"the arguments do not fit: {error}")], False
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a function that ends a program has ended itself alone
        return [_text(f"the tool failed: {type(error).__name__}: {_words(error)}")], False
    except anyio.get_cancelled_exc_class():
        if anyio.current_effective_deadline() == -math.inf:
            raise
        return [_text("the tool failed: it waited for something that was cancelled")], False


async def _called(
    call: Callable[[], Any], handler: Callable[..., Any], threads: anyio.CapacityLimiter
) -> tuple[list[_Part], bool]:
    def run() -> tuple[Any, tuple[list[_Part], bool] | None]:
        value = call()
        return (value, None) if inspect.isawaitable(value) else (None, _parts(value))

    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
        awaited = call()
    else:
        # Abandoned where the turn is cancelled: nothing can stop a thread, and nobody waits for it.
        awaited, made = await anyio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=threads)
        if made is not None:
            return made
    value = await awaited
    # A large value takes its time, and so do files, and what a generator still has to make.
    return (
        _parts(value) if type(value) is str else await anyio.to_thread.run_sync(_parts, value, abandon_on_cancel=True)
    )


def _parts(value: object) -> tuple[list[_Part], bool]:
    if not isinstance(value, ToolOutput):
        value = ToolOutput(value if isinstance(value, str) else _json(value))
    parts = [_text(value.text)]
    try:
        return parts + [{"type": "inputImage", "imageUrl": data_url(image)} for image in value.images], True
    except ConfigurationError as error:
        return [*parts, _text(f"an image could not be read: {error}")], False


def _json(value: object) -> str:
    from pydantic_core import to_json

    return to_json(value).decode()


def _text(text: str) -> _Part:
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "\n[cut]"
    # Half a surrogate pair, as in a file's name that is not UTF-8: codex would pass over the whole answer.
    return {"type": "inputText", "text": text.encode(errors="replace").decode()}


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - it is the tool's own
        return "it cannot be written"
