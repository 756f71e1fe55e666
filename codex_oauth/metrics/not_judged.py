"""Requests that have no verdict of the policy's: why, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from codex_oauth.metrics.records import Record

__all__ = ("REMEDIES", "NotJudged", "reason")

REMEDIES: Final[Mapping[str, str]] = {
    "not_logged_in": "codex-oauth login",
    "reauthentication_required": "codex-oauth login",
    "credential_rejected": "codex-oauth login",
    "usage_limit_reached": "codex-oauth limits",
    "configuration": "codex-oauth gate check",
    "codex_not_found": "codex-oauth doctor",
    "codex_unsupported": "codex-oauth doctor",
}
"""The command that mends an error, or says more about it, by the error's code."""

_RULES_COULD: Final = frozenset({"model", "contradiction", "truncated"})
"""Sources of an ask that another rule, or another command, would save."""


@dataclass(slots=True)
class NotJudged:
    """One tool's command that was not judged, why, and how often.

    Attributes:
        reason: A failure's code; or what else kept the policy's verdict from counting, such as `escalated`.
    """

    tool: str
    command: str
    reason: str
    count: int = 0

    @property
    def remedy(self) -> str | None:
        """The command that helps, where one is known."""
        return REMEDIES.get(self.reason)

    def to_json(self) -> dict[str, Any]:
        """A member of the JSON's list."""
        named = {"tool": self.tool, "command": self.command, "count": self.count}
        return {**named, "reason": self.reason, "remedy": self.remedy}


def reason(entry: Record) -> str | None:
    """Why a permission request was not judged by the policy's rules; None where it was, and where there was nothing to
    judge."""
    gate = entry.gate
    if gate is None or gate.is_question:
        return None
    if entry.failed:
        return entry.error or "other"
    return gate.source if gate.verdict == "ask" and gate.source not in _RULES_COULD else None
