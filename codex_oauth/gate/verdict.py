"""The answer to a permission request, and the reply that it is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from codex_oauth.gate.policy import Behavior
from codex_oauth.records import field, record

if TYPE_CHECKING:
    from codex_oauth.types import Account, Timing, Usage

__all__ = ("REPLY_SCHEMA", "Source", "Verdict")

Source: TypeAlias = Literal[
    "model", "rule", "truncated", "contradiction", "uncertain", "nobody", "escalated", "failure"
]

REPLY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    # The reason comes first on purpose: a model that has to name the verdict first then writes a reason to suit it.
    "properties": {
        "reason": {"type": "string", "description": "One sentence: what the request does, and which rule decides."},
        "rule": {
            "type": "string",
            "description": "The id of the rule that decides; empty if none does.",
        },
        "behavior": {
            "type": "string",
            "enum": ["allow", "deny", "ask"],
            "description": "What follows from the reason.",
        },
        "deny_message": {"type": "string", "description": "For the agent, when denied; otherwise empty."},
    },
    "required": ["reason", "rule", "behavior", "deny_message"],
    "additionalProperties": False,
}


def _no_tokens() -> Usage:
    # Nothing needs these types before the model has answered.
    from codex_oauth.types import Usage

    return Usage()


@record(kw_only=True)
class Verdict:
    """What a request may do.

    Attributes:
        behavior: `allow`, `deny`, or `ask`: the person decides.
        reason: Why, in a sentence.
        deny_message: For the agent, when denied; otherwise empty.
        rule: The id of the rule that it rests on; None where it rests on none.
        source: What made it so. `model`: the model's own word. `rule`: no model was asked. All others are forced:
            `truncated`, an allow became ask because the model had not seen the whole request; `contradiction`, the
            model's word and the rule it named do not go together, so it became ask; `uncertain`, ask became what the
            policy's `on_uncertain` says; `nobody`, ask became what its `when_nobody` says; `escalated`, a denial became
            ask after too many of them; `failure`, there is no verdict, and its `on_failure` says what then.
        model: The model that judged; None where none was asked.
        effort: Its reasoning effort.
        latency_ms: Milliseconds that it took.
        usage: Tokens.
        account: Who paid.
        repaired: Whether the first reply did not fit.
        timing: The call's phases; None where there was no call.
        warm: Whether a process that was already running served the call.
        cached: Whether it is the word that the model gave to the same request a short time ago.
        shared: Whether the call was one that somebody else had begun with the same question.
        codex_version: The version of the codex that was asked, where it is known.
    """

    behavior: Behavior
    reason: str = field(repr=False)
    deny_message: str = field(default="", repr=False)
    rule: str | None = None
    source: Source
    model: str | None = None
    effort: str | None = None
    latency_ms: float = 0.0
    usage: Usage = field(default_factory=_no_tokens)
    account: Account | None = None
    repaired: bool = False
    timing: Timing | None = field(default=None, repr=False, compare=False)
    warm: bool = field(default=False, repr=False, compare=False)
    cached: bool = False
    shared: bool = field(default=False, repr=False, compare=False)
    codex_version: str | None = field(default=None, repr=False, compare=False)

    @property
    def forced(self) -> bool:
        """Whether it is another than the model's own word, or than what needs no model."""
        return self.source not in {"model", "rule"}

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
            "rule": self.rule,
            "source": self.source,
        }
