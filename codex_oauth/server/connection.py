"""One client's connection: one request of HTTP/1.1, and its answer."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import anyio
import h11
from anyio.lowlevel import checkpoint

from codex_oauth.thin.wire import LARGEST

__all__ = ("Connection", "Refused", "Request")

_READ: Final = 262_144
_HEAD_PATIENCE: Final = 5.0
_BODY_PATIENCE: Final = 20.0
# Seconds for a request's head, and for all of it. Clients send both at once, out of memory.

_SEND_PATIENCE: Final = 10.0
"""Seconds for a client to take its answer."""

_UNASKED: Final = 65_536
# Bytes that a client may send after its request, before it counts as gone.


class Refused(Exception):
    """A request that gets an answer other than 200.

    Attributes:
        status: The HTTP status.
        why: One line for its sender.
        headers: What goes with it.
    """

    def __init__(self, status: HTTPStatus, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Request:
    """A request, whole.

    Attributes:
        method: Upper-case.
        path: Without a query.
        headers: Names in lower case, the last value of each.
        body: What came with it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def number(self, name: str) -> int:
        """A header that is a whole number.

        Raises:
            Refused: It is missing, or none.
        """
        text = self.headers.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a number")
        return int(text)


class Connection:
    """A connected socket, for one request."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._http = h11.Connection(h11.SERVER)

    async def request(self) -> Request | None:
        """The request; None where the client has left before it was whole.

        Raises:
            Refused: It is no request, too long, or too slow to come.
        """
        try:
            with anyio.fail_after(_HEAD_PATIENCE):
                head = await self._event()
            if not isinstance(head, h11.Request):
                return None
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
            if int(headers.get("content-length", "0")) > LARGEST:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LARGEST} bytes")
            body = await self._body()
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time") from None
        except h11.RemoteProtocolError as error:
            # h11's words are about the form, and quote nothing.
            raise Refused(HTTPStatus(error.error_status_hint), "not a request of HTTP/1.1") from error
        if body is None:
            return None
        path = head.target.decode("latin-1").partition("?")[0]
        return Request(head.method.decode("ascii"), path, headers, body)

    async def _body(self) -> bytes | None:
        body = bytearray()
        with anyio.fail_after(_BODY_PATIENCE):
            while not isinstance(event := await self._event(), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    return None
                body += event.data
                if len(body) > LARGEST:  # without a content-length
                    raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LARGEST} bytes")
        return bytes(body)

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._receive())

    async def inform(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        """Send a word before the answer (1xx)."""
        await self._send(h11.InformationalResponse(status_code=status, headers=list(headers.items())))

    async def answer(self, status: HTTPStatus, headers: Mapping[str, str], body: bytes) -> None:
        """Send the answer. A client that has left is not told."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        head = h11.Response(
            status_code=status,
            reason=status.phrase.encode("ascii"),
            headers=[*headers.items(), ("content-length", str(len(body))), ("connection", "close")],
        )
        await self._send(head, h11.Data(data=body), h11.EndOfMessage())

    async def _send(self, *events: h11.Event) -> None:
        data = memoryview(b"".join(self._http.send(event) or b"" for event in events))
        with anyio.move_on_after(_SEND_PATIENCE):
            while data:
                try:
                    data = data[self._socket.send(data) :]
                except BlockingIOError:
                    with suppress(anyio.ClosedResourceError):
                        await anyio.wait_writable(self._socket)
                except OSError:
                    return  # it has left

    async def gone(self) -> None:
        """Wait until the client leaves. Half of a connection is none: clients keep both open for their answer."""
        unasked = 0
        while data := await self._receive():
            unasked += len(data)
            if unasked > _UNASKED:
                return

    async def _receive(self) -> bytes:
        await checkpoint()  # who sends without a pause must not have the loop alone
        while True:
            try:
                return self._socket.recv(_READ)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
            except OSError:
                return b""

    def close(self) -> None:
        """Close it."""
        anyio.notify_closing(self._socket)
        self._socket.close()
