"""A tapes server for tests: it checks what it is sent by the contract, keeps one of each, and can be down or ill."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from tests.recorder.contract import check

__all__ = ("TapesServer",)

PATIENCE = 20.0


class TapesServer:
    """Listens on a port of 127.0.0.1, the same one each time that it is started.

    Attributes:
        posts: Every payload that came, with the status that it was answered with.
        ill: What the next requests are answered with, instead of what the contract says: a status; `hang` for nothing
            until the server stops; `drop` for a closed connection; `lost` for one that is closed after the payload
            was kept.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, Any], int]] = []
        self.ill: deque[int | Literal["hang", "drop", "lost"]] = deque()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """What a sink is given."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def kept(self) -> dict[str, dict[str, Any]]:
        """The payloads that were taken, by their `request_id`: of those with the same one, the first."""
        kept: dict[str, dict[str, Any]] = {}
        for payload, status in self.posts:
            if status == 202:
                kept.setdefault(payload["meta"]["request_id"], payload)
        return kept

    def start(self) -> Self:
        """Begin to listen."""
        self._stopped.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Go down: what connects from now on is refused."""
        self._stopped.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(PATIENCE)
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def wait_until(self, predicate: Callable[[], bool]) -> None:
        """Wait until something holds; it is tried after every request."""
        with self._changed:
            assert self._changed.wait_for(predicate, PATIENCE), f"{len(self.posts)} posts, {len(self.kept)} kept"

    def _answered(self, body: bytes, content_type: str) -> tuple[int, str] | None:
        status, words = check(body, content_type)
        with self._changed:
            sick = self.ill.popleft() if self.ill else None
            if isinstance(sick, int):
                status, words = sick, "as the test wants it"
            if sick != "drop":
                self.posts.append((json.loads(body), 0 if sick == "hang" else status))
            self._changed.notify_all()
        if sick == "hang":
            self._stopped.wait(PATIENCE)
        return (status, words) if sick is None or isinstance(sick, int) else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        tapes = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path != "/v1/ingest":
                    self.send_error(404)
                    return
                answered = tapes._answered(body, self.headers["content-type"])
                if answered is None:
                    self.close_connection = True
                    return
                status, words = answered
                answer = json.dumps({"status": words} if status == 202 else {"error": words}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in its base
                pass

        return Handler
