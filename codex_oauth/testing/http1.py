"""The server's side of one HTTP/1.1 connection, with keep-alive."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import h11
import zstandard

from .messages import HttpResponse, NoResponse, Request, Route
from .stream import Stream

__all__ = ["HttpConnection"]


class HttpConnection:
    """Reads requests from a stream and writes their answers, one at a time."""

    def __init__(self, stream: Stream, host: str) -> None:
        self.stream = stream
        self._host = host
        self._http = h11.Connection(h11.SERVER)
        self._upgrade = b""

    async def next_request(self) -> Request | None:
        """The next request, or None when there will be no other.

        Raises:
            h11.RemoteProtocolError: The peer does not speak HTTP.
            ValueError: The body is not what its `content-encoding` says.
        """
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        elif self._http.our_state is not h11.IDLE:
            return None
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match await self._next_event():
                case h11.Request() as head:
                    pass
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage() if head is not None:
                    return self._request(head, bytes(body))
                case _:
                    return None

    async def _next_event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self.stream.send(self._http.send(go_on) or b"")
            self._http.receive_data(await self.stream.receive())

    def _request(self, head: h11.Request, body: bytes) -> Request:
        headers: dict[str, str] = {}
        for name, value in head.headers:
            key, text = name.decode("ascii"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        # Rebuilt for a WebSocket handshake, which is parsed by the library that goes on with the connection.
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in head.headers.raw_items())
        self._upgrade = head.method + b" " + head.target + b" HTTP/1.1\r\n" + lines + b"\r\n"
        target = urlsplit(head.target.decode("ascii"))
        return Request(
            host=self._host,
            method=head.method.decode("ascii"),
            path=target.path,
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers=headers,
            body=_decoded(body, headers.get("content-encoding", "")),
            at=time.monotonic(),
        )

    def handed_over(self) -> bytes:
        """The last request's bytes and all that came after it, for another protocol to go on with."""
        return self._upgrade + self._http.trailing_data[0]

    async def answer(self, route: Route) -> None:
        """Sends a complete answer, or none."""
        match route:
            case NoResponse(drop):
                if not drop:
                    await self.stream.gone.wait()
                self.stream.abort()
            case HttpResponse():
                body, headers = route.encode()
                await self.begin(route.status, headers)
                await self.send(body)
                await self.end()

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Sends the head of an answer; without a content-length the body is chunked."""
        response = h11.Response(status_code=status, headers=list(headers.items()))
        await self.stream.send(self._http.send(response) or b"")

    async def send(self, body: bytes) -> None:
        """Sends a part of the body."""
        if body:
            await self.stream.send(self._http.send(h11.Data(data=body)) or b"")

    async def end(self) -> None:
        """Sends the end of the body."""
        await self.stream.send(self._http.send(h11.EndOfMessage()) or b"")


def _decoded(body: bytes, encoding: str) -> bytes:
    try:
        match encoding.lower():
            case "" | "identity":
                return body
            case "zstd":
                # The frame does not say how long its content is, which the one-call form insists on.
                return zstandard.ZstdDecompressor().decompressobj().decompress(body)
            case "gzip":
                return gzip.decompress(body)
            case "deflate":
                return zlib.decompress(body)
            case other:
                raise ValueError(f"unknown content-encoding {other!r}")
    except (zstandard.ZstdError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the body is not {encoding}") from error
