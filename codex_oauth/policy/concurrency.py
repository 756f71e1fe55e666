"""No more turns at once than the machine and the app-server bear."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel

from codex_oauth.events import PhaseReached
from codex_oauth.policy.runner import Runner
from codex_oauth.session import TurnRequest, TurnResult

__all__ = ("SERVER_MEMORY", "Concurrency", "Places", "available_memory")

SERVER_MEMORY: Final = 150 * 1024 * 1024
"""Bytes that an app-server of a single call takes: 95 to 140 MB were measured."""

_SETTLED: Final = 0.5
"""Seconds after which an app-server has taken its memory, and after which another refusal is about the new limit."""


class Places:
    """How many may run at once: never more than `most`, fewer while the app-server refuses or memory is short.

    A refusal (-32001, seen with more than 195 requests in flight) halves the limit; as many successes as the limit is
    raise it by one again. One always has a place.

    Args:
        most: The most.
        memory: Bytes of memory that are free, for turns that each start a process; None to leave it out of account.
            It may answer None where the system does not say.
        clock: The time in seconds.
    """

    def __init__(
        self,
        most: int,
        *,
        memory: Callable[[], int | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._most = self.limit = most
        self._memory = memory
        self._taken = 0
        self._waiting: deque[anyio.Event] = deque()
        self._young: deque[float] = deque()
        self._successes = 0
        self._halved = float("-inf")

    async def take(self) -> bool:
        """Wait for a place, in the order of asking; whether there was none at first."""
        if not self._waiting and self._is_free():
            await anyio.lowlevel.checkpoint_if_cancelled()
            self._enter()
            return False
        granted = anyio.Event()
        self._waiting.append(granted)
        try:
            await granted.wait()
        except BaseException:
            if granted.is_set():
                self.give_back()
            else:
                self._waiting.remove(granted)
            raise
        return True

    def give_back(self) -> None:
        """A place is free again."""
        self._taken -= 1
        self._let_in()

    def refused(self) -> None:
        """The app-server has too much to do."""
        now = self._clock()
        if now - self._halved > _SETTLED:  # the others of the same rush are refused too
            self._halved = now
            self.limit = max(1, min(self.limit, self._taken) // 2)
        self._successes = 0

    def succeeded(self) -> None:
        """A turn went well."""
        if self.limit < self._most:
            self._successes += 1
            if self._successes >= self.limit:
                self._successes = 0
                self.limit += 1
                self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._is_free():
            self._enter()
            self._waiting.popleft().set()

    def _enter(self) -> None:
        self._taken += 1
        if self._memory is not None:
            self._young.append(self._clock())

    def _is_free(self) -> bool:
        if not self._taken:
            return True
        return self._taken < self.limit and self._has_room()

    def _has_room(self) -> bool:
        if self._memory is None:
            return True
        while self._young and self._clock() - self._young[0] > _SETTLED:
            self._young.popleft()
        free = self._memory()
        # What has just been started will take its memory yet.
        return free is None or free >= SERVER_MEMORY * (1 + len(self._young))


def available_memory() -> int | None:
    """Bytes that programs can still have without swapping, as Linux estimates them; None elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_bytes().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(b"MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


class Concurrency:
    """Waits for a place before each turn; a repair is a turn of its own, a retry keeps its place."""

    def __init__(self, inner: Runner, places: Places) -> None:
        self._inner = inner
        self._places = places

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run when there is a place; says `queued` once there is, where there was none at first."""
        if await self._places.take():
            request.observer(PhaseReached("queued", time.perf_counter()))
        try:
            result = await self._inner.run(request)
        finally:
            self._places.give_back()
        self._places.succeeded()
        return result
