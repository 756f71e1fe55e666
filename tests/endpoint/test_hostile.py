"""Clients that send what nobody should: they get the right status, and nobody else is harmed."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Hang, LoopbackChatGPT, Text
from tests.endpoint.served import TOKEN, Served, chat
from tests.scripted import eventually

MIB = 1024 * 1024
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\nAuthorization: Bearer {TOKEN}\r\n"
JSON = "Content-Type: application/json\r\n"


def raw(served: Served, data: bytes, *, timeout: float = 20.0) -> bytes:
    """What comes back, until the connection ends or enough is there."""
    with served.connect() as connected:
        connected.settimeout(timeout)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connected.sendall(data.replace(b"{port}", str(served.port).encode()))
        return received(connected)


def received(connected: socket.socket) -> bytes:
    """A whole answer with a length, or what came before the end."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connected.recv(65_536):
            found += piece
            head, separator, body = found.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if separator and lengths and len(body) >= int(lengths[0].split(b":")[1]):
                break
    return found


def status_of(answer: bytes) -> int:
    """The status of an answer."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300), 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 70_000, 400),
        (b"GET / HTTP/1.1\r\n" + b"X-Y: z\r\n" * 20_000, 400),
        (HEAD.encode() + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD.encode() + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (HEAD.encode() + JSON.encode() + b"Content-Length: 99999999999999\r\n\r\n", 413),
        (HEAD.encode() + JSON.encode() + b"Content-Length: 104857600\r\n\r\n", 413),
        (HEAD.encode() + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415),
        (HEAD.encode() + b"Content-Length: 2\r\n\r\n{}", 415),
        (HEAD.encode() + JSON.encode() + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
        (HEAD.encode() + JSON.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD.encode() + JSON.encode() + b"Content-Length: 0\r\n\r\n", 400),
        (HEAD.encode() + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", 415),
    ],
)
def test_what_is_no_request_gets_the_right_status(served: Served, data: bytes, status: int) -> None:
    answer = raw(served, data)
    assert status_of(answer) == status
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]
    assert served.get("/healthz").status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{'a': 1}",
        b'{"messages": NaN}',
        b'{"messages": [1e999]}',
        b"\xff\xfe{}",
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"model": ' + b"9" * 6000 + b"}",
        b"{}{}",
        b"\x00" * 100,
        json.dumps(chat("x", tools=[{"type": "function", "function": {"name": "\ud800"}}])).encode(),
        json.dumps(chat("half a pair: \ud800")).encode(),
        json.dumps(chat("x", model="m" * 100_000)).encode(),
        json.dumps({**chat("x"), "\ud800" * 40: 1}).encode(),
    ],
)
def test_a_body_that_is_none_is_refused_in_the_apis_form(served: Served, body: bytes) -> None:
    answer = served.ask("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    assert answer.status in (400, 404)
    assert answer.error["message"]
    assert len(answer.body) < 4096
    assert served.chatgpt.model_requests == ()


HOSTILE = "lo\r\nx-evil: 1"


@pytest.mark.parametrize(
    ("path", "parameters", "status", "ignored"),
    [
        ("responses", {"reasoning": {HOSTILE: 1}}, 200, "reasoning.lo??x-evil??1"),
        ("responses", {"text": {"ä\x00" * 50: 1}}, 200, "text." + "?" * 55),
        ("responses", {"reasoning": {f"m{number}": 1 for number in range(5000)}}, 200, "reasoning.m0, reasoning.m1, "),
        ("responses", {"reasoning": {"effort": HOSTILE}}, 400, None),
        ("responses", {"reasoning": {"effort": "x" * 100_000}}, 400, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_clients_own_words_are_no_part_of_the_head(
    served: Served, path: str, parameters: dict[str, Any], status: int, ignored: str | None, stream: bool
) -> None:
    answer = served.ask("POST", f"/v1/{path}", {"model": "default", "input": "hi", "stream": stream, **parameters})
    assert answer.status == status
    assert "x-evil" not in answer.headers
    assert "x-codex-oauth-effort" not in answer.headers
    given = answer.headers.get("x-codex-oauth-ignored")
    assert given is None if ignored is None else (given or "").startswith(ignored)
    assert len(given or "") <= 1010


def test_what_can_be_read_can_be_asked_for_without_its_body(served: Served) -> None:
    for path in ("/", "/healthz", "/metrics", "/v1/models"):
        answer = served.ask("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
    assert served.ask("HEAD", "/v1/chat/completions").status == 405


def test_a_schema_that_is_nested_to_the_limit_is_refused_or_served(served: Served) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(300):
        schema = {"type": "object", "properties": {"a": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    asked: list[dict[str, Any]] = [{"tools": [tool]}, {"response_format": form}]
    for parameters in asked:
        assert served.chat("x", **parameters).status in (200, 400)


def send_for_ever(connected: socket.socket, piece: bytes, sent: list[int]) -> None:
    with contextlib.suppress(OSError):
        while True:
            connected.sendall(piece)
            sent.append(len(piece))


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"Content-Length: 104857600\r\n\r\n", b" " * MIB),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b" " * MIB + b"\r\n"),
    ],
)
def test_a_body_that_is_too_large_is_refused_while_it_comes(served: Served, head: bytes, piece: bytes) -> None:
    sent: list[int] = []
    with served.connect() as connected:
        connected.sendall((HEAD + JSON).format(port=served.port).encode() + head)
        sending = threading.Thread(target=send_for_ever, args=(connected, piece, sent))
        sending.start()
        answer = received(connected)
        connected.shutdown(socket.SHUT_RDWR)
        sending.join(10)
    assert status_of(answer) == 413
    assert sum(sent) < 90 * MIB


def test_a_large_body_without_the_token_is_not_read(served: Served) -> None:
    answer = raw(
        served,
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 104857600\r\n\r\n"
        + b" " * MIB,
    )
    assert status_of(answer) == 401


def test_a_client_that_asks_first_whether_to_send_is_told(served: Served) -> None:
    expecting = (HEAD + JSON).encode() + b"Expect: 100-continue\r\nContent-Length: "
    assert status_of(raw(served, expecting + b"104857600\r\n\r\n")) == 413
    with served.connect() as connected:
        body = json.dumps(chat("hi")).encode()
        connected.sendall(expecting.replace(b"{port}", str(served.port).encode()) + f"{len(body)}\r\n\r\n".encode())
        assert connected.recv(100).startswith(b"HTTP/1.1 100")
        connected.sendall(body)
        assert status_of(received(connected)) == 200


def test_requests_on_one_connection_are_answered_in_their_order(served: Served) -> None:
    head = f"GET /v1/models/{{name}} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    with served.connect() as connected:
        connected.sendall(b"".join(head.format(name=f"no-{number}").encode() for number in range(20)))
        answers = b""
        while answers.count(b"no-19") < 1:
            answers += connected.recv(65_536)
    places = [answers.index(f"no-{number}'".encode()) for number in range(20)]
    assert places == sorted(places)


def memory() -> float:
    """This process's resident megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / MIB


def test_half_open_clients_harm_nobody(served: Served) -> None:
    served.chat("warm")
    before = memory()
    with contextlib.ExitStack() as stack:
        half_open = [stack.enter_context(served.connect()) for _ in range(700)]
        for number, connected in enumerate(half_open):
            # Some say nothing, some begin a head, some a body that never comes.
            with contextlib.suppress(OSError):
                if number % 3 == 1:
                    connected.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0")
                elif number % 3 == 2:
                    connected.sendall((HEAD + JSON).format(port=served.port).encode() + b"Content-Length: 900\r\n\r\n{")
        served.chatgpt.default = Text("still here")
        for _ in range(3):
            answer = served.chat("hi")
            assert (answer.status, answer.json["choices"][0]["message"]["content"]) == (200, "still here")
        assert len(served.server.server_state.connections) <= 512 + 1
    assert eventually(lambda: len(served.server.server_state.connections) <= 2)
    assert memory() - before < 60


def test_a_client_that_does_not_read_its_stream_harms_nobody(served: Served) -> None:
    served.chatgpt.script(Text("long " * 200_000, chunks=2000))
    with served.send_chat("hi", stream=True) as connected:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        served.chatgpt.wait_for_model_requests(1)
        assert served.chat("hi").status == 200


@pytest.fixture(scope="module")
def narrow(
    module_settings: Settings, stand_in: LoopbackChatGPT, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """An endpoint that runs one call at a time, and none for long."""
    with Served(module_settings, stand_in, tmp_path_factory.mktemp("narrow"), timeout=1.5, concurrency=1) as served:
        yield served


def test_calls_wait_for_their_turn_and_too_many_are_told_to_come_again(served: Served, narrow: Served) -> None:
    narrow.chatgpt.script(Hang())
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(narrow.send_chat("first"))
        narrow.chatgpt.wait_for_model_requests(1)
        waiting = [stack.enter_context(narrow.send_chat("next")) for _ in range(4)]
        assert eventually(lambda: narrow.get("/metrics").body.count(b"codex_oauth_in_flight 5") == 1)
        refused = narrow.chat("one too many")
        assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
        assert refused.headers["retry-after"] == "2"
        assert "x-should-retry" not in refused.headers
        running.close()
        assert [status_of(received(connected)) for connected in waiting] == [200] * 4
    assert narrow.chat("now").status == 200


def test_a_call_that_takes_too_long_is_given_up_and_not_repeated(served: Served, narrow: Served) -> None:
    narrow.chatgpt.script(Hang())
    answer = narrow.chat("hi")
    assert (answer.status, answer.error["code"]) == (504, "deadline_exceeded")
    assert answer.headers["x-should-retry"] == "false"
    narrow.chatgpt.wait_until(lambda: narrow.chatgpt.answering == 0)
