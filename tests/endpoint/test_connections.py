"""Connections that keep the server waiting."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn")

import uvicorn

from codex_oauth.endpoint.connections import bounded_protocol
from tests.scripted import eventually

MOST = 6


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Says 200 to whoever asks, or waits for a body where the path says so."""
    if scope["path"] == "/body":
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
    body = b"ok" if scope["path"] != "/large" else bytes(32 * 1024 * 1024)
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


class Served:
    """A server of an application that says little."""

    def __init__(self) -> None:
        protocol = bounded_protocol(most=MOST, head_patience=0.3, rest_patience=0.3, write_patience=0.3)
        self.listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            hello,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_keep_alive=30,
        )
        self.server = uvicorn.Server(config)

    def connect(self, data: bytes = b"") -> socket.socket:
        """A connection that has sent something."""
        connected = socket.create_connection(self.listening.getsockname(), timeout=10)
        connected.sendall(data)
        return connected

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self.server.server_state.connections)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server, for the whole module."""
    made = Served()
    thread = threading.Thread(target=made.server.run, args=([made.listening],))
    thread.start()
    assert eventually(lambda: made.server.started)
    yield made
    made.server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"


def answered(connected: socket.socket) -> bool:
    """Whether the next answer is the application's, whole."""
    found = b""
    while not found.endswith(b"\r\n\r\nok"):
        piece = connected.recv(1)
        if not piece:
            return False
        found += piece
    return found.startswith(b"HTTP/1.1 200")


def end_of(connected: socket.socket) -> bytes:
    """Everything that comes until the other side ends it."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connected.recv(65_536):
            found += piece
    return found


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", REQUEST + b"GET /"])
def test_a_head_that_does_not_come_ends_the_connection(served: Served, begun: bytes) -> None:
    with served.connect(begun) as connected:
        answer = end_of(connected)
    assert answer.count(b"200 OK") == begun.count(REQUEST)


def test_a_head_that_comes_byte_by_byte_has_no_longer(served: Served) -> None:
    with served.connect() as connected, contextlib.suppress(OSError):
        connected.settimeout(0.01)
        while True:
            connected.sendall(b"G")
            with contextlib.suppress(TimeoutError):
                if not connected.recv(1):
                    break


def test_a_connection_may_be_kept_between_two_requests(served: Served) -> None:
    with served.connect(REQUEST) as connected:
        assert answered(connected)
        # Longer than a head may take.
        connected.settimeout(0.6)
        with pytest.raises(TimeoutError):
            connected.recv(1)
        connected.settimeout(10)
        connected.sendall(REQUEST)
        assert answered(connected)


def test_the_rest_of_a_body_that_nobody_wants_is_read_for_a_moment(served: Served) -> None:
    with served.connect(SLOW.replace(b"/body", b"/")) as connected:
        assert answered(connected)
        assert end_of(connected) == b""
    with served.connect(SLOW.replace(b"/body", b"/")) as connected:
        assert answered(connected)
        connected.sendall(b"x" * 100 + REQUEST)
        assert answered(connected)


def test_a_client_that_does_not_read_its_answer_is_let_go(served: Served) -> None:
    with served.connect(REQUEST.replace(b"/", b"/large", 1)) as connected:
        assert connected.recv(1000)
        assert served.open == 1
        assert eventually(lambda: served.open == 0)


def test_whoever_waits_longest_makes_room_and_nobody_who_is_served_does(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(served.connect(SLOW)) for _ in range(MOST)]
        assert eventually(lambda: served.open == MOST)
        newest = stack.enter_context(served.connect(REQUEST))
        assert answered(newest)
        assert end_of(waiting[0]) == b""
        waiting[1].sendall(b"x" * 100)
        assert answered(waiting[1])
    assert eventually(lambda: served.open == 0)
