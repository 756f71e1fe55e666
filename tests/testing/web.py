"""A client of the stand-in that is not codex, for what codex never does."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import ExitStack
from email.message import Message
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from codex_oauth.testing import LoopbackChatGPT


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Message

    @property
    def json(self) -> Any:
        return json.loads(self.body)


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

    def websocket(self, token: str, address: str = "wss://chatgpt.com/backend-api/codex/responses") -> ClientConnection:
        host = urlsplit(address).netloc
        proxy = urlsplit(self._chatgpt.proxy_url)
        assert proxy.hostname is not None
        assert proxy.port is not None
        plain = self._open.enter_context(socket.create_connection((proxy.hostname, proxy.port), timeout=10))
        plain.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        reply = b""
        while b"\r\n\r\n" not in reply:
            reply += plain.recv(1)
        assert b" 200 " in reply
        return self._open.enter_context(
            connect(
                address,
                sock=plain,
                ssl=ssl.create_default_context(cafile=self._chatgpt.ca_file),
                additional_headers={"authorization": f"Bearer {token}"},
                max_size=None,
            )
        )


def access_token(codex_home: Path) -> str:
    """The token that signing in has written."""
    return read_auth(codex_home)["tokens"]["access_token"]


def read_auth(codex_home: Path) -> Any:
    return json.loads((codex_home / "auth.json").read_bytes())
