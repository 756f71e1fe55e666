"""The routes and the proxy, asked by clients that are not codex, and what codex makes of a missing network."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import zstandard

from codex_oauth.testing import DROP, HANG, Cut, Hang, HttpResponse, LoopbackChatGPT, Request, Text

from .app_server import AppServer
from .web import Web, WebSocket, access_token

pytestmark = pytest.mark.timeout(60)

RESPONSES = "/backend-api/codex/responses"


@pytest.fixture
def token(chatgpt: LoopbackChatGPT, tmp_path: Path) -> str:
    chatgpt.sign_in(tmp_path / "token")
    return access_token(tmp_path / "token")


@pytest.fixture
def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def model(web: Web, token: str) -> WebSocket:
    return web.websocket(token)


def create(text: str, **more: object) -> str:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return json.dumps({"type": "response.create", "model": "m", "input": [item], **more})


def events(model: WebSocket) -> list[dict[str, Any]]:
    """Everything up to the end of one response."""
    received: list[dict[str, Any]] = []
    while not received or received[-1]["type"] not in ("response.completed", "error"):
        received.append(json.loads(model.recv(timeout=10)))
    return received


def test_another_host_is_refused_and_counted(chatgpt: LoopbackChatGPT, web: Web) -> None:
    with pytest.raises(OSError, match="403"):
        web.request("GET", "/", host="api.openai.com")

    assert chatgpt.refused == {"api.openai.com": 1}
    assert chatgpt.connections == {"api.openai.com": 1}
    assert chatgpt.requests == ()


def test_a_request_without_tls_is_refused(chatgpt: LoopbackChatGPT) -> None:
    proxy = urlsplit(chatgpt.proxy_url)
    with socket.create_connection((proxy.hostname, proxy.port or 0), timeout=10) as plain:
        plain.sendall(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        answer = b"".join(iter(lambda: plain.recv(4096), b""))

    assert b" 403 " in answer
    assert chatgpt.refused == {"example.com": 1}


def test_a_peer_that_speaks_no_http_disturbs_nobody(chatgpt: LoopbackChatGPT, web: Web) -> None:
    proxy = urlsplit(chatgpt.proxy_url)
    for noise in (
        b"\x16\x03\x01\x00\xff",
        b"CONNECT chatgpt.com:443 HTTP/1.1\r\nHost: chatgpt.com\r\n\r\n\x00\x01\x02",
    ):
        with socket.create_connection((proxy.hostname, proxy.port or 0), timeout=10) as plain:
            plain.sendall(noise)

    assert web.request("GET", "/nothing").status == 404


def test_an_unknown_path_is_not_found_and_recorded(chatgpt: LoopbackChatGPT, web: Web, bearer: dict[str, str]) -> None:
    answer = web.request("GET", "/backend-api/plugins/list?limit=3&q=", headers={"X-Thing": "a", **bearer})

    assert answer.status == 404
    (request,) = chatgpt.requests
    assert (request.host, request.method, request.path) == ("chatgpt.com", "GET", "/backend-api/plugins/list")
    assert dict(request.query) == {"limit": "3", "q": ""}
    assert request.headers["x-thing"] == "a"


def test_a_connection_serves_one_request_after_the_other(
    chatgpt: LoopbackChatGPT, web: Web, bearer: dict[str, str]
) -> None:
    connection = web.connection()
    for _ in range(3):
        connection.request("GET", "/backend-api/wham/accounts/check", headers=bearer)
        assert connection.getresponse().read()

    assert chatgpt.connections == {"chatgpt.com": 1}
    assert len(chatgpt.requests) == 3


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "identity"])
def test_a_compressed_body_is_recorded_as_it_was_before(
    chatgpt: LoopbackChatGPT, web: Web, bearer: dict[str, str], encoding: str
) -> None:
    body = json.dumps({"input": [], "model": "m", "padding": "x" * 10_000}).encode()
    # Streamed, so that the frame does not say how long its content is; this is how the binary sends it.
    stream = zstandard.ZstdCompressor().compressobj()
    packed = {"zstd": stream.compress(body) + stream.flush(), "gzip": gzip.compress(body), "identity": body}[encoding]

    answer = web.request("POST", RESPONSES, packed, {"content-encoding": encoding, **bearer})

    assert answer.status == 200
    assert chatgpt.requests[0].body == body
    assert chatgpt.requests[0].json["model"] == "m"
    assert chatgpt.model_requests[0].size == len(body)


def test_a_body_that_is_not_what_it_says_is_a_bad_request(web: Web, bearer: dict[str, str]) -> None:
    assert web.request("POST", RESPONSES, b"{}", {"content-encoding": "zstd", **bearer}).status == 400
    assert web.request("POST", RESPONSES, b"{}", {"content-encoding": "br", **bearer}).status == 400
    assert web.request("POST", RESPONSES, b"[]", bearer).status == 400
    assert web.request("POST", RESPONSES, b'{"input": "hi"}', bearer).status == 400


def test_a_route_can_be_overridden_and_taken_back(chatgpt: LoopbackChatGPT, web: Web, bearer: dict[str, str]) -> None:
    path = "/backend-api/wham/settings/user"
    chatgpt.respond(path, HttpResponse(401, {"detail": "no"}, {"X-Why": "because"}))
    assert web.request("GET", path, headers=bearer).json == {"detail": "no"}

    def only_posts(request: Request) -> HttpResponse | None:
        return HttpResponse(500) if request.method == "POST" else None

    chatgpt.respond(path, only_posts)
    assert web.request("POST", path, headers=bearer).status == 500
    assert web.request("GET", path, headers=bearer).status == 200

    chatgpt.respond(path, None)
    assert web.request("POST", path, headers=bearer).status == 404


def test_a_route_can_hang_until_its_client_goes_or_drop_it(
    chatgpt: LoopbackChatGPT, web: Web, bearer: dict[str, str]
) -> None:
    chatgpt.respond("/hang", HANG)
    chatgpt.respond("/drop", DROP)

    hanging = web.connection()
    hanging.request("GET", "/hang")
    chatgpt.wait_for_requests(1, path="/hang")
    hanging.close()

    with pytest.raises(OSError):  # noqa: PT011 - which error a cut connection is depends on the platform
        web.request("GET", "/drop")
    assert web.request("GET", "/backend-api/wham/settings/user", headers=bearer).status == 200


def test_a_prewarm_takes_no_reply_and_has_no_output(chatgpt: LoopbackChatGPT, model: WebSocket) -> None:
    chatgpt.script(Text("kept"))

    model.send(create("hi", generate=False))
    assert [event["type"] for event in events(model)] == ["response.created", "response.completed"]

    assert chatgpt.pending == 1
    assert (len(chatgpt.prewarms), len(chatgpt.model_requests)) == (1, 0)


def test_a_connection_knows_its_own_responses_only(web: Web, token: str, model: WebSocket) -> None:
    model.send(create("one"))
    first = events(model)[-1]["response"]["id"]
    model.send(create("two", previous_response_id=first))
    assert events(model)[-1]["type"] == "response.completed"

    other = web.websocket(token)
    other.send(create("three", previous_response_id=first))
    (refusal,) = events(other)
    assert (refusal["status"], refusal["error"]["code"]) == (400, "previous_response_not_found")

    other.send(create("three"))
    assert events(other)[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    "frame", ["not json", "[]", '{"type": "response.create", "input": "hi"}', '{"type": "response.nonsense"}']
)
def test_a_frame_that_makes_no_sense_is_refused_and_the_connection_goes_on(model: WebSocket, frame: str) -> None:
    model.send(frame)
    assert events(model)[0]["status"] == 400

    model.send(create("hi"))
    assert events(model)[-1]["type"] == "response.completed"


def test_a_hanging_answer_is_given_up_for_the_next_request(chatgpt: LoopbackChatGPT, model: WebSocket) -> None:
    chatgpt.script(Hang(), Text("next"))
    model.send(create("one"))
    assert json.loads(model.recv(timeout=10))["type"] == "response.created"

    model.send(create("two"))

    assert events(model)[-1]["type"] == "response.completed"
    chatgpt.wait_until(lambda: chatgpt.answering == 0)


def test_the_latency_comes_before_every_answer(chatgpt: LoopbackChatGPT, web: Web, bearer: dict[str, str]) -> None:
    chatgpt.latency = 0.05
    before = time.monotonic()

    assert web.request("POST", RESPONSES, b"{}", bearer).status == 200

    assert time.monotonic() - before >= 0.05


def test_a_message_in_pieces_is_one_request(chatgpt: LoopbackChatGPT, model: WebSocket) -> None:
    text = create("x" * 3_000_000)
    model.send(text[start : start + 100_000] for start in range(0, len(text), 100_000))
    events(model)

    assert chatgpt.model_requests[0].size == len(text)


def test_a_failing_script_is_a_server_error_and_raised_at_the_end(tmp_path: Path) -> None:
    def fail(request: object) -> Text:
        raise RuntimeError("my own mistake")

    def run() -> None:
        with LoopbackChatGPT() as chatgpt, Web(chatgpt) as web:
            chatgpt.sign_in(tmp_path)
            headers = {"authorization": f"Bearer {access_token(tmp_path)}"}
            chatgpt.script(fail)
            assert web.request("POST", RESPONSES, b"{}", headers).status == 500
            assert web.request("POST", RESPONSES, b"{}", headers).status == 200

    with pytest.raises(RuntimeError, match="my own mistake"):
        run()


def test_a_cut_reaches_the_client_as_far_as_it_went(chatgpt: LoopbackChatGPT, web: Web, bearer: dict[str, str]) -> None:
    chatgpt.script(Cut("so far"))
    connection = web.connection()
    connection.request("POST", RESPONSES, b"{}", bearer)
    response = connection.getresponse()

    received = b""
    with pytest.raises(Exception, match=r"EOF|read|reset"):  # noqa: PT012 - the loop ends in the error
        while True:
            received += response.read1() or response.read()
    assert b'"delta": "so far"' in received


def test_without_a_network_codex_waits_and_goes_on_when_it_is_back(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    codex.call("account/read", {})
    thread = codex.start_thread()
    chatgpt.offline = True

    turn = codex.start_turn(thread, "hi")
    assert codex.wait_for("error")["willRetry"] is True
    chatgpt.offline = False

    assert codex.finish(turn).text == "You said: hi"


def test_going_offline_cuts_what_is_open(chatgpt: LoopbackChatGPT, web: Web) -> None:
    chatgpt.respond("/hang", HANG)
    connection = web.connection()
    connection.request("GET", "/hang")
    chatgpt.wait_for_requests(1, path="/hang")

    chatgpt.offline = True

    with pytest.raises(OSError):  # noqa: PT011 - which error a cut connection is depends on the platform
        connection.getresponse()
    with pytest.raises(OSError):  # noqa: PT011 - as above
        web.request("GET", "/")
    assert chatgpt.connections == {"chatgpt.com": 2}


def test_the_models_offered_are_those_codex_lists(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: Callable[[], AppServer]
) -> None:
    chatgpt.sign_in(codex_home)
    catalogue = json.loads((codex_home / "models.json").read_bytes())["models"]
    config = (codex_home / "config.toml").read_text(encoding="utf-8").splitlines()
    unpinned = [line for line in config if not line.startswith("model_catalog_json")]
    (codex_home / "config.toml").write_text("\n".join(unpinned), encoding="utf-8")
    chatgpt.models = [{**catalogue[0], "slug": "gpt-of-the-future", "display_name": "Future"}]

    listed = start_codex().call("model/list", {})["data"]

    assert "gpt-of-the-future" in [model["id"] for model in listed]
