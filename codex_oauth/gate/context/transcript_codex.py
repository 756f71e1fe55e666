"""Codex's transcript, a "rollout": one JSON object per line, in the words of several versions."""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

from codex_oauth.gate.context.said import Said, mapping, texts

__all__ = ("CodexLines",)

_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input", "local_shell_call": "action"}

_INJECTED: Final = re.compile(
    r"<(?:[a-z]+_[a-z_]+|permissions instructions|skill|image|goal|app-context)\b|# AGENTS\.md instructions for |"
    r"# Files mentioned by the user:|Warning: apply_patch was requested"
)
# How Codex begins what it puts into the person's mouth, in versions that did not say so of each part.
_EDITOR: Final = "# Context from my IDE setup:"
_REQUEST: Final = "## My request for Codex:"
_SUB_AGENT: Final = re.compile(rb'"thread_source":\s*"subagent"|"source":\s*\{\s*"subagent"')
_OWN_KIND: Final = "user.text"
_LARGEST_ARGUMENTS: Final = 65_536


class CodexLines:
    """Takes lines from the end backwards.

    Args:
        start: What the file begins with: whose conversation it is.
    """

    def __init__(self, start: bytes) -> None:
        self.said = Said()
        self._items = Said()
        self._inherited = _inherited(start)

    def wants(self, raw: bytes) -> bool:
        """Whether it may be worth parsing."""
        if b'_call"' in raw or b'_call_output"' in raw:
            return not self.said.has_calls
        if self.said.has_words:
            return False
        return b'"user_message"' in raw or b'"UserMessage"' in raw or b'"user"' in raw

    def take(self, line: dict[str, Any]) -> None:
        """Picks out of a line what somebody said or called."""
        payload = mapping(line.get("payload"))
        kind = payload.get("type")
        if line.get("type") == "event_msg":
            if self._is_from_person(line):
                self.said.add_words(_event(payload))
        elif line.get("type") == "response_item" and isinstance(kind, str):
            if kind == "message" and payload.get("role") == "user":
                if self._is_from_person(line):
                    self._items.add_words(_item(payload))
            elif kind in _CALLS:
                given, where = _given(payload.get(_CALLS[kind]))
                self.said.add_call(_name(payload), given, payload.get("call_id"), where=where)
            elif kind.endswith("_call_output"):
                self.said.add_result(payload.get("call_id"))

    def in_order(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Words and calls, the oldest first."""
        words, calls = self.said.in_order()
        # Most versions write the same words twice: as what happened, and as what the model was sent.
        return words or self._items.in_order()[0], calls

    def _is_from_person(self, line: dict[str, Any]) -> bool:
        if self._inherited is None:
            return True
        ordinal = line.get("ordinal")
        return isinstance(ordinal, int) and ordinal < self._inherited


def _inherited(start: bytes) -> int | None:
    """In a sub-agent's file, how many lines are those of the agent that called it; None if it is no sub-agent's.

    What is said to a sub-agent after those is another agent's word, and no person's.
    """
    first = start.partition(b"\n")[0]
    if not _SUB_AGENT.search(first):
        return None
    try:
        lines = mapping(mapping(json.loads(first)).get("payload")).get("subagent_history_start_ordinal")
    except (ValueError, RecursionError):
        return 0
    return lines if isinstance(lines, int) else 0


def _event(payload: dict[str, Any]) -> str:
    item = mapping(payload.get("item"))
    if payload.get("type") == "item_completed" and item.get("type") == "UserMessage":
        return _request("\n".join(texts(item.get("content"), "text")))
    words = payload.get("message")
    if payload.get("type") != "user_message" or payload.get("kind", "plain") != "plain" or not isinstance(words, str):
        return ""
    return "" if _INJECTED.match(words) else _request(words)


def _item(payload: dict[str, Any]) -> str:
    content, about = payload.get("content"), mapping(payload.get("internal_chat_message_metadata_passthrough"))
    kinds = about.get("content_item_kinds")
    if isinstance(kinds, list) and isinstance(content, list):
        blocks = zip(cast("list[object]", content), cast("list[object]", kinds), strict=False)
        content = [block for block, kind in blocks if kind == _OWN_KIND]
        return _request("\n".join(texts(content, "input_text")))
    return _request("\n".join(text for text in texts(content, "input_text") if not _INJECTED.match(text)))


def _request(words: str) -> str:
    """The person's own part of what an editor sends with its surroundings."""
    return words.partition(_REQUEST)[2] or words if words.startswith(_EDITOR) else words


def _name(payload: dict[str, Any]) -> object:
    name, space = payload.get("name"), payload.get("namespace")
    if payload.get("type") == "local_shell_call":
        return "shell"
    if not isinstance(name, str) or not isinstance(space, str) or not space:
        return name
    return f"{space}__{name}" if space.startswith("mcp__") else f"{space}.{name}"


def _given(value: object) -> tuple[object, object]:
    """What a call was given, and the folder that it named."""
    if isinstance(value, str) and value.startswith("{") and len(value) <= _LARGEST_ARGUMENTS:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value, None
    members = mapping(value)
    return value, members.get("workdir") or members.get("working_directory")
