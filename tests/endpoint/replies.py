"""Replies as the endpoint gets them, for what is tested without a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from codex_oauth.types import Account, Reply, Timing, ToolCall, Usage

__all__ = ("message_item", "reply_of")


def reply_of(
    *items: Mapping[str, Any],
    text: str = "",
    finish: Literal["stop", "tool_calls", "length"] = "stop",
    usage: Usage | None = None,
) -> Reply[Any]:
    """A reply with these output items."""
    calls = tuple(
        ToolCall(call_id=item["call_id"], name=item["name"], arguments=item["arguments"])
        for item in items
        if item["type"] == "function_call"
    )
    return Reply(
        output=text,
        text=text,
        usage=usage or Usage(input=20, cached=8, output=6, reasoning=2),
        model="gpt-6-luna",
        effort="low",
        account=Account(kind="chatgpt", plan="plus", email="somebody@example.org"),
        timing=Timing(total=12.0),
        repaired=False,
        warm=True,
        turn_id="turn-1",
        finish=finish,
        calls=calls,
        items=items,
        response_id="resp_1",
    )


def message_item(text: str, item_id: str = "msg_a", phase: str | None = None) -> dict[str, Any]:
    """A message among output items."""
    item = {"type": "message", "id": item_id, "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    return item if phase is None else {**item, "phase": phase}
