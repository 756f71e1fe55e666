"""A network in front of the stand-in: `python -m benchmarks.relay PORT MS`, a TCP relay that delays and counts.

Each direction is delayed by half of the round trip. The CONNECT that a client sends to the proxy behind it then costs
what TCP's own handshake costs without a proxy: one round trip, before TLS.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import Any, cast

__all__ = ("main",)


class Relay:
    """Everything that came through, and how long it takes."""

    def __init__(self, port: int, delay: float) -> None:
        self.port = port
        self.delay = delay
        self.connections = self.sent = self.received = 0

    def answer(self, do: str, line: dict[str, Any]) -> dict[str, Any]:
        """Do what a line says."""
        match do:
            case "counts":
                return {"connections": self.connections, "sent": self.sent, "received": self.received}
            case "reset":
                self.connections = self.sent = self.received = 0
                return {}
            case _:
                raise ValueError(do, line)


class _Way(asyncio.Protocol):
    """One end of a connection: what comes in here goes out at `other`, later."""

    def __init__(self, relay: Relay, *, client: bool) -> None:
        self.relay = relay
        self.client = client
        self.other: _Way | None = None
        self.transport: asyncio.Transport | None = None
        # In order: timers that are due at once may run in any.
        self._waiting = deque[tuple[float, bytes | None]]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.client:
            self.relay.connections += 1
            asyncio.get_running_loop().create_task(self._connect())
        elif self.other is not None:
            self.other.flow()

    async def _connect(self) -> None:
        other = _Way(self.relay, client=False)
        other.other, self.other = self, other
        await asyncio.get_running_loop().create_connection(lambda: other, "127.0.0.1", self.relay.port)

    def data_received(self, data: bytes) -> None:
        if self.client:
            self.relay.sent += len(data)
        else:
            self.relay.received += len(data)
        self._put(data)

    def eof_received(self) -> bool:
        self._put(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._put(None)

    def _put(self, data: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + self.relay.delay, data))
        if self.relay.delay:
            loop.call_later(self.relay.delay, self.flow)
        else:
            self.flow()

    def flow(self) -> None:
        """Hand on what is due."""
        target = self.other.transport if self.other is not None else None
        if target is None:
            return  # it is called again once there is one
        now = asyncio.get_running_loop().time() + 0.0005
        while self._waiting and self._waiting[0][0] <= now:
            _, data = self._waiting.popleft()
            if data is None:
                target.close()
            elif not target.is_closing():
                target.write(data)


async def _serve(relay: Relay) -> None:
    from benchmarks.lines import serve

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Way(relay, client=True), "127.0.0.1", 0)

    def answer(do: str, line: dict[str, Any]) -> dict[str, Any]:
        return {"port": server.sockets[0].getsockname()[1]} if do == "port" else relay.answer(do, line)

    async with server:
        await asyncio.to_thread(serve, answer, sys.stdin.buffer, sys.stdout.buffer)


def main() -> None:
    """Serve until stdin ends."""
    port, milliseconds = sys.argv[1:]
    asyncio.run(_serve(Relay(int(port), float(milliseconds) / 2000)))


if __name__ == "__main__":
    main()
