"""The server's side of one WebSocket, after the HTTP upgrade."""

from __future__ import annotations

from collections import deque
from typing import Final

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from .stream import Stream

__all__ = ["WebSocket"]

_MAX_MESSAGE: Final = 256 * 1024 * 1024
"""Bytes of a message: a conversation with images is far above the library's own 1 MiB."""


class WebSocket:
    """Text messages over a stream; pings and the closing handshake are answered on the way."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._protocol = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()], max_size=_MAX_MESSAGE)
        self._messages = deque[str]()
        self._parts = bytearray()

    async def accept(self, handshake: bytes) -> bool:
        """Answers the upgrade request in `handshake`; False when it was no valid one and has been refused."""
        self._protocol.receive_data(handshake)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame):
                self._collect(event)
        await self._flush()
        return self._protocol.state is State.OPEN

    async def receive(self) -> str | None:
        """The next message, or None when there will be no other."""
        if not await self.wait():
            return None
        return self._messages.popleft()

    async def wait(self) -> bool:
        """Waits for a message without taking it; False when there will be no other."""
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                return False
            data = await self.stream.receive()
            if not data:
                return False
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._collect(event)
            await self._flush()
        return True

    async def send(self, text: str) -> None:
        """Sends one message.

        Raises:
            ConnectionError: The peer is gone, or has closed.
        """
        if self._protocol.state is not State.OPEN:
            raise ConnectionResetError("the peer has closed")
        self._protocol.send_text(text.encode())
        await self._flush()

    def _collect(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts += frame.data
            if frame.fin:
                self._messages.append(self._parts.decode())
                self._parts.clear()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await self.stream.send(data)
        if self._protocol.close_expected():
            self.stream.close()
