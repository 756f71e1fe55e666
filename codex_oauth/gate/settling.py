"""What stands beside the model's word: what needs no model, what it is asked, and what becomes of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from codex_oauth.gate.prompt import instructions
from codex_oauth.gate.verdict import Verdict
from codex_oauth.records import field, record, replace

if TYPE_CHECKING:
    from codex_oauth.gate.policy import Policy
    from codex_oauth.gate.prompt import Rendered
    from codex_oauth.gate.request import PermissionRequest
    from codex_oauth.types import Reply

__all__ = ("MAX_DENY_MESSAGE", "Question", "question", "settled", "without_model")

MAX_DENY_MESSAGE: Final = 900
"""Characters of what the agent is told. Codex's model was measured to get about as many; Claude Code passes on all."""

_DENIED: Final = "Denied by the permission policy."


@record(kw_only=True)
class Question:
    """What the model is asked about a request; the reply is to fit `REPLY_SCHEMA`.

    Attributes:
        text: The request and its context, without secrets.
        instructions: The policy.
        model: The policy's model; None for the settings'.
        effort: The policy's effort; None for the settings'.
        timeout: Seconds; None for the settings'.
    """

    text: str = field(repr=False)
    instructions: str = field(repr=False)
    model: str | None
    effort: str | None
    timeout: float | None


def question(request: PermissionRequest, policy: Policy, rendered: Rendered) -> Question:
    """What the model is asked about `request`, by `policy`."""
    return Question(
        text=rendered.text,
        instructions=instructions(policy, request),
        model=policy.model,
        effort=policy.effort,
        timeout=policy.timeout,
    )


def without_model(request: PermissionRequest, policy: Policy) -> Verdict | None:
    """The verdict on a request that no model is asked about; None for all others."""
    if request.needs_person:
        return Verdict(behavior="ask", reason=f"{request.tool} is a question to the person.", source="rule")
    if request.is_empty:
        verdict = Verdict(behavior="ask", reason="The request does not say what would be done.", source="rule")
        return _where_nobody_can_be_asked(verdict, request, policy, may_allow=False)
    return None


def settled(reply: Reply[Any], request: PermissionRequest, policy: Policy, rendered: Rendered) -> Verdict:
    """The verdict that the model's reply makes."""
    verdict = _settled(reply, policy, rendered)
    if verdict.behavior == "ask" and verdict.source == "model" and verdict.rule is None:
        if policy.on_uncertain == "deny":
            verdict = _denied(verdict, verdict.reason, "uncertain")
        elif policy.on_uncertain == "allow" and rendered.whole:
            verdict = replace(verdict, behavior="allow", source="uncertain")
    return _where_nobody_can_be_asked(verdict, request, policy, may_allow=rendered.whole)


def _settled(reply: Reply[Any], policy: Policy, rendered: Rendered) -> Verdict:
    """The model's word, as far as it goes together with the rule that it names."""
    answer = cast("dict[str, str]", reply.output)
    behavior, reason, named = answer["behavior"], answer["reason"].strip(), answer["rule"].strip()
    rule = policy.rule(named) if named else None
    verdict = Verdict(
        behavior="ask",
        reason=reason,
        rule=rule.id if rule else None,
        source="model",
        model=reply.model,
        effort=reply.effort,
        latency_ms=reply.timing.total or 0.0,
        usage=reply.usage,
        account=reply.account,
        repaired=reply.repaired,
        timing=reply.timing,
        warm=reply.warm,
        codex_version=reply.codex_version,
    )

    def contradicted(why: str) -> Verdict:
        return replace(verdict, reason=f"{why} {reason}".strip(), source="contradiction")

    if named and rule is None:
        return contradicted("The model named a rule that does not exist.")
    if behavior != "ask":
        if rule is None:
            return contradicted(f"The model's {behavior} rests on no rule.")
        if rule.kind != behavior:
            return contradicted(f"The model's {behavior} rests on the rule {rule.id}, which says {rule.kind}.")
    if behavior == "allow":
        if not reason:
            # The reason is what the verdict rests on.
            return contradicted("The model allowed the request without a reason.")
        if not rendered.whole:
            why = (
                "has a secret in it, which the model was not shown" if rendered.secrets else "could not be shown whole"
            )
            shown = f"The request {why}, so it cannot be allowed. {reason}"
            return replace(verdict, reason=shown, source="truncated")
        return replace(verdict, behavior="allow")
    if behavior == "deny":
        words = answer["deny_message"].strip() or (rule.deny_message if rule else None) or _DENIED
        return replace(verdict, behavior="deny", deny_message=_bounded(words))
    return verdict


def _where_nobody_can_be_asked(
    verdict: Verdict, request: PermissionRequest, policy: Policy, *, may_allow: bool
) -> Verdict:
    if verdict.behavior != "ask" or not request.nobody_can_be_asked or policy.when_nobody == "ask":
        return verdict
    # An allow is the policy's to give only where the model itself said ask, of a request that it saw whole.
    if policy.when_nobody == "allow" and may_allow and verdict.source == "model":
        return replace(verdict, behavior="allow", source="nobody")
    return _denied(verdict, f"This needs a person, and nobody can be asked here. {verdict.reason}", "nobody")


def _denied(verdict: Verdict, words: str, source: Any) -> Verdict:
    return replace(verdict, behavior="deny", deny_message=_bounded(words or _DENIED), source=source)


def _bounded(words: str) -> str:
    # Half a surrogate pair, which JSON can write, would make the answer unreadable for the host.
    words = words.encode("utf-8", "replace").decode()
    return words if len(words) <= MAX_DENY_MESSAGE else words[: MAX_DENY_MESSAGE - 1] + "…"
