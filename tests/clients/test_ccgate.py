"""ccgate's own request, byte by byte as openai-go writes it, and its rules for asking again."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse
from typing import Any

import pytest

from codex_oauth.testing import (
    Answer,
    Json,
    LoopbackChatGPT,
    Usage,
    rate_limited,
    usage_limit_reached,
    usage_not_included,
)
from tests.clients.seen import only, said
from tests.clients.serving import Served

SCHEMA = (
    '{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://github.com/tak848/ccgate/internal/llm/output",'
    '"properties":{"reason":{"type":"string","description":"Why."},'
    '"behavior":{"type":"string","enum":["allow","deny","fallthrough"]},"deny_message":{"type":"string"}},'
    '"additionalProperties":false,"type":"object","required":["reason","behavior","deny_message"]}'
)
SYSTEM = "You are a permission classifier."
USER = '{\\n  \\"command\\": \\"make test \\u0026\\u0026 git push\\"\\n}'
BODY = (
    f'{{"messages":[{{"content":"{SYSTEM}","role":"system"}},{{"content":"{USER}","role":"user"}}],"model":"%s",'
    '"max_completion_tokens":4096,"reasoning_effort":"none","response_format":{"json_schema":{"name":"permission_decision",'
    f'"strict":true,"schema":{SCHEMA}}},"type":"json_schema"}}}}'
)
VERDICT = {"deny_message": "", "behavior": "allow", "reason": "Runs the tests."}
# Not in the schema's order.


def ask(served: Served, *, model: str = "codex-oauth", token: str | None = None) -> tuple[HTTPResponse, Any]:
    """Ask as Go's HTTP client does, over a connection of its own; the answer's head, and its JSON."""
    body = BODY.replace("%s", model).encode()
    host, port = served.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {host}:{port}",
        "User-Agent: OpenAI/Go 3.52.0",
        f"Content-Length: {len(body)}",
        "Accept: application/json",
        f"Authorization: Bearer {token or served.token}",
        "Content-Type: application/json",
        "X-Stainless-Arch: x64",
        "X-Stainless-Lang: go",
        "X-Stainless-Os: Linux",
        "X-Stainless-Package-Version: 3.52.0",
        "X-Stainless-Retry-Count: 0",
        "X-Stainless-Runtime: go",
        "X-Stainless-Runtime-Version: go1.25.0",
        "Accept-Encoding: gzip",
    ]
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        with HTTPResponse(connection, method="POST") as answer:
            answer.begin()
            return answer, json.loads(answer.read())


def is_asked_again(answer: HTTPResponse) -> bool:
    """Openai-go's rule."""
    told = answer.getheader("x-should-retry")
    return told == "true" or (told != "false" and (answer.status in (408, 409, 429) or answer.status >= 500))


def test_the_verdict_comes_with_its_tokens(served: Served, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json(VERDICT, usage=Usage(input_tokens=900, output_tokens=40)))
    answer, completion = ask(served)
    assert answer.status == 200
    choice = completion["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert json.loads(choice["message"]["content"]) == VERDICT
    assert (completion["usage"]["prompt_tokens"], completion["usage"]["completion_tokens"]) == (900, 40)


def test_the_model_is_asked_for_the_reason_first_and_at_its_lowest_effort(
    served: Served, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Json(VERDICT))
    ask(served)
    request = only(chatgpt)
    assert list(request.schema["properties"]) == ["reason", "behavior", "deny_message"]
    assert request.schema["properties"]["behavior"]["enum"] == ["allow", "deny", "fallthrough"]
    assert request.body["text"]["format"]["strict"] is True
    assert request.body["reasoning"]["effort"] == "low"
    assert said(request) == [("developer", SYSTEM), ("user", json.loads(f'"{USER}"'))]


@pytest.mark.parametrize(
    ("answer", "status", "again"),
    [
        # Five more of these would use up its 20 seconds, and be refused.
        (usage_limit_reached(), 429, False),
        (usage_not_included(), 403, False),
        (rate_limited(), 429, True),
    ],
    ids=["used up", "not included", "too fast"],
)
def test_it_asks_again_only_where_that_helps(
    served: Served, chatgpt: LoopbackChatGPT, answer: Answer, status: int, again: bool
) -> None:
    chatgpt.script(answer)
    told, error = ask(served)
    assert (told.status, is_asked_again(told)) == (status, again)
    assert set(error["error"]) == {"message", "type", "param", "code"}


def test_another_key_and_another_model_end_it_at_once(served: Served, chatgpt: LoopbackChatGPT) -> None:
    told, _ = ask(served, token="sk-of-openais")
    assert (told.status, is_asked_again(told)) == (401, False)
    told, error = ask(served, model="gpt-5-nano")
    assert (told.status, is_asked_again(told)) == (404, False)
    assert error["error"]["code"] == "model_not_found"
    assert chatgpt.model_requests == ()
