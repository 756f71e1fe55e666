"""Two transports that are each other's other side, within one process: for tests, and for embedding a peer."""

from __future__ import annotations

from collections import deque
from typing import Self

import anyio
import anyio.lowlevel

from codex_oauth.errors import LineTooLongError
from codex_oauth.transport.base import MAX_LINE

__all__ = ("MemoryTransport",)


class MemoryTransport:
    """One side of a pair; made by `pair`. What is sent waits in memory until it is received."""

    def __init__(self, *, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._lines: deque[bytes] = deque()
        self._arrived = anyio.Event()
        self._ended = False
        self._peer = self

    @classmethod
    def pair(cls, *, max_line: int = MAX_LINE) -> tuple[Self, Self]:
        """Two sides, of which the first receives lines of at most `max_line` bytes."""
        here, there = cls(max_line=max_line), cls()
        here._peer, there._peer = there, here
        return here, there

    async def send(self, line: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        if self._peer._ended:
            raise BrokenPipeError
        self._peer._lines.append(line)
        self._peer._arrived.set()

    async def receive(self) -> bytes | None:
        while not self._lines:
            if self._ended:
                return None
            self._arrived = anyio.Event()
            await self._arrived.wait()
        line = self._lines.popleft()
        if len(line) > self._max_line:
            self._lines.clear()
            self._ended = True
            raise LineTooLongError(f"the peer sent a message of more than {self._max_line // (1024 * 1024)} MiB")
        return line

    def close_sending(self) -> None:
        self._peer._end()

    def _end(self) -> None:
        self._ended = True
        self._arrived.set()
