"""Claude Code's transcript: one JSON object per line, of which few are somebody's words."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from codex_oauth.gate.context.said import Said, mapping, texts

__all__ = ("ClaudeLines",)

_NOBODY: Final = (
    "isCompactSummary",
    "isMeta",
    "isSidechain",
    "isVisibleInTranscriptOnly",
    "sourceToolAssistantUUID",
    "sourceToolUseID",
    "toolUseResult",
)
# A line with one of these was made by the program, by a sub-agent or by a tool, though it says "user".

_REMINDER: Final = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)
_WRAPPED: Final = (
    *("<bash-", "<channel ", "<channel>", "<command-", "<cross-session-message", "<fork-boilerplate", "<ide_"),
    *("<local-command-", "<new-diagnostics", "<session-start-hook", "<system-reminder", "<task-notification"),
    *("<teammate-message", "<tick>", "<ultraplan", "<user-memory-input", "<user-prompt-submit-hook"),
    "[Request interrupted by user",
    "Caveat: The messages below were generated",
    "This session is being continued from a previous conversation",
)
# How the program begins what it puts into the person's mouth, in versions that did not mark the line as well.


class ClaudeLines:
    """Takes lines from the end backwards."""

    def __init__(self) -> None:
        self.said = Said()

    def wants(self, raw: bytes) -> bool:
        """Whether it may be worth parsing."""
        if b'"tool_result"' in raw or b'"tool_use"' in raw:
            return not self.said.has_calls
        return not self.said.has_words and (b'"user"' in raw or b'"queued_command"' in raw)

    def take(self, line: dict[str, Any]) -> None:
        """Picks out of a line what somebody said or called."""
        kind, message = line.get("type"), mapping(line.get("message"))
        if line.get("isSidechain"):
            return
        if kind == "assistant":
            self._calls(message.get("content"))
        elif kind == "user" and not self._results(message.get("content")):
            if not any(line.get(mark) for mark in _NOBODY) and _is_human(line):
                self._words(message.get("content"))
        elif kind == "attachment":
            # What the person typed while the agent was at work.
            queued = mapping(line.get("attachment"))
            if queued.get("type") == "queued_command" and queued.get("commandMode") == "prompt" and _is_human(queued):
                self._words(queued.get("prompt"))

    def in_order(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Words and calls, the oldest first."""
        return self.said.in_order()

    def _calls(self, content: object) -> None:
        if isinstance(content, list):
            for block in map(mapping, reversed(cast("list[object]", content))):
                if block.get("type") == "tool_use":
                    self.said.add_call(block.get("name"), block.get("input"), block.get("id"))

    def _results(self, content: object) -> bool:
        blocks = map(mapping, cast("list[object]", content)) if isinstance(content, list) else ()
        results = [block for block in blocks if block.get("type") == "tool_result"]
        for block in results:
            self.said.add_result(block.get("tool_use_id"), failed=block.get("is_error") is True)
        return bool(results)

    def _words(self, content: object) -> None:
        own = (_REMINDER.sub("", text).strip() for text in texts(content, "text"))
        self.said.add_words("\n".join(text for text in own if text and not text.startswith(_WRAPPED)))


def _is_human(line: dict[str, Any]) -> bool:
    origin = mapping(line.get("origin")).get("kind", "human")
    return origin == "human" and line.get("promptSource") != "system" and not line.get("isMeta")
