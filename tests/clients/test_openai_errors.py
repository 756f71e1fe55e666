"""The real `openai` clients when something goes wrong: the class of the error, and whether they ask again."""

from __future__ import annotations

from typing import Any

import pytest

from codex_oauth.testing import (
    Answer,
    Cut,
    Empty,
    Hang,
    LoopbackChatGPT,
    Text,
    context_length_exceeded,
    usage_limit_reached,
    usage_not_included,
)
from tests.clients.asking import Program
from tests.clients.environments import EVERY, OLDEST, PYTHON

IN_EACH = pytest.mark.parametrize("client", EVERY, indirect=True)
WITH_RESPONSES = pytest.mark.parametrize("client", [client for client in EVERY if client != OLDEST], indirect=True)
IN_PYTHON = pytest.mark.parametrize("client", PYTHON, indirect=True)

REFUSED: dict[str, tuple[dict[str, Any], Answer | None, tuple[str, int, str, str | None]]] = {
    "no such model": ({"model": "gpt-0"}, None, ("NotFoundError", 404, "model_not_found", "model")),
    "two answers": ({"n": 2}, None, ("BadRequestError", 400, "unsupported_value", "n")),
    "no messages": ({"messages": []}, None, ("BadRequestError", 400, "", "messages")),
    "too long": ({}, context_length_exceeded(), ("BadRequestError", 400, "context_length_exceeded", None)),
    "plan used up": ({}, usage_limit_reached(), ("RateLimitError", 429, "insufficient_quota", None)),
    "plan used up, a stream": (
        {"stream": True},
        usage_limit_reached(),
        ("RateLimitError", 429, "insufficient_quota", None),
    ),
    "plan without codex": ({}, usage_not_included(), ("PermissionDeniedError", 403, "plan_not_included", None)),
}
"""What is asked, what the service says to it, and the error: its class, its status, its code and its parameter."""


@IN_EACH
@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_has_its_class_and_is_not_asked_again(client: Program, chatgpt: LoopbackChatGPT, name: str) -> None:
    given, answer, expected = REFUSED[name]
    if answer is not None:
        # Asked again, the stand-in would have answered.
        chatgpt.script(answer)
    error = client("raised", **given)
    assert (error["kind"], error["status"], error["code"] or "", error["param"]) == expected
    assert error["message"]
    assert len(chatgpt.model_requests) == (answer is not None)


@WITH_RESPONSES
@pytest.mark.parametrize(
    ("given", "used_up", "kind", "param"),
    [
        ({"model": "gpt-0"}, False, "NotFoundError", "model"),
        ({"previous_response_id": "resp_1"}, False, "BadRequestError", "previous_response_id"),
        ({}, True, "RateLimitError", None),
    ],
    ids=["no such model", "nothing is kept", "plan used up"],
)
def test_responses_are_refused_alike(
    client: Program, chatgpt: LoopbackChatGPT, given: dict[str, Any], used_up: bool, kind: str, param: str | None
) -> None:
    if used_up:
        chatgpt.script(usage_limit_reached())
    error = client("respond_raised", **given)
    assert (error["kind"], error["param"]) == (kind, param)
    assert len(chatgpt.model_requests) == used_up


@IN_EACH
def test_what_may_pass_is_asked_again_by_the_client(client: Program, chatgpt: LoopbackChatGPT) -> None:
    # codex takes an empty answer for an end; after other failures it asks again itself.
    chatgpt.script(Empty(), Text("There you are."))
    assert client("raised") == {"kind": None, "text": "There you are."}


@IN_EACH
def test_another_token_is_an_authentication_error(client: Program, chatgpt: LoopbackChatGPT) -> None:
    error = client("without_a_token")
    assert (error["kind"], error["status"], error["code"]) == ("AuthenticationError", 401, "invalid_api_key")
    assert chatgpt.model_requests == ()


@IN_PYTHON
def test_an_address_where_nobody_listens_is_a_connection_error(client: Program, chatgpt: LoopbackChatGPT) -> None:
    assert client("unreachable")["kind"] == "APIConnectionError"


@IN_PYTHON
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_waits_no_longer_ends_the_models_work(
    client: Program, chatgpt: LoopbackChatGPT, stream: bool
) -> None:
    chatgpt.script(Hang("Once upon a time"))
    error = client("slow", stream=stream)
    # Of a stream that has begun, older clients let the error of their HTTP library through.
    assert error["kind"] in (("APITimeoutError", "ReadTimeout") if stream else ("APITimeoutError",))
    chatgpt.wait_until(lambda: not chatgpt.answering)


@pytest.mark.parametrize(
    ("client", "api"),
    [(client, api) for client in PYTHON for api in ("chat", "responses") if (client, api) != (OLDEST, "responses")],
    indirect=["client"],
)
def test_a_stream_that_cannot_go_on_raises(client: Program, chatgpt: LoopbackChatGPT, api: str) -> None:
    chatgpt.script(Cut("Once upon a time"), Text("In a hole in the ground"))
    error = client("a_stream_that_fails", api=api)
    assert error["pieces"] == ["Once upon a time"]
    assert (error["kind"], error["code"]) == ("APIError", "stream_disconnected")


@IN_PYTHON
def test_what_the_endpoint_does_not_have_is_not_found(client: Program, chatgpt: LoopbackChatGPT) -> None:
    assert set(client("other_apis").values()) == {"NotFoundError"}
    assert chatgpt.model_requests == ()
