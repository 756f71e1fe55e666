"""What a tapes server takes at `POST /v1/ingest`, as it was measured: a checker of payloads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

__all__ = ("check", "is_main", "tool_ids")

PROVIDERS: Final = frozenset({"anthropic", "ollama", "openai"})
ACCEPTED: Final = (202, "accepted")

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class _Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


# What each member has to be. A member that is not named may be anything, and null stands for one that is left out.
Shape = Mapping[str, Any]
_BLOCK: Final[Shape] = {
    **dict.fromkeys(
        ("type", "text", "image_url", "image_base64", "media_type", "tool_use_id", "tool_name", "tool_result_id"), str
    ),
    "tool_input": dict,
    "tool_output": str,
    "is_error": bool,
    "thinking": str,
    "thinking_signature": str,
}
_USAGE: Final[Shape] = dict.fromkeys(
    (
        *("prompt_tokens", "completion_tokens", "total_tokens", "cache_creation_input_tokens"),
        *("cache_read_input_tokens", "total_duration_ns", "prompt_duration_ns"),
    ),
    int,
)
_RESPONSE: Final[Shape] = {
    "model": str,
    "created_at": "time",
    "message": {"role": str, "content": [_BLOCK]},
    "done": bool,
    "stop_reason": str,
    "usage": _USAGE,
    "extra": dict,
}
_META: Final[Shape] = {
    **dict.fromkeys(
        (
            *("request_id", "upstream_request_id", "content_type", "thread_id", "method", "path", "endpoint", "model"),
            *("model_family", "stream", "content_encoding", "upstream_status_class", "ts_request", "captured_at"),
        ),
        str,
    ),
    **dict.fromkeys(("upstream_status", "request_bytes", "response_bytes"), int),
    "elapsed_seconds": float,
}
_SESSION: Final[Shape] = dict.fromkeys(
    (
        *("org_id", "auth_subject", "harness_id", "harness_session_id", "harness_version", "cwd", "name"),
        "parent_harness_session_id",
    ),
    str,
)
_ENVELOPE: Final[Shape] = {
    **dict.fromkeys(("provider", "agent_name", "raw_response", "raw_response_encoding"), str),
    "raw_response_withheld": bool,
    "response": _RESPONSE,
    "meta": _META,
    "session": _SESSION,
}
_REQUEST: Final[Shape] = {
    **dict.fromkeys(("model", "instructions", "previous_response_id"), str),
    "max_output_tokens": int,
    "temperature": float,
    "top_p": float,
    "stream": bool,
    "tools": list,
    "reasoning": dict,
}


def check(body: bytes, content_type: str = "application/json") -> tuple[int, str]:
    """The status and the words that a payload is answered with."""
    try:
        _check(body, content_type)
    except _Refused as refused:
        return refused.status, refused.words
    return ACCEPTED


def is_main(payload: Mapping[str, Any]) -> bool:
    """Whether the turn counts as a part of the conversation, so that it gets a trace of its own."""
    request = payload["request"]
    return request.get("stream") is True and bool(
        request.get("tools") or request.get("tool_choice") not in (None, "none")
    )


def tool_ids(payload: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The ids of the calls in a request and of the results: results without a call are shown nowhere."""
    items = payload["request"]["input"]
    calls = {item["call_id"] for item in items if item["type"] == "function_call"}
    return calls, {item["call_id"] for item in items if item["type"] == "function_call_output"}


def _check(body: bytes, content_type: str) -> None:
    if content_type.split(";", maxsplit=1)[0].strip() != "application/json":
        raise _Refused(400, "invalid envelope: Unprocessable Entity")
    try:
        payload: Any = json.loads(body.decode("utf-8"))
    except ValueError:
        raise _Refused(400, "invalid envelope: not JSON") from None
    if not isinstance(payload, dict):
        raise _Refused(400, "invalid envelope: no object")
    envelope = cast("dict[str, Any]", payload)
    _fits(envelope, _ENVELOPE, "", 400, "invalid envelope")
    session = cast("dict[str, Any]", envelope.get("session") or {})
    if session.get("parent_harness_session_id") == "":
        raise _Refused(400, "invalid envelope: parent_harness_session_id is present but empty")
    if not isinstance(session.get("harness_metadata", {}), dict | None):
        raise _Refused(400, "invalid envelope: harness_metadata is not a JSON object")
    if envelope.get("provider") not in PROVIDERS:
        raise _Refused(422, f"unprocessable turn: unsupported provider {envelope.get('provider')!r}")
    _check_request(envelope.get("request"))
    message = cast("dict[str, Any]", cast("dict[str, Any]", envelope.get("response") or {}).get("message") or {})
    if not message.get("role"):
        raise _Refused(422, "unprocessable turn: missing response.message.role")
    if not message.get("content"):
        raise _Refused(422, "unprocessable turn: missing response.message.content")
    for number, block in enumerate(cast("list[dict[str, Any]]", message["content"])):
        if not block.get("type"):
            raise _Refused(422, f"unprocessable turn: missing response.message.content[{number}].type")


def _check_request(request: Any) -> None:
    if not isinstance(request, dict):
        raise _Refused(422, "unprocessable turn: cannot parse request")
    known = cast("dict[str, Any]", request)
    _fits(known, _REQUEST, "request", 422, "unprocessable turn")
    if known.get("messages") is None and not isinstance(known.get("input"), str | list):
        raise _Refused(422, "unprocessable turn: responses input is neither string nor item array")


def _fits(value: Any, shape: Any, place: str, status: int, words: str) -> None:
    if value is None:
        return
    if shape == "time":
        fits = isinstance(value, str) and _RFC3339.fullmatch(value) is not None
        if fits:
            datetime.fromisoformat(value)
    elif isinstance(shape, Mapping):
        fits = isinstance(value, dict)
    elif isinstance(shape, list):
        fits = isinstance(value, list)
    elif shape is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    if not fits:
        raise _Refused(status, f"{words}: {place} has the wrong type")
    if isinstance(shape, Mapping):
        members = cast("dict[str, Any]", value)
        for name, inner in cast("Mapping[str, Any]", shape).items():
            _fits(members.get(name), inner, f"{place}.{name}".lstrip("."), status, words)
    elif isinstance(shape, list):
        (inner,) = cast("list[Any]", shape)
        for number, item in enumerate(cast("list[Any]", value)):
            _fits(item, inner, f"{place}[{number}]", status, words)
