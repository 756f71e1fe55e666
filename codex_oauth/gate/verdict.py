"""The answer to a permission request, and the reply that it is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.types import Account, Usage

__all__ = ("REPLY_SCHEMA", "Behavior", "Verdict")

Behavior: TypeAlias = Literal["allow", "deny", "ask"]

REPLY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    # The reason comes first on purpose: a model that has to name the verdict first then writes a reason to suit it.
    "properties": {
        "reason": {"type": "string", "description": "One sentence: what the request does, and which rule decides."},
        "behavior": {
            "type": "string",
            "enum": ["allow", "deny", "ask"],
            "description": "What follows from the reason.",
        },
        "deny_message": {"type": "string", "description": "For the agent, when denied; otherwise empty."},
    },
    "required": ["reason", "behavior", "deny_message"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a request may do.

    Attributes:
        behavior: `allow`, `deny`, or `ask`: the person decides.
        reason: Why, in a sentence.
        deny_message: For the agent, when denied; otherwise empty.
        source: `model`; `rule` where no model was asked; `truncated` where an allow became ask because the model had
            not seen the whole request.
        model: The model that judged; None where none was asked.
        effort: Its reasoning effort.
        latency_ms: Milliseconds that it took.
        usage: Tokens.
        account: Who paid.
        repaired: Whether the first reply did not fit.
    """

    behavior: Behavior
    reason: str = field(repr=False)
    deny_message: str = field(default="", repr=False)
    source: Literal["model", "rule", "truncated"]
    model: str | None = None
    effort: str | None = None
    latency_ms: float = 0.0
    usage: Usage = field(default_factory=Usage)
    account: Account | None = None
    repaired: bool = False

    def to_json(self) -> dict[str, Any]:
        """The verdict as `classify --json` prints it; `schemas/verdict.schema.json` describes it."""
        usage = self.usage
        return {
            "behavior": self.behavior,
            "reason": self.reason,
            "deny_message": self.deny_message,
            "model": self.model,
            "effort": self.effort,
            "latency_ms": round(self.latency_ms, 1),
            "usage": {
                "input": usage.input,
                "cached": usage.cached,
                "output": usage.output,
                "reasoning": usage.reasoning,
            },
            "account": {"kind": self.account.kind, "plan": self.account.plan} if self.account else None,
            "repaired": self.repaired,
            "source": self.source,
        }
