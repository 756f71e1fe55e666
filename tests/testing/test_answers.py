"""What the real binary makes of each reply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.testing import (
    Cut,
    Empty,
    Failed,
    Hang,
    HttpError,
    Incomplete,
    Items,
    Json,
    LoopbackChatGPT,
    ModelRequest,
    RateLimits,
    Reply,
    Slow,
    Text,
    Usage,
    context_length_exceeded,
    function_call,
    message,
    model_unsupported,
    overloaded,
    rate_limited,
    reasoning,
    server_error,
    unauthorized,
    usage_limit_reached,
    usage_not_included,
)

from .app_server import AppServer

pytestmark = pytest.mark.timeout(60)


def reply_id(value: object) -> str:
    match value:
        case HttpError(status, {"error": {"type": kind}}):
            return f"{status}-{kind}"
        case HttpError(status):
            return str(status)
        case Failed(word) | Incomplete(word) | Cut(word):
            return f"{type(value).__name__}-{word}"
        case _:
            return ""


VERDICT = {
    "type": "object",
    "properties": {
        "behavior": {"type": "string", "enum": ["deny", "allow"]},
        "reason": {"type": "string"},
        "score": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["behavior", "reason", "score", "tags"],
    "additionalProperties": False,
}


def test_a_text_streams_in_pieces_and_reports_its_usage(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("hello world", Usage(120, 20, 30, 5), chunks=3))

    turn = codex.turn(codex.start_thread(), "hi")

    assert (turn.text, turn.deltas) == ("hello world", ["hell", "o wo", "rld"])
    last = codex.wait_for("thread/tokenUsage/updated")["tokenUsage"]["last"]
    assert last["inputTokens"] == 120
    assert last["cachedInputTokens"] == 20
    assert last["outputTokens"] == 30
    assert last["reasoningOutputTokens"] == 5


def test_the_transport_and_the_size_of_a_model_request_are_recorded(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    codex.turn(codex.start_thread(), "hi")

    (request,) = chatgpt.model_requests
    assert request.transport == ("websocket" if chatgpt.websocket else "sse")
    assert request.text == "hi"
    assert request.model == "gpt-6.1-sol"
    assert request.size >= len(json.dumps(request.body, separators=(",", ":"), ensure_ascii=False).encode())
    assert request.request.headers["originator"] == "loopback_tests"
    assert len(chatgpt.prewarms) == (1 if chatgpt.websocket else 0)


def test_an_unscripted_stand_in_echoes_and_fits_any_schema(codex: AppServer) -> None:
    thread = codex.start_thread()

    assert codex.turn(thread, "are you there?").text == "You said: are you there?"
    assert codex.turn(thread, "judge", VERDICT).text == '{"behavior": "deny", "reason": "", "score": 0, "tags": []}'


def test_a_json_reply_is_the_text_of_its_value(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"reason": "größer"}))

    assert codex.turn(codex.start_thread(), "hi").text == '{"reason": "größer"}'


def test_a_callable_reply_is_given_the_request(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(lambda request: Text(request.text.upper()))

    assert codex.turn(codex.start_thread(), "loud").text == "LOUD"


def test_the_context_is_the_whole_conversation_over_either_transport(
    codex: AppServer, chatgpt: LoopbackChatGPT
) -> None:
    thread = codex.start_thread()
    codex.turn(thread, "one")
    codex.turn(thread, "two")

    def said(request: ModelRequest) -> list[str]:
        return [part["text"] for item in request.context if "content" in item for part in item["content"]]

    assert said(chatgpt.model_requests[1]) == ["Be brief.", "one", "You said: one", "two"]
    sent_again = len(chatgpt.model_requests[1].body["input"]) > 1
    assert sent_again is not chatgpt.websocket


def test_items_arrive_in_order_and_commentary_is_no_final_answer(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    parts = [reasoning("thinking", "opaque"), message("looking", "commentary"), message("done", "final_answer")]
    chatgpt.script(Items(parts, end_turn=True))

    assert codex.turn(codex.start_thread(), "hi").messages == ["looking", "done"]


def test_a_function_call_is_answered_and_its_output_sent_back(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([function_call("get_weather", {"city": "Paris"}, "c1")]), Text("18 degrees"))
    tool: dict[str, Any] = {
        "name": "get_weather",
        "description": "Weather",
        "inputSchema": {"type": "object", "properties": {}},
    }

    turn = codex.start_turn(codex.start_thread(dynamicTools=[tool]), "weather?")
    call = codex.answer_request(
        "item/tool/call", {"contentItems": [{"type": "inputText", "text": "18C"}], "success": True}
    )

    assert call["arguments"] == {"city": "Paris"}
    assert codex.finish(turn).text == "18 degrees"
    assert [item["type"] for item in chatgpt.model_requests[1].context][-2:] == [
        "function_call",
        "function_call_output",
    ]


def test_an_empty_response_completes_without_a_message(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Empty())

    turn = codex.turn(codex.start_thread(), "hi")

    assert (turn.status, turn.messages) == ("completed", [])


# Context exceeded: older binaries do not know the code in a 400 and hand the body through.
@pytest.mark.parametrize(
    ("reply", "info"),
    [
        (usage_limit_reached(plan="plus"), ["usageLimitExceeded"]),
        (usage_not_included(), ["usageLimitExceeded"]),
        (rate_limited(), [{"responseTooManyFailedAttempts": {"httpStatusCode": 429}}]),
        (model_unsupported("gpt-x"), ["other"]),
        (context_length_exceeded(), ["contextWindowExceeded", "other"]),
        (HttpError(400, {"error": {"message": "no"}}), ["other"]),
        (Failed("insufficient_quota"), ["usageLimitExceeded"]),
        (Failed("usage_not_included"), ["usageLimitExceeded"]),
        (Failed("context_length_exceeded"), ["contextWindowExceeded"]),
        (Failed("invalid_prompt"), ["other"]),
        (Failed("server_is_overloaded"), ["serverOverloaded"]),
        (Incomplete("max_output_tokens", "so f"), ["other"]),
    ],
    ids=reply_id,
)
def test_a_refusal_that_is_not_retried_fails_the_turn(
    codex: AppServer, chatgpt: LoopbackChatGPT, reply: Reply, info: list[Any]
) -> None:
    chatgpt.script(reply)

    assert codex.turn(codex.start_thread(), "hi").failure in info
    assert len(chatgpt.model_requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        server_error(),
        server_error(502),
        HttpError(403),
        unauthorized(),
        Cut(),
        Cut("par"),
        Failed("rate_limit_exceeded"),
    ],
    ids=reply_id,
)
def test_a_failure_that_passes_is_retried_and_the_turn_completes(
    codex: AppServer, chatgpt: LoopbackChatGPT, reply: Reply
) -> None:
    chatgpt.script(reply, Text("in the end"))

    assert codex.turn(codex.start_thread(), "hi").text == "in the end"
    assert len(chatgpt.model_requests) == 2


def test_being_overloaded_is_retried_over_sse_only(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(overloaded(), Text("in the end"))

    turn = codex.turn(codex.start_thread(), "hi")

    if chatgpt.websocket:
        assert turn.failure == "serverOverloaded"
    else:
        assert turn.text == "in the end"


def test_a_hanging_answer_ends_with_the_interrupt(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Hang("so far"))
    thread = codex.start_thread()

    turn = codex.start_turn(thread, "hi")
    assert codex.wait_for("item/agentMessage/delta")["delta"] == "so far"
    assert chatgpt.answering == 1
    codex.call("turn/interrupt", {"threadId": thread, "turnId": turn})

    assert codex.finish(turn).status == "interrupted"
    chatgpt.wait_until(lambda: chatgpt.answering == 0)
    assert codex.turn(thread, "again").text == "You said: again"


def test_a_slow_reply_is_whole_in_the_end_and_leaves_when_its_reader_does(
    codex: AppServer, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Slow(Text("ab", chunks=2), 0.01), Slow(Text("never"), 3600))
    thread = codex.start_thread()

    assert codex.turn(thread, "hi").deltas == ["a", "b"]
    turn = codex.start_turn(thread, "hi")
    chatgpt.wait_for_model_requests(2)
    codex.call("turn/interrupt", {"threadId": thread, "turnId": turn})
    chatgpt.wait_until(lambda: chatgpt.answering == 0)


def test_rate_limits_are_reported_with_an_answer_and_on_request(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.rate_limits = RateLimits(40, window_minutes=300, weekly_used_percent=7)

    codex.turn(codex.start_thread(), "hi")

    for limits in (codex.wait_for("account/rateLimits/updated"), codex.call("account/rateLimits/read")):
        primary, secondary = limits["rateLimits"]["primary"], limits["rateLimits"]["secondary"]
        assert (primary["usedPercent"], primary["windowDurationMins"]) == (40, 300)
        assert (secondary["usedPercent"], secondary["windowDurationMins"]) == (7, 10080)


def test_answers_of_several_threads_are_under_way_at_once(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = Hang()
    turns = {thread: codex.start_turn(thread, "hi") for thread in [codex.start_thread() for _ in range(3)]}

    chatgpt.wait_until(lambda: chatgpt.answering == 3)
    for thread, turn in turns.items():
        codex.call("turn/interrupt", {"threadId": thread, "turnId": turn})

    chatgpt.wait_until(lambda: chatgpt.answering == 0)
    assert chatgpt.peak_answering == 3
