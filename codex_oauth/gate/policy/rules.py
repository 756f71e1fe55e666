"""What may be done: rules in words, and what follows where they do not decide."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from codex_oauth.records import as_values, field, record
from codex_oauth.thin.key import digest

__all__ = ("FAILURE_CLASSES", "Behavior", "FailureClass", "OnFailure", "Policy", "Rule")

Behavior: TypeAlias = Literal["allow", "deny", "ask"]
FailureClass: TypeAlias = Literal[
    "account", "codex", "configuration", "input", "limit", "network", "other", "reply", "service", "timeout"
]
OnFailure: TypeAlias = Literal["ask", "deny"]

FAILURE_CLASSES: Final[Mapping[FailureClass, str]] = {
    "account": "no sign-in, another account than the profile's, or one that has to sign in again",
    "codex": "the codex binary is missing, unsupported, or ended",
    "configuration": "a setting or a policy file is wrong",
    "input": "what the host sent is not a permission request",
    "limit": "the plan is used up, or does not include this",
    "network": "the service could not be reached",
    "reply": "the model's reply is empty, cut off, or does not fit",
    "service": "the service refused or failed",
    "timeout": "the time was up",
    "other": "anything else",
}
"""The classes of failure that a policy can tell apart, and what each stands for."""


@record(kw_only=True)
class Rule:
    """One rule.

    Attributes:
        id: Its name: letters, digits, `-`, `_`, `.` and `/`.
        kind: What follows where it applies.
        text: When it applies, in words for the model.
        deny_message: What the agent is told, where the model finds no words for this case; None for words of its own.
        remember: For an allow rule on Claude Code: that what it allowed is not asked for again, in this `session` or in
            this project (`local`). None to be asked each time. Codex knows no such thing.
    """

    id: str
    kind: Behavior
    text: str
    deny_message: str | None = None
    remember: Literal["session", "local"] | None = None


@record(kw_only=True)
class Policy:
    """A set of rules, and what follows where they do not decide.

    Attributes:
        rules: The rules. Where none applies, the person is asked.
        environment: Notes for the model about where the agent works, in words.
        on_uncertain: The verdict where no rule applies: what "ask" becomes where the model rests it on no rule.
        when_nobody: What "ask" becomes where nobody can be asked (Codex with approvals off): `ask` leaves it to the
            host, which then refuses.
        on_failure: For a class of failure, what becomes of a request that has no verdict: `ask` where it is not named.
        transcript: Whether the model sees the end of the conversation.
        host_permissions: Whether the model sees the permission rules of the host's own settings.
        model: A model's id; None for the small tier.
        effort: A reasoning effort; None for the model's lowest.
        timeout: Seconds for a verdict; None for the configured ones.
        cache: Seconds for which a verdict of the model's may answer the same request again; 0 for never.
    """

    rules: tuple[Rule, ...]
    environment: tuple[str, ...] = ()
    on_uncertain: Behavior = "ask"
    when_nobody: Behavior = "deny"
    on_failure: Mapping[FailureClass, OnFailure] = field(default_factory=dict[FailureClass, OnFailure])
    transcript: bool = True
    host_permissions: bool = True
    model: str | None = None
    effort: str | None = None
    timeout: float | None = None
    cache: float = 0.0

    def rule(self, name: str) -> Rule | None:
        """The rule of that id."""
        return next((rule for rule in self.rules if rule.id == name), None)

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that stand for what it judges by: two policies with the same ones judge alike."""
        judged_by = as_values(self)
        # How long a verdict is kept is nothing that it rests on.
        del judged_by["cache"]
        content = json.dumps(judged_by, sort_keys=True, ensure_ascii=True)
        return digest(content.encode())[:12]
