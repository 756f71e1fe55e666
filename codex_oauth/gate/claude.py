"""Claude Code's answer: measured on 2.1.197."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from codex_oauth.gate.policy import Policy
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.verdict import Verdict

__all__ = ("render",)

_DESTINATIONS: Final = {"session": "session", "local": "localSettings"}


def render(verdict: Verdict, request: PermissionRequest, policy: Policy | None = None) -> bytes:
    """What the hook writes on stdout; nothing for ask, where Claude Code's own prompt stays.

    Args:
        verdict: The verdict.
        request: What it is about.
        policy: Whose rule may want an allow remembered; None for none.
    """
    if verdict.behavior == "ask":
        return b""
    decision: dict[str, Any] = {"behavior": verdict.behavior}
    if verdict.behavior == "deny":
        decision["message"] = verdict.deny_message
    elif updates := _remembered(verdict, request, policy):
        decision["updatedPermissions"] = updates
    answer = {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}
    return json.dumps(answer, separators=(",", ":")).encode("ascii")


def _remembered(verdict: Verdict, request: PermissionRequest, policy: Policy | None) -> list[dict[str, Any]]:
    rule = policy.rule(verdict.rule) if policy and verdict.rule else None
    if rule is None or rule.kind != "allow" or rule.remember is None:
        return []
    # Only what Claude Code would itself offer the person for this very call, and never a mode or a folder.
    return [
        {
            "type": "addRules",
            "rules": suggestion["rules"],
            "behavior": "allow",
            "destination": _DESTINATIONS[rule.remember],
        }
        for suggestion in (cast("dict[str, Any]", one) for one in request.suggestions if isinstance(one, dict))
        if suggestion.get("type") == "addRules"
        and suggestion.get("behavior") == "allow"
        and isinstance(suggestion.get("rules"), list)
        and suggestion["rules"]
    ]
