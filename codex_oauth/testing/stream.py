"""One accepted TCP connection, in the clear at first and with TLS later."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

__all__ = ["Stream"]


class Stream(asyncio.Protocol):
    """Bytes in both directions, and the knowledge of whether the peer is still there.

    `asyncio.StreamReader` is not used because it tells of the peer's end only to whoever reads, and an answer that is
    being held back has to end the moment its reader goes.
    """

    def __init__(self, opened: Callable[[Stream], None]) -> None:
        self.gone = asyncio.Event()
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._readable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.gone.set()
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def receive(self) -> bytes:
        """The next bytes, or none at the end."""
        await self._readable.wait()
        data = bytes(self._received)
        self._received.clear()
        if not self.gone.is_set():
            self._readable.clear()
        return data

    async def send(self, data: bytes) -> None:
        """Writes `data` and waits while the peer reads too slowly.

        Raises:
            ConnectionError: The peer is gone.
        """
        if self._transport is None or self.gone.is_set():
            raise ConnectionResetError("the peer is gone")
        self._transport.write(data)
        await self._writable.wait()

    async def gone_within(self, seconds: float) -> bool:
        """Waits this long at most, and says whether the peer went."""
        try:
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        except TimeoutError:
            return False
        return True

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Becomes the server's side of a TLS connection.

        Raises:
            OSError: The handshake failed; `ssl.SSLError` is one.
        """
        if self._transport is None:
            raise ConnectionResetError("the peer is gone")
        loop = asyncio.get_running_loop()
        plain = self._transport
        try:
            self._transport = await loop.start_tls(plain, self, context, server_side=True)
        except OSError:
            plain.abort()
            raise

    def close(self) -> None:
        """Ends the connection after what was written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once, without TLS's own goodbye."""
        self.connection_lost(None)
        if self._transport is not None:
            self._transport.abort()
