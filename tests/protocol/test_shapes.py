"""What the check of a message's shape lets pass, what it refuses, and what it says."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest

from codex_oauth.errors import ProtocolError
from codex_oauth.protocol import METHODS, NOTIFICATIONS, SERVER_REQUESTS, check

THREAD: dict[str, Any] = {
    "id": "01a1fd47-96c9-7062-b96b-ee49cc3ae3f0",
    "ephemeral": True,
    "path": None,
    "sessionId": "01a1fd47-96c9-7062-b96b-ee49cc3ae3f0",
    "preview": "",
    "status": {"type": "idle"},
    "turns": [],
}
TURN: dict[str, Any] = {"id": "turn-1", "items": [], "status": "completed", "error": None, "durationMs": 12}
FAILED: dict[str, Any] = {
    "id": "turn-1",
    "items": [],
    "status": "failed",
    "error": {"message": "no", "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 502}}},
}
PLACE = {"threadId": "thread-1", "turnId": "turn-1"}
MESSAGE: dict[str, Any] = {"type": "agentMessage", "id": "item-1", "text": "ok", "phase": "final_answer"}
USAGE = {
    "totalTokens": 3,
    "inputTokens": 1,
    "cachedInputTokens": 0,
    "outputTokens": 2,
    "reasoningOutputTokens": 0,
}
MODEL: dict[str, Any] = {
    "id": "m",
    "model": "m",
    "displayName": "M",
    "description": "",
    "hidden": False,
    "isDefault": True,
    "supportedReasoningEfforts": [{"reasoningEffort": "low", "description": ""}],
    "defaultReasoningEffort": "low",
    "inputModalities": ["text"],
}
LIMITS: dict[str, Any] = {
    "primary": {"usedPercent": 10, "windowDurationMins": 300, "resetsAt": 1795250689},
    "secondary": None,
    "planType": "plus",
    "credits": {"hasCredits": False, "unlimited": False, "balance": None},
}

RESULTS: list[tuple[str, dict[str, Any]]] = [
    ("initialize", {"userAgent": "x/1", "codexHome": "/h", "platformFamily": "unix", "platformOs": "linux"}),
    ("account/read", {"account": None, "requiresOpenaiAuth": True, "workspaceRouting": None}),
    ("account/read", {"account": {"type": "chatgpt", "email": None, "planType": "plus"}, "requiresOpenaiAuth": True}),
    ("account/rateLimits/read", {"rateLimits": LIMITS, "rateLimitsByLimitId": {"codex": LIMITS}}),
    ("account/login/start", {"type": "chatgpt", "loginId": "l", "authUrl": "https://auth.example"}),
    ("account/logout", {}),
    ("model/list", {"data": [MODEL], "nextCursor": None}),
    (
        "thread/start",
        {
            "thread": THREAD,
            "model": "m",
            "modelProvider": "openai",
            "cwd": "/h",
            "instructionSources": [],
            "reasoningEffort": None,
        },
    ),
    ("turn/start", {"turn": {"id": "turn-1", "items": [], "status": "inProgress", "error": None}}),
    ("turn/interrupt", {}),
]
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("thread/started", {"thread": THREAD}),
    ("thread/status/changed", {"threadId": "thread-1", "status": {"type": "active", "activeFlags": []}}),
    ("turn/started", {"threadId": "thread-1", "turn": TURN}),
    ("turn/completed", {"threadId": "thread-1", "turn": TURN}),
    ("turn/completed", {"threadId": "thread-1", "turn": FAILED}),
    ("item/completed", {**PLACE, "item": MESSAGE, "completedAtMs": 1}),
    ("item/completed", {**PLACE, "item": {"type": "reasoning", "id": "item-1", "summary": [], "content": []}}),
    ("item/started", {**PLACE, "item": {"type": "commandExecution", "id": "item-1", "command": "ls"}}),
    ("item/agentMessage/delta", {**PLACE, "itemId": "item-1", "delta": "o"}),
    ("thread/tokenUsage/updated", {**PLACE, "tokenUsage": {"last": USAGE, "total": USAGE}}),
    ("rawResponseItem/completed", {**PLACE, "item": {"type": "message"}}),
    ("rawResponse/completed", {**PLACE, "responseId": "resp_1", "usage": None}),
    ("error", {**PLACE, "error": {"message": "no", "codexErrorInfo": "unauthorized"}, "willRetry": True}),
    ("configWarning", {"summary": "s", "details": None}),
    ("account/updated", {"authMode": None, "planType": None}),
    ("account/rateLimits/updated", {"rateLimits": LIMITS}),
    ("account/login/completed", {"loginId": None, "success": True, "error": None}),
]


@pytest.mark.parametrize(("name", "result"), RESULTS)
def test_a_result_as_the_server_sends_it_passes(name: str, result: dict[str, Any]) -> None:
    check(METHODS[name].result, result, f"{name}: result")


@pytest.mark.parametrize(("name", "params"), EVENTS)
def test_a_notification_as_the_server_sends_it_passes(name: str, params: dict[str, Any]) -> None:
    check(NOTIFICATIONS[name], params, f"{name}: params")


def test_a_server_request_as_the_server_sends_it_passes() -> None:
    request = SERVER_REQUESTS["item/tool/call"]
    check(request.params, {**PLACE, "callId": "c", "tool": "t", "namespace": None, "arguments": {"a": 1}}, request.name)


@pytest.mark.parametrize(("name", "params"), EVENTS)
def test_keys_that_are_new_pass(name: str, params: dict[str, Any]) -> None:
    check(NOTIFICATIONS[name], _with_a_new_key(params), name)


def _with_a_new_key(value: Any) -> Any:
    if isinstance(value, dict):
        present = cast("dict[str, Any]", value)
        return {"neverSeenBefore": [1.5], **{key: _with_a_new_key(inner) for key, inner in present.items()}}
    return [_with_a_new_key(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("turn/completed", {"threadId": "thread-1", "turn": {**TURN, "status": "paused"}}),
        ("item/completed", {**PLACE, "item": {"type": "hologram", "id": "item-1"}}),
        ("item/completed", {**PLACE, "item": {**MESSAGE, "phase": "encore"}}),
        ("error", {**PLACE, "error": {"message": "no", "codexErrorInfo": {"new": 1}}, "willRetry": False}),
        ("thread/status/changed", {"threadId": "thread-1", "status": {"type": "dreaming"}}),
        ("account/updated", {"authMode": "retina", "planType": "platinum"}),
    ],
)
def test_words_that_are_new_pass(name: str, params: dict[str, Any]) -> None:
    check(NOTIFICATIONS[name], params, name)


def test_an_account_of_a_new_kind_passes() -> None:
    check(METHODS["account/read"].result, {"account": {"type": "gcp"}, "requiresOpenaiAuth": True}, "account/read")


SECRET = "somebody@example.org"


@pytest.mark.parametrize(
    ("name", "path", "value", "complaint"),
    [
        ("turn/completed", ("turn", "status"), ..., ".turn.status is missing"),
        ("turn/completed", ("turn", "status"), 3, ".turn.status is an integer, not a string"),
        ("turn/completed", ("turn", "status"), 3.5, ".turn.status is a number, not a string"),
        ("turn/completed", ("turn", "status"), None, ".turn.status is null, not a string"),
        ("turn/completed", ("turn",), [SECRET], ".turn is an array, not an object"),
        ("turn/completed", ("turn", "durationMs"), True, ".turn.durationMs is a boolean, not an integer"),
        ("turn/completed", ("turn", "durationMs"), SECRET, ".turn.durationMs is a string, not an integer"),
        ("turn/completed", ("turn", "error"), SECRET, ".turn.error is a string, not an object"),
        ("turn/completed", ("turn", "error"), {}, ".turn.error.message is missing"),
        (
            "turn/completed",
            ("turn", "error"),
            {"message": SECRET, "codexErrorInfo": [SECRET]},
            ".turn.error.codexErrorInfo is an array, not a string or an object",
        ),
        ("item/completed", ("item", "text"), ..., ".item.text is missing"),
        ("item/completed", ("item", "type"), ..., ".item.type is missing"),
        ("item/completed", ("item", "type"), {SECRET: 1}, ".item.type is an object, not a string"),
        ("item/completed", ("item",), SECRET, ".item is a string, not an object"),
        ("item/completed", ("item",), {"type": "hologram"}, ".item.id is missing"),
        (
            "item/completed",
            ("item",),
            {"type": "reasoning", "id": "i", "summary": ["a", {SECRET: 1}]},
            ".item.summary[1] is an object, not a string",
        ),
        (
            "item/completed",
            ("item",),
            {"type": "reasoning", "id": "i", "summary": SECRET},
            ".item.summary is a string, not an array",
        ),
        ("rawResponseItem/completed", ("item",), SECRET, ".item is a string, not an object"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_without_its_value(
    name: str, path: tuple[str, ...], value: Any, complaint: str
) -> None:
    params: dict[str, Any] = copy.deepcopy(next(params for event, params in EVENTS if event == name))
    *parents, last = path
    place: Any = params
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value

    with pytest.raises(ProtocolError) as caught:
        check(NOTIFICATIONS[name], params, f"{name}: params")

    assert str(caught.value) == f"{name}: params{complaint}"
    assert SECRET not in str(caught.value)


def test_a_key_that_is_data_is_not_shown_either() -> None:
    result = {"rateLimits": {}, "rateLimitsByLimitId": {SECRET: {"planType": 7}}}

    with pytest.raises(ProtocolError, match=r"rateLimitsByLimitId\[\*\]\.planType is an integer") as caught:
        check(METHODS["account/rateLimits/read"].result, result, "account/rateLimits/read: result")

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "text", 0, True])
def test_a_message_that_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError, match=r"^thread/start: result is .*, not an object$"):
        check(METHODS["thread/start"].result, value, "thread/start: result")
