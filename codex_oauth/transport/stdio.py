"""Newline-delimited messages over a child's stdin and stdout."""

from __future__ import annotations

from codex_oauth.errors import LineTooLongError
from codex_oauth.process.child import Child
from codex_oauth.transport.base import MAX_LINE

__all__ = ("StdioTransport",)


class StdioTransport:
    """A `Transport` over a child's pipes."""

    def __init__(self, child: Child, *, max_line: int = MAX_LINE) -> None:
        self._child = child
        self._max_line = max_line
        self._buffer = bytearray()
        self._searched = 0
        self._start = 0
        self._ended = False

    async def send(self, line: bytes) -> None:
        await self._child.write(line + b"\n")

    async def receive(self) -> bytes | None:
        while True:
            newline = self._buffer.find(b"\n", self._searched)
            if newline >= 0:
                line = bytes(memoryview(self._buffer)[self._start : newline])
                self._start = self._searched = newline + 1
                return line
            # Whole lines are cut off the front together: one by one, each of a burst would move all the rest.
            del self._buffer[: self._start]
            self._start = 0
            # Only new bytes are searched, or a line of many reads would be searched anew with each.
            self._searched = len(self._buffer)
            if self._searched > self._max_line:
                self._buffer.clear()
                self._searched = 0
                self._ended = True
                raise LineTooLongError(
                    f"the app-server sent more than {self._max_line // (1024 * 1024)} MiB without ending the message"
                )
            if self._ended:
                return None
            chunk = await self._child.read()
            if not chunk:
                # A message without its newline was cut off: the sender died in the middle of it.
                self._ended = True
                self._buffer.clear()
                self._searched = 0
                await self._child.last_words()
                return None
            self._buffer += chunk

    def close_sending(self) -> None:
        self._child.close_stdin()
