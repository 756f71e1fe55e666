"""The CONNECT proxy in front: the only way in, and the place where other hosts are turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from urllib.parse import urlsplit

import h11

from .certificates import certificates
from .http1 import HttpConnection
from .messages import HttpResponse, Request
from .recording import Recording
from .stream import Stream

__all__ = ["Proxy"]

Handler = Callable[[Request, HttpConnection], Awaitable[None]]


class Proxy:
    """Tunnels connections for its hosts to a handler of HTTP requests, and refuses all others."""

    def __init__(self, recording: Recording, hosts: Collection[str], handler: Handler) -> None:
        self.offline = False
        self._hosts = hosts
        self._recording = recording
        self._handler = handler
        self._streams = set[Stream]()
        self._tasks = set[asyncio.Task[None]]()

    async def serve(self, ready: Callable[[int], None], stopped: asyncio.Event) -> None:
        """Listens on a free port of 127.0.0.1, tells it to `ready`, and ends once `stopped` is set."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Stream(self._accept), "127.0.0.1", 0)
        try:
            ready(server.sockets[0].getsockname()[1])
            await stopped.wait()
        finally:
            server.close()
            self.drop_all()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop_all(self) -> None:
        """Cuts every open connection."""
        for stream in tuple(self._streams):
            stream.abort()

    def _accept(self, stream: Stream) -> None:
        self._streams.add(stream)
        task = asyncio.get_running_loop().create_task(self._tunnel(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tunnel(self, stream: Stream) -> None:
        try:
            # A peer that goes, or that speaks neither HTTP nor TLS, ends its own connection and nothing else.
            with suppress(OSError, h11.ProtocolError):
                host = await self._connect(stream)
                if host is not None:
                    await stream.start_tls(certificates().server)
                    await self._serve(stream, host)
        finally:
            stream.close()
            self._streams.discard(stream)

    async def _connect(self, stream: Stream) -> str | None:
        """Answers the CONNECT; the host when there is to be a tunnel."""
        http = h11.Connection(h11.SERVER)
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await stream.receive())
        if not isinstance(event, h11.Request):
            return None
        authority = event.target.decode("ascii")
        if event.method != b"CONNECT":
            # A plain `http://` request for a proxy to forward: the whole address stands in the target.
            authority = urlsplit(authority).netloc
        host, _, port = authority.partition(":")
        allowed = event.method == b"CONNECT" and host in self._hosts and port == "443"
        self._recording.connection(host, refused=not allowed)
        if self.offline:
            stream.abort()
            return None
        status, reason = (200, b"Connection established") if allowed else (403, b"Forbidden")
        await stream.send(b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, b"" if allowed else b"content-length: 0\r\n"))
        return host if allowed else None

    async def _serve(self, stream: Stream, host: str) -> None:
        http = HttpConnection(stream, host)
        while True:
            try:
                request = await http.next_request()
            except ValueError as error:
                await http.answer(HttpResponse(400, {"detail": str(error)}))
                return
            if request is None:
                return
            self._recording.request(request)
            await self._handler(request, http)
