"""An endpoint that serves in this process, and its clients."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import anyio

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.endpoint.access import AccessLog
from codex_oauth.endpoint.apis import APIS
from codex_oauth.endpoint.running import HOST, Serving, listen, serve
from codex_oauth.testing import LoopbackChatGPT
from tests.scripted import eventually

__all__ = ("TOKEN", "Answer", "Served", "chat")

TOKEN = "codex-oauth-test-token-0123456789"


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """What it says went wrong."""
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        """The data of a stream; `[DONE]` as text."""
        pieces = self.body.decode().split("\n\n")
        assert pieces.pop() == ""
        data = [piece.removeprefix("data: ") for piece in pieces]
        return [text if text == "[DONE]" else json.loads(text) for text in data]


class Served:
    """An endpoint in a thread, for as long as the block lasts.

    Args:
        settings: What its calls work with.
        chatgpt: Who answers.
        folder: Where its log goes.
    """

    def __init__(
        self,
        settings: Settings,
        chatgpt: LoopbackChatGPT,
        folder: Path,
        *,
        timeout: float = 20.0,
        concurrency: int = 64,
    ) -> None:
        self.chatgpt = chatgpt
        self.settings = settings
        self.log_file = folder / "access.jsonl"
        self.said: list[str] = []
        self.server: Any = None
        self._log = AccessLog(self.log_file)
        self._listening = listen(0)
        self.port: int = self._listening.getsockname()[1]
        self.base_url = f"http://{HOST}:{self.port}/v1"
        self._serving = Serving(
            token=TOKEN, timeout=timeout, concurrency=concurrency, token_command="cat token", log=self._log
        )
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="endpoint")

    def _run(self) -> None:
        codex = AsyncCodex(settings=self.settings, max_concurrency=self._serving.concurrency)
        job = partial(serve, codex, self._listening, self._serving, APIS, say=self.said.append, started=self._started)
        try:
            anyio.run(job)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for the thread
            self._failure = error

    def _started(self, server: Any) -> None:
        self.server = server

    def __enter__(self) -> Self:
        self._thread.start()
        # The socket listens already: who connects is served once there is somebody.
        assert self.get("/healthz").status == 200
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.wait()
        self._log.close()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The access log."""
        return [json.loads(line) for line in self.log_file.read_bytes().splitlines()]

    def line_of(self, answer: Answer) -> dict[str, Any]:
        """The access log's line about an answer."""
        found: list[dict[str, Any]] = []

        def written() -> bool:
            # It is written once the answer has gone.
            found.extend(line for line in self.lines if line["id"] == answer.headers["x-request-id"])
            return bool(found)

        assert eventually(written)
        return found[0]

    # --- clients --------------------------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, *, token: bool = True
    ) -> Answer:
        """One request; a body that is not bytes is sent as JSON."""
        sent = dict(headers or {})
        if token:
            sent.setdefault("authorization", f"Bearer {TOKEN}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None, *, token: bool = True) -> Answer:
        """A GET."""
        return self.ask("GET", path, headers=headers, token=token)

    def chat(self, *messages: Any, headers: Mapping[str, str] | None = None, **parameters: Any) -> Answer:
        """A chat completion; a message that is text is the user's."""
        return self.ask("POST", "/v1/chat/completions", chat(*messages, **parameters), headers)

    def connect(self) -> socket.socket:
        """A connection that has sent nothing."""
        return socket.create_connection((HOST, self.port), timeout=20)

    def send_chat(self, *messages: Any, **parameters: Any) -> socket.socket:
        """A connection on which a chat completion was asked for."""
        body = json.dumps(chat(*messages, **parameters)).encode()
        connected = self.connect()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connected.sendall(head.encode() + body)
        return connected


def chat(*messages: Any, **parameters: Any) -> dict[str, Any]:
    """A chat completion's body; a message that is text is the user's."""
    said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    return {"model": "default", "messages": said, **parameters}
