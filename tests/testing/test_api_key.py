"""The API's host: the wallet beside the plan, refused unless the stand-in is given keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from codex_cli_bin import bundled_codex_path

from codex_oauth.testing import LoopbackChatGPT, RateLimits, Text

from .app_server import AppServer
from .web import Answer, Web, read_auth

pytestmark = pytest.mark.timeout(60)

API = "api.openai.com"
KEY = "sk-loopback"


@pytest.fixture
def chatgpt() -> Iterator[LoopbackChatGPT]:
    """A stand-in that takes an API key."""
    with LoopbackChatGPT(api_keys=(KEY,)) as stand_in:
        yield stand_in


def ask(web: Web, key: str | None, path: str = "/v1/responses", host: str = API) -> Answer:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return web.request("POST", path, b'{"model": "m", "input": []}', headers, host)


@pytest.mark.parametrize("websocket", [True, False])
def test_codex_with_an_api_key_completes_its_turns_at_the_api_alone(
    chatgpt: LoopbackChatGPT, codex_home: Path, websocket: bool
) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(Text("from the other wallet"))
    with AppServer(bundled_codex_path(), codex_home, chatgpt.environment) as codex:
        codex.call("account/login/start", {"type": "apiKey", "apiKey": KEY})

        assert codex.wait_for("account/login/completed")["success"] is True
        assert codex.call("account/read", {})["account"] == {"type": "apiKey"}
        thread = codex.start_thread()
        assert codex.turn(thread, "one").text == "from the other wallet"
        assert codex.turn(thread, "two").text == "You said: two"

    assert {(request.host, request.path, request.bearer) for request in chatgpt.requests} == {
        (API, "/v1/responses", KEY)
    }
    assert [request.transport for request in chatgpt.model_requests] == ["websocket" if websocket else "sse"] * 2
    assert {(request.request.host, request.request.bearer) for request in chatgpt.model_requests} == {(API, KEY)}
    assert set(chatgpt.connections) == {API}
    assert chatgpt.refused == {}


def test_what_each_wallet_paid_is_told_apart(chatgpt: LoopbackChatGPT, codex_home: Path) -> None:
    with AppServer(bundled_codex_path(), codex_home, chatgpt.environment) as codex:
        codex.call("account/login/start", {"type": "apiKey", "apiKey": KEY})
        codex.turn(codex.start_thread(), "by the key")
        # The home's key is the stand-in's own, and no person's sign-in is lost.
        chatgpt.sign_in(codex_home)
    with AppServer(bundled_codex_path(), codex_home, chatgpt.environment) as codex:
        codex.turn(codex.start_thread(), "by the plan")

    token = read_auth(codex_home)["tokens"]["access_token"]
    assert [(request.text, request.request.host, request.request.bearer) for request in chatgpt.model_requests] == [
        ("by the key", API, KEY),
        ("by the plan", "chatgpt.com", token),
    ]


@pytest.mark.parametrize("key", ["sk-another", None])
def test_another_key_is_refused_as_the_api_does_and_not_repeated(web: Web, key: str | None) -> None:
    answer = ask(web, key)

    assert answer.status == 401
    error = answer.json["error"]
    assert error.pop("message").startswith("Incorrect API key provided")
    assert error == {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    assert b"sk-another" not in answer.body


def test_a_key_opens_the_api_only_and_a_plan_s_token_does_not(
    chatgpt: LoopbackChatGPT, web: Web, tmp_path: Path
) -> None:
    chatgpt.sign_in(tmp_path)
    token = read_auth(tmp_path)["tokens"]["access_token"]

    assert ask(web, token).status == 401
    assert ask(web, KEY, "/backend-api/codex/responses", "chatgpt.com").status == 401
    assert ask(web, KEY).status == 200
    assert chatgpt.model_requests[0].request.bearer == KEY
    assert KEY not in repr(chatgpt.requests) + repr(chatgpt.model_requests)


def test_the_api_speaks_over_a_websocket_too(web: Web) -> None:
    model = web.websocket(KEY, f"wss://{API}/v1/responses")

    model.send(json.dumps({"type": "response.create", "model": "m", "input": []}))

    assert json.loads(model.recv(timeout=10))["type"] == "response.created"


def test_the_api_says_nothing_about_the_plan_s_limits(chatgpt: LoopbackChatGPT, web: Web) -> None:
    chatgpt.rate_limits = RateLimits(used_percent=50)

    assert not [name for name in ask(web, KEY).headers if name.startswith("x-codex")]


def test_what_the_api_does_not_have_is_an_invalid_url(web: Web) -> None:
    answer = ask(web, KEY, "/v1/nothing")

    assert (answer.status, answer.json["error"]["message"]) == (404, "Invalid URL (POST /v1/nothing)")
