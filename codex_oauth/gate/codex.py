"""Codex's answer: measured on 0.163 and 0.169, where any key that it does not know makes it reject the whole."""

from __future__ import annotations

import json
from typing import Any

from codex_oauth.gate.verdict import Verdict

__all__ = ("render",)


def render(verdict: Verdict) -> bytes:
    """What the hook writes on stdout; nothing for ask, after which Codex shows its own prompt."""
    if verdict.behavior == "ask":
        return b""
    decision: dict[str, Any] = {"behavior": verdict.behavior}
    if verdict.behavior == "deny":
        decision["message"] = verdict.deny_message
    answer = {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}
    return json.dumps(answer, separators=(",", ":")).encode("ascii")
