"""A client of the stand-in that is not codex, for what codex never does."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from contextlib import ExitStack
from email.message import Message
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from websockets.asyncio.client import ClientConnection, connect

from codex_oauth.testing import LoopbackChatGPT


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Message

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class WebSocket:
    """A connection of an event loop in a thread: a TLS socket that one thread reads while another one writes is not
    safe before Python 3.13.1, and the blocking client of `websockets` now and then waited for ever."""

    def __init__(self, connection: ClientConnection, portal: BlockingPortal) -> None:
        self._connection = connection
        self._portal = portal

    def send(self, message: str | Iterable[str]) -> None:
        self._portal.call(self._connection.send, message)

    def recv(self, timeout: float) -> str | bytes:
        async def receive() -> str | bytes:
            with anyio.fail_after(timeout):
                return await self._connection.recv()

        return self._portal.call(receive)


class Web:
    """HTTP and WebSockets through the stand-in's proxy."""

    def __init__(self, chatgpt: LoopbackChatGPT) -> None:
        self._chatgpt = chatgpt
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def connection(self, host: str = "chatgpt.com") -> HTTPSConnection:
        proxy = urlsplit(self._chatgpt.proxy_url)
        context = ssl.create_default_context(cafile=self._chatgpt.ca_file)
        assert proxy.hostname is not None
        connection = HTTPSConnection(proxy.hostname, proxy.port, timeout=10, context=context)
        connection.set_tunnel(host, 443)
        self._open.callback(connection.close)
        return connection

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        host: str = "chatgpt.com",
    ) -> Answer:
        connection = self.connection(host)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.headers)

    def websocket(self, token: str, address: str = "wss://chatgpt.com/backend-api/codex/responses") -> WebSocket:
        portal = self._open.enter_context(start_blocking_portal())
        connecting = connect(
            address,
            proxy=self._chatgpt.proxy_url,
            ssl=ssl.create_default_context(cafile=self._chatgpt.ca_file),
            additional_headers={"authorization": f"Bearer {token}"},
            max_size=None,
        )
        return WebSocket(self._open.enter_context(portal.wrap_async_context_manager(connecting)), portal)


def access_token(codex_home: Path) -> str:
    """The token that signing in has written."""
    return read_auth(codex_home)["tokens"]["access_token"]


def read_auth(codex_home: Path) -> Any:
    return json.loads((codex_home / "auth.json").read_bytes())
