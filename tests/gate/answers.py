"""What the model answers to a permission request, as the stand-in sends it."""

from __future__ import annotations

from typing import Final

from codex_oauth.testing import Json

__all__ = ("RULES", "answer")

RULES: Final = {"allow": "read-only", "deny": "destroy", "ask": ""}
"""A built-in rule of each kind; an ask needs none."""


def answer(behavior: str, reason: str = "Because.", deny_message: str = "", rule: str | None = None) -> Json:
    """A reply that fits, and names a rule of its kind unless it is told another."""
    named = RULES[behavior] if rule is None else rule
    return Json({"reason": reason, "rule": named, "behavior": behavior, "deny_message": deny_message})
