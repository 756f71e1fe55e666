"""The contract of a tapes server: the checker itself on every row that was measured, and what this package posts."""

from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.recorder import TapesSink
from codex_oauth.recorder.record import record_of
from codex_oauth.recorder.tapes import tapes_payload
from codex_oauth.records import replace
from codex_oauth.types import ModelResponse
from tests.recorder.contract import check, is_main, tool_ids
from tests.recorder.samples import RESPONSE, call, tool_loop

Change = Callable[[dict[str, Any]], Any]


def payload_of(response: ModelResponse, **options: Any) -> dict[str, Any]:
    payload = tapes_payload(record_of(response, **options))
    assert payload is not None
    return payload


def answer(payload: Any) -> tuple[int, str]:
    return check(json.dumps(payload).encode())


def put(*path: str, to: Any) -> Change:
    def change(payload: dict[str, Any]) -> None:
        place: Any = payload
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to

    return change


def without(*path: str) -> Change:
    def change(payload: dict[str, Any]) -> None:
        place: Any = payload
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]

    return change


RAW = {"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "x"}}]}
MATRIX = [
    pytest.param(put("response", to=RAW), 422, "missing response.message.role", id="a chat completion as response"),
    pytest.param(put("response", "message", "content", to="text"), 400, "wrong type", id="content as a string"),
    pytest.param(put("provider", to="codex"), 422, "unsupported provider", id="provider codex"),
    pytest.param(put("response", "message", "content", to=[]), 422, "message.content", id="empty content"),
    pytest.param(put("response", "created_at", to=1_760_000_000), 400, "created_at", id="created_at as a number"),
    pytest.param(
        put("response", "message", "content", to=[{"type": "tool_use", "tool_input": []}]),
        400,
        "tool_input",
        id="tool_input as a list",
    ),
    pytest.param(put("session", "parent_harness_session_id", to=""), 400, "empty", id="an empty parent"),
    pytest.param(put("session", "harness_metadata", to=[]), 400, "harness_metadata", id="metadata as a list"),
    pytest.param(without("request"), 422, "cannot parse request", id="no request"),
    pytest.param(without("response"), 422, "missing response.message.role", id="no response"),
    pytest.param(put("session", "org_id", to="me"), 202, "accepted", id="an org_id that is cleared"),
    pytest.param(put("response", "message", "content", to=[{"text": "x"}]), 422, "content[0].type", id="no type"),
    pytest.param(put("meta", "stream", to=True), 400, "meta.stream", id="stream as a truth value"),
    pytest.param(put("request", "input", to=None), 422, "input", id="no input"),
]


@pytest.mark.parametrize(("change", "status", "words"), MATRIX)
def test_the_checker_answers_as_the_server_does(change: Change, status: int, words: str) -> None:
    payload = payload_of(RESPONSE)
    change(payload)
    got, said_of_it = answer(payload)
    assert (got, words in said_of_it) == (status, True), said_of_it


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"{", "application/json"), (b"[]", "application/json"), (b"{}", "text/plain"), (b"\xff", "application/json")],
)
def test_the_checker_takes_json_objects_alone(body: bytes, content_type: str) -> None:
    assert check(body, content_type)[0] == 400


BROKEN = replace(RESPONSE, output=(call("get_weather", "{not json", "c1"),))
UNUSUAL = replace(
    RESPONSE,
    response_id=None,
    instructions=None,
    effort=None,
    schema={"type": "object", "properties": {}},
    output=(
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "custom_tool_call", "call_id": "c1", "name": "run", "input": "ls"},
        {"type": "web_search_call", "status": "completed"},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
    ),
)
SEVERAL = (RESPONSE, *tool_loop(), BROKEN, UNUSUAL)


@pytest.mark.parametrize("response", SEVERAL)
def test_every_payload_is_taken_and_counts_as_a_part_of_the_conversation(response: ModelResponse) -> None:
    payload = payload_of(response, label="complete", codex_version="0.163.0", project="mine")
    assert answer(payload) == (202, "accepted")
    assert is_main(payload)
    calls, results = tool_ids(payload)
    assert results <= calls


def test_a_payload_is_exactly_what_the_server_reads() -> None:
    one, two, _ = tool_loop()
    payload = payload_of(one, label="conversation", codex_version="0.163.0")
    package = payload["session"]["harness_metadata"].pop("package")
    assert package.startswith("codex-oauth ")
    assert payload == {
        "provider": "openai",
        "agent_name": "codex",
        "request": {
            "model": "gpt-6-luna",
            "instructions": "Be brief.",
            "input": [*map(dict, one.input)],
            "stream": True,
            "store": False,
            "tools": [
                {
                    "type": "function",
                    "name": "get_weather",
                    "description": "The weather in a city.",
                    "parameters": one.tools[0]["inputSchema"],
                    "strict": False,
                }
            ],
            "tool_choice": "auto",
            "reasoning": {"effort": "low"},
        },
        "response": {
            "model": "gpt-6-luna",
            "created_at": "2025-10-09T08:53:21.500Z",
            "message": {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Two cities."},
                    {
                        "type": "tool_use",
                        "tool_use_id": "c1",
                        "tool_name": "get_weather",
                        "tool_input": {"city": "Paris"},
                    },
                    {
                        "type": "tool_use",
                        "tool_use_id": "c2",
                        "tool_name": "get_weather",
                        "tool_input": {"city": "Rome"},
                    },
                ],
            },
            "done": True,
            "stop_reason": "stop",
            "usage": {
                "prompt_tokens": 120,
                "completion_tokens": 30,
                "total_tokens": 150,
                "cache_read_input_tokens": 20,
                "total_duration_ns": 1_250_000_000,
            },
            "extra": {"id": "resp_1", "object": "response", "status": "completed"},
        },
        "meta": {
            "request_id": "resp_1",
            "upstream_request_id": "resp_1",
            "content_type": "text/event-stream",
            "method": "POST",
            "endpoint": "responses",
            "model": "gpt-6-luna",
            "stream": "true",
            "upstream_status": 200,
            "elapsed_seconds": 1.25,
            "ts_request": "2025-10-09T08:53:20.250Z",
            "captured_at": "2025-10-09T08:53:21.500Z",
        },
        "session": {
            "auth_subject": "",
            "harness_id": "codex",
            "harness_session_id": "thread-1",
            "harness_version": "0.163.0",
            "harness_metadata": {"label": "conversation"},
        },
    }
    later = payload_of(two)
    assert later["request"]["input"][: len(one.input)] == payload["request"]["input"], "the history goes along"
    assert later["session"]["harness_session_id"] == payload["session"]["harness_session_id"]


def test_arguments_that_are_no_object_go_along_as_they_are() -> None:
    (block,) = payload_of(BROKEN)["response"]["message"]["content"]
    assert "tool_input" not in block
    assert block["content"]["arguments"] == "{not json"


def test_a_response_without_output_is_no_turn() -> None:
    assert tapes_payload(record_of(replace(RESPONSE, output=()))) is None


def test_the_payload_does_not_change_the_record() -> None:
    record = record_of(tool_loop()[1])
    before = copy.deepcopy(record)
    tapes_payload(record)
    assert record == before


@pytest.mark.skipif("TAPES_INGEST_URL" not in os.environ, reason="TAPES_INGEST_URL names no tapes server")
def test_a_tapes_server_takes_every_payload(tmp_path: Path) -> None:
    sink = TapesSink(os.environ["TAPES_INGEST_URL"], spool=tmp_path)
    session = uuid.uuid4().hex
    for number, response in enumerate(SEVERAL):
        sink.write(record_of(replace(response, response_id=f"{session}-{number}", thread_id=session)))
    sink.close(60)
    assert (sink.accepted, sink.spool.state(), sink.trouble.counts) == (len(SEVERAL), (0, 0, 0, 0), {})
