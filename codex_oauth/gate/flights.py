"""The same question asked by several at the same moment: one call for all of them, and an answer for each."""

from __future__ import annotations

import copy
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import anyio
import anyio.abc
from anyio import AsyncContextManagerMixin

from codex_oauth.errors import DeadlineExceededError, TurnInterruptedError
from codex_oauth.gate.cache import wallet
from codex_oauth.types import Reply, Timing, Usage

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.gate.settling import Question

__all__ = ("Flights", "Make", "flight_key")

Make: TypeAlias = Callable[[float], Awaitable[Reply[Any]]]
"""Makes the call, in at most so many seconds."""

_AS_GOOD_AS_OVER: Final = 0.1
"""Seconds that are too few for another call: the failure that is there says more than its deadline would."""


def flight_key(asked: Question, settings: Settings) -> Hashable:
    """What makes two questions the same: every word that is sent, the model, and who pays."""
    model = asked.model or settings.model or settings.model_preference
    return asked.instructions, asked.text, model, asked.effort or settings.effort, wallet(settings)


class Flights(AsyncContextManagerMixin):
    """The calls in flight, in one event loop. It is entered by whoever serves the callers, and ends their calls.

    A call belongs to nobody: whoever leaves, whether first or last, leaves the others their answer. It is ended when
    nobody waits for it any more.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}
        self._tasks: anyio.abc.TaskGroup | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield self
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()

    async def fly(self, key: Hashable, make: Make, *, timeout: float) -> tuple[Reply[Any], bool]:
        """The reply of the call with that key, made now if none is in flight; and whether somebody else began it.

        What is shared is shared as it is for this caller: without tokens, since one call was paid for, and with a
        timing from this caller's beginning on. A failure is shared too, but for that of a deadline: that was of whoever
        began the call, and a caller who has time left makes another one.

        Args:
            key: As `flight_key` gives it.
            make: Makes the call.
            timeout: Seconds that this caller has.

        Raises:
            DeadlineExceededError: This caller's time was up.
            CodexOAuthError: The call failed.
        """
        joined = time.perf_counter()
        while True:
            left = timeout - (time.perf_counter() - joined)
            flight = self._flights.get(key)
            if flight is None:
                flight = self._begin(key, make, left)
                return _as_seen(await self._landed(key, flight), flight, joined), False
            with anyio.move_on_after(left):
                try:
                    reply = await self._landed(key, flight)
                    return _as_seen(replace(reply, usage=Usage()), flight, joined), True
                except DeadlineExceededError:
                    if timeout - (time.perf_counter() - joined) < _AS_GOOD_AS_OVER:
                        raise
                    continue
            raise DeadlineExceededError(f"no reply within {timeout:g} s to a call that somebody else had begun")

    def _begin(self, key: Hashable, make: Make, timeout: float) -> _Flight:
        if self._tasks is None:
            raise TurnInterruptedError("the call was begun when what serves it had ended")
        flight = self._flights[key] = _Flight()
        self._tasks.start_soon(self._fly, key, flight, make, timeout)
        return flight

    async def _landed(self, key: Hashable, flight: _Flight) -> Reply[Any]:
        flight.waiting += 1
        try:
            await flight.done.wait()
        finally:
            flight.waiting -= 1
            if not flight.waiting and self._flights.get(key) is flight:
                # Whoever comes now would wait for a call that is being ended.
                del self._flights[key]
                flight.scope.cancel()
        if flight.error is not None:
            raise flight.error.with_traceback(None)
        if flight.reply is None:
            raise TurnInterruptedError("the call was ended together with what served it")
        return flight.reply

    async def _fly(self, key: Hashable, flight: _Flight, make: Make, timeout: float) -> None:
        try:
            with flight.scope:
                flight.reply = await make(timeout)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait
            flight.error = error
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.done.set()


class _Flight:
    """One call, and those who wait for it."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.done = anyio.Event()
        self.scope = anyio.CancelScope()
        self.reply: Reply[Any] | None = None
        self.error: Exception | None = None
        self.waiting = 0


def _as_seen(reply: Reply[Any], flight: _Flight, joined: float) -> Reply[Any]:
    """A reply of one's own, with the times as they were for somebody who came at `joined`."""
    later = (joined - flight.began) * 1000

    def since(at: float | None) -> float | None:
        return None if at is None else max(0.0, at - later)

    timing = Timing(**{spec.name: since(getattr(reply.timing, spec.name)) for spec in fields(Timing)})
    return replace(reply, output=copy.deepcopy(reply.output), timing=timing, began=joined)
