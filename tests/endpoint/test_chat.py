"""Chat completions, from a client's request to the service and back, on the real binary."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from codex_oauth.testing import Failed, Hang, Items, Json, ModelRequest, Text, Usage, function_call, message
from tests.endpoint.served import Served
from tests.scripted import eventually

PIXEL = base64.b64encode(
    base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
).decode()
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
VERDICT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.com/permission-decision",
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "Why."},
        "behavior": {"type": "string", "enum": ["allow", "deny", "fallthrough"]},
        "deny_message": {"type": "string"},
    },
    "additionalProperties": False,
    "required": ["reason", "behavior", "deny_message"],
}


def conversation(request: ModelRequest) -> list[dict[str, Any]]:
    """What the service was sent besides the tools, without ids."""
    kept = ("type", "role", "content", "call_id", "name", "arguments", "output")
    return [
        {name: item[name] for name in kept if name in item}
        for item in request.context
        if item["type"] != "additional_tools"
    ]


def tools_of(request: ModelRequest) -> list[Mapping[str, Any]]:
    """The functions that the service was offered."""
    return [
        tool
        for item in request.context
        if item["type"] == "additional_tools"
        for space in item["tools"]
        for tool in space["tools"]
    ]


def said(role: str, text: str) -> dict[str, Any]:
    """A message as the service gets it."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def test_a_question_is_answered_in_the_form_of_a_chat_completion(served: Served) -> None:
    served.chatgpt.script(Text("91 is 7 x 13.", usage=Usage(100, 40, 20, 5)))
    answer = served.chat({"role": "system", "content": "Be brief."}, "Is 91 prime?")
    assert answer.status == 200
    body = answer.json
    assert body["id"] == f"chatcmpl-{answer.headers['x-request-id']}"
    assert body["object"] == "chat.completion"
    assert body["model"] == "gpt-6-luna"
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert choice["message"] == {"role": "assistant", "content": "91 is 7 x 13.", "refusal": None, "annotations": []}
    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"], body["usage"]["total_tokens"]) == (
        100,
        20,
        120,
    )
    assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 40
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5
    assert answer.headers["x-codex-oauth-account"] == "chatgpt plus"
    assert int(answer.headers["openai-processing-ms"]) >= 0
    assert "x-codex-oauth-ignored" not in answer.headers
    (request,) = served.chatgpt.model_requests
    assert conversation(request) == [said("developer", "Be brief."), said("user", "Is 91 prime?")]
    assert tools_of(request) == []


def test_calls_that_repeat_their_system_message_find_a_thread_that_was_started_ahead(served: Served) -> None:
    for number in range(4):
        assert served.chat({"role": "system", "content": "Always the same."}, f"question {number}").status == 200
    assert len(served.chatgpt.prewarms) >= 4
    for request in served.chatgpt.model_requests[2:]:
        # The instructions went ahead with the thread, and only the question is new.
        assert [item["role"] for item in request.body["input"]] == ["user"]


def test_a_gate_that_speaks_to_openai_gets_its_verdict_with_the_properties_in_its_order(served: Served) -> None:
    served.chatgpt.script(Json({"reason": "It only reads.", "behavior": "allow", "deny_message": ""}))
    answer = served.chat(
        {"role": "system", "content": "Judge the request."},
        '{"tool_name": "Bash"}',
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "permission_decision", "strict": True, "schema": VERDICT},
        },
        max_completion_tokens=4096,
        reasoning_effort="none",
    )
    assert answer.status == 200
    (choice,) = answer.json["choices"]
    assert choice["finish_reason"] == "stop"
    assert list(json.loads(choice["message"]["content"])) == ["reason", "behavior", "deny_message"]
    assert answer.headers["x-codex-oauth-effort"] == "low"
    (request,) = served.chatgpt.model_requests
    assert request.body["reasoning"]["effort"] == "low"
    sent = request.body["text"]["format"]["schema"]
    assert list(sent["properties"]) == ["reason", "behavior", "deny_message"]
    assert "$schema" not in sent
    assert "$id" not in sent


def test_a_schema_that_is_not_strict_is_kept_all_the_same(served: Served) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}
    served.chatgpt.script(Json({"a": 1, "b": None}))
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": False, "schema": schema}}
    answer = served.chat("hi", response_format=wanted)
    # What stands for an absent property on the way is undone.
    assert json.loads(answer.json["choices"][0]["message"]["content"]) == {"a": 1}


def test_a_json_object_is_asked_for_once_more_if_it_is_none(served: Served) -> None:
    served.chatgpt.script(Text("Sure!"), Json({"ok": True}))
    answer = served.chat("Answer in JSON.", response_format={"type": "json_object"})
    assert json.loads(answer.json["choices"][0]["message"]["content"]) == {"ok": True}
    assert answer.json["usage"]["prompt_tokens"] == 200
    first, second = served.chatgpt.model_requests
    assert "format" not in first.body.get("text", {})
    assert conversation(second)[1] == said("assistant", "Sure!")
    served.chatgpt.script(Text("No."), Text("[]"))
    answer = served.chat("Answer in JSON.", response_format={"type": "json_object"})
    assert (answer.status, answer.error["code"]) == (502, "output_validation")
    assert answer.headers["x-should-retry"] == "false"


def test_a_history_with_images_calls_and_late_instructions_arrives_in_its_order(served: Served) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    other = {"id": "c2", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}}
    answer = served.chat(
        {"role": "system", "content": "SYS"},
        {"role": "user", "content": [{"type": "text", "text": "weather?"}, image]},
        {"role": "assistant", "content": "Looking.", "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "c2", "content": "20C"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "18C"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "18 and 20"}], "refusal": None},
        {"role": "developer", "content": "In Kelvin from now on."},
        {"role": "user", "name": "bob", "content": "and now?"},
        tools=[WEATHER],
    )
    assert answer.status == 200, answer.body
    assert answer.headers["x-codex-oauth-ignored"] == "messages.image_url.detail, messages.name"
    (request,) = served.chatgpt.model_requests
    items = conversation(request)
    assert items[0] == said("developer", "SYS")
    assert [part["type"] for part in items[1]["content"]] == ["input_text", "input_image"]
    assert items[2:] == [
        said("assistant", "Looking."),
        {"type": "function_call", "name": "get_weather", "arguments": '{"city":"Paris"}', "call_id": "c1"},
        {"type": "function_call", "name": "get_weather", "arguments": '{"city":"Rome"}', "call_id": "c2"},
        {"type": "function_call_output", "call_id": "c2", "output": "20C"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "18C"}]},
        said("assistant", "18 and 20"),
        said("developer", "In Kelvin from now on."),
        said("user", "and now?"),
    ]
    (tool,) = tools_of(request)
    assert (tool["name"], tool["description"]) == ("get_weather", "The weather of a city.")


CALLS = Items(
    [function_call("get_weather", {"city": "Paris"}, "c1"), function_call("get_weather", {"city": "Rome"}, "c2")]
)


def test_the_models_calls_are_given_to_the_client(served: Served) -> None:
    served.chatgpt.script(CALLS)
    answer = served.chat("weather?", tools=[WEATHER])
    (choice,) = answer.json["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert [(call["id"], call["type"], call["function"]["name"]) for call in choice["message"]["tool_calls"]] == [
        ("c1", "function", "get_weather"),
        ("c2", "function", "get_weather"),
    ]
    assert json.loads(choice["message"]["tool_calls"][1]["function"]["arguments"]) == {"city": "Rome"}


def test_one_call_is_given_where_no_parallel_ones_are_wanted(served: Served) -> None:
    served.chatgpt.script(CALLS)
    answer = served.chat("weather?", tools=[WEATHER], parallel_tool_calls=False)
    assert [call["id"] for call in answer.json["choices"][0]["message"]["tool_calls"]] == ["c1"]


@pytest.mark.parametrize(
    ("choice", "offered"),
    [
        ("none", []),
        ("auto", ["get_weather", "other"]),
        ({"type": "function", "function": {"name": "other"}}, ["other"]),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "other"}}]},
            },
            ["other"],
        ),
    ],
)
def test_tool_choice_decides_what_is_offered(served: Served, choice: Any, offered: list[str]) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    served.chatgpt.script(Items([function_call("other", {}, "c1")]) if "other" in offered else Text("no"))
    answer = served.chat("weather?", tools=[WEATHER, other], tool_choice=choice)
    assert answer.status == 200
    (request,) = served.chatgpt.model_requests
    assert [tool["name"] for tool in tools_of(request)] == offered


def test_a_call_that_is_required_is_asked_for_once_more_and_then_the_request_fails(served: Served) -> None:
    served.chatgpt.script(Text("It is warm."), CALLS)
    answer = served.chat("weather?", tools=[WEATHER], tool_choice="required")
    assert answer.json["choices"][0]["finish_reason"] == "tool_calls"
    first, second = served.chatgpt.model_requests
    assert conversation(first)[-1]["role"] == "developer"
    assert [item["role"] for item in conversation(second)[-3:]] == ["developer", "assistant", "developer"]
    served.chatgpt.script(Text("It is warm."), Text("It is still warm."))
    answer = served.chat("weather?", tools=[WEATHER], tool_choice="required")
    assert (answer.status, answer.error["code"]) == (502, "tool_choice_not_honoured")


@pytest.mark.parametrize(
    "parameters",
    [
        {"tools": [WEATHER], "tool_choice": "required"},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "integer"}}}},
    ],
    ids=["a-call", "a-schema"],
)
def test_what_a_request_costs_counts_although_it_fails(served: Served, parameters: dict[str, Any]) -> None:
    served.chatgpt.script(Text("no", Usage(100, 0, 10, 0)), Text("never", Usage(110, 0, 20, 0)))
    answer = served.chat("weather?", **parameters)
    assert answer.status == 502
    line = served.line_of(answer)
    assert (line["tokens"]["input"], line["tokens"]["output"], line["model"]) == (210, 30, "gpt-6-luna")


def test_a_reply_is_cut_off_at_its_limit(served: Served) -> None:
    served.chatgpt.script(Text("one two three four five six seven eight", chunks=8))
    answer = served.chat("count", max_completion_tokens=3)
    (choice,) = answer.json["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"].startswith("one")
    assert "eight" not in choice["message"]["content"]


def test_a_stream_brings_the_text_the_end_and_the_tokens(served: Served) -> None:
    served.chatgpt.script(Text("one two three", chunks=3, usage=Usage(7, 0, 3, 0)))
    answer = served.chat("count", stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, done = answer.events
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    text = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[1:-1]]
    assert len([piece for piece in text if piece]) == 3
    assert "".join(text) == "one two three"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 10
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert all(chunk["model"] == "gpt-6-luna" for chunk in chunks)


def test_a_stream_brings_calls_and_no_commentary(served: Served) -> None:
    served.chatgpt.script(Items([message("Let me look.", "commentary"), *CALLS.items]))
    *chunks, done = served.chat("weather?", tools=[WEATHER], stream=True).events
    assert done == "[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("content") or "" for delta in deltas) == ""
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [(call["index"], call["id"]) for call in calls if "id" in call] == [(0, "c1"), (1, "c2")]
    assert json.loads("".join(call["function"]["arguments"] for call in calls if call["index"] == 1)) == {
        "city": "Rome"
    }
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert "usage" not in chunks[-1]


def test_a_stream_whose_text_may_be_refused_brings_it_once_it_is_whole(served: Served) -> None:
    served.chatgpt.script(Text("Sure!"), Json({"ok": True}))
    *chunks, _ = served.chat("Answer in JSON.", response_format={"type": "json_object"}, stream=True).events
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert json.loads(text) == {"ok": True}


def test_a_failure_before_the_stream_has_its_status_and_one_within_it_is_an_event(served: Served) -> None:
    served.chatgpt.script(Failed("server_error"), Failed("server_error"), Failed("server_error"))
    served.chatgpt.default = Failed("context_length_exceeded")
    answer = served.chat("hi", stream=True)
    assert answer.status >= 400
    assert answer.error["code"]


def test_the_models_are_listed_and_an_unknown_one_is_not_found(served: Served) -> None:
    listed = served.get("/v1/models").json
    assert listed["object"] == "list"
    assert {"id": "gpt-6-luna", "object": "model", "created": 0, "owned_by": "openai"} in listed["data"]
    assert served.get("/v1/models/gpt-6-luna").json["id"] == "gpt-6-luna"
    answer = served.get("/v1/models/gpt-1")
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    answer = served.chat("hi", model="gpt-6-lun")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert "gpt-6-luna" in answer.error["message"]
    assert served.chatgpt.model_requests == ()


@pytest.mark.parametrize("name", ["default", "codex-oauth", "gpt-6-luna", None])
def test_the_small_model_has_names_of_its_own(served: Served, name: str | None) -> None:
    assert served.chat("hi", model=name).json["model"] == "gpt-6-luna"


def test_what_is_ignored_is_named_in_a_header(served: Served) -> None:
    answer = served.chat("hi", temperature=0, top_p=1, seed=7, user="u", metadata={"a": "b"}, store=False, n=1)
    assert answer.status == 200
    assert answer.headers["x-codex-oauth-ignored"] == "temperature, seed, user, metadata"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_has_its_turn_ended(served: Served, stream: bool) -> None:
    served.chatgpt.script(Hang("some text"))
    with served.send_chat("hi", stream=stream) as waiting:
        served.chatgpt.wait_for_model_requests(1)
        if stream:
            assert waiting.recv(4096).startswith(b"HTTP/1.1 200")
    served.chatgpt.wait_until(lambda: served.chatgpt.answering == 0)
    wanted = (200 if stream else 499, "client_gone")
    assert eventually(lambda: wanted in [(line["status"], line.get("error")) for line in served.lines])


def test_the_access_log_has_everything_but_words(served: Served) -> None:
    served.chatgpt.script(Text("a secret answer", usage=Usage(11, 2, 3, 1)))
    answer = served.chat("a secret question", headers={"user-agent": "OpenAI/Python 3.54.0 (person@example.com)"})
    line = served.line_of(answer)
    assert {
        name: line[name] for name in ("method", "route", "status", "model", "effort", "finish", "account", "plan")
    } == {
        "method": "POST",
        "route": "/v1/chat/completions",
        "status": 200,
        "model": "gpt-6-luna",
        "effort": "low",
        "finish": "stop",
        "account": "chatgpt",
        "plan": "plus",
    }
    assert line["tokens"] == {"input": 11, "cached": 2, "output": 3, "reasoning": 1}
    assert line["agent"] == "OpenAI/Python"
    assert line["ms"] > 0
    served.get("/v1/models?secret=1", headers={"cookie": "secret"})
    written = served.log_file.read_text()
    for word in ("secret", "person@example.com", "test-token"):
        assert word not in written
