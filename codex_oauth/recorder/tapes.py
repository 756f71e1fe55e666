"""A record as a tapes server takes it: the payload of `POST /v1/ingest`.

One payload stands for one model response, with the whole history in its request. Where `stream` is true and there are
tools, or a `tool_choice` that is not `none`, the server counts it as a part of the conversation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

__all__ = ("AGENT", "tapes_payload")

AGENT: Final = "codex"


def tapes_payload(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The payload for a record; None for a response without any output, which the server refuses."""
    content = [block for item in record["output"] for block in _blocks(item)]
    if not content:
        return None
    return {
        "provider": "openai",
        "agent_name": AGENT,
        "request": _request(record),
        "response": _response(record, content),
        "meta": {
            "request_id": record["request_id"],
            **_given(upstream_request_id=record["response_id"]),
            "content_type": "text/event-stream",
            "method": "POST",
            "endpoint": "responses",
            "model": record["model"],
            "stream": "true",
            "upstream_status": 200,
            "elapsed_seconds": record["timing"]["ms"] / 1000,
            "ts_request": record["timing"]["began"],
            "captured_at": record["timing"]["ended"],
        },
        "session": {
            # Always there, if empty: the account's own is not for a record.
            "auth_subject": "",
            "harness_id": AGENT,
            "harness_session_id": record["thread_id"],
            **_given(harness_version=record["codex_version"]),
            "harness_metadata": {
                "package": f"codex-oauth {record['package_version']}",
                **_given(label=record["label"], project=record["project"]),
            },
        },
    }


def _request(record: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": record["model"],
        **_given(instructions=record["instructions"]),
        "input": record["input"],
        "stream": True,
        "store": False,
        "tools": [_tool(tool) for tool in record["tools"]],
        "tool_choice": "auto",
    }
    if record["effort"] is not None:
        request["reasoning"] = {"effort": record["effort"]}
    if record["schema"] is not None:
        form = {"type": "json_schema", "name": "codex_output_schema", "strict": True, "schema": record["schema"]}
        request["text"] = {"format": form}
    return request


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.get("name"),
        **_given(description=tool.get("description")),
        "parameters": tool.get("inputSchema") or {},
        "strict": False,
    }


def _response(record: Mapping[str, Any], content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    usage = record["usage"]
    return {
        "model": record["model"],
        "created_at": record["time"],
        "message": {"role": "assistant", "content": content},
        "done": True,
        "stop_reason": "stop",
        "usage": {
            "prompt_tokens": usage["input"],
            "completion_tokens": usage["output"],
            "total_tokens": usage["input"] + usage["output"],
            "cache_read_input_tokens": usage["cached"],
            "total_duration_ns": round(record["timing"]["ms"] * 1_000_000),
        },
        "extra": {**_given(id=record["response_id"]), "object": "response", "status": "completed"},
    }


def _blocks(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An output item as blocks, in the form that the server itself gives the same item in a later request."""
    match item.get("type"):
        case "message":
            for part in cast("Sequence[Mapping[str, Any]]", item.get("content") or ()):
                kind = part.get("type")
                text = str(part.get("refusal" if kind == "refusal" else "text") or "")
                yield {"type": "text" if kind == "output_text" else kind or "text", "text": text}
        case "function_call":
            arguments = _object(item.get("arguments"))
            block = {"type": "tool_use", "tool_use_id": item.get("call_id"), "tool_name": item.get("name")}
            yield {**block, "content": dict(item)} if arguments is None else {**block, "tool_input": arguments}
        case "custom_tool_call":
            block = {"type": "tool_use", "tool_use_id": item.get("call_id"), "tool_name": item.get("name")}
            yield {**block, "tool_input": {"input": item.get("input") or ""}}
        case "reasoning":
            summary = cast("Sequence[Mapping[str, Any]]", item.get("summary") or ())
            yield {"type": "thinking", "thinking": "\n".join(str(part.get("text") or "") for part in summary)}
        case kind:
            yield {"type": kind or "unknown", "content": dict(item)}


def _object(text: object) -> dict[str, Any] | None:
    try:
        value: object = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _given(**members: object) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
