"""From a permission request to a verdict. A failure is an exception, and never a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, cast

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.gate.context import Context
from codex_oauth.gate.journal import Journal
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.prompt import Rendered, instructions, request_text
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.verdict import REPLY_SCHEMA, Verdict
from codex_oauth.types import Reply

__all__ = ("MAX_DENY_MESSAGE", "classify", "judge")

MAX_DENY_MESSAGE: Final = 900
"""Characters of what the agent is told. Codex's model was measured to get about as many; Claude Code passes on all."""

_DENIED: Final = "Denied by the permission policy."


async def classify(
    request: PermissionRequest,
    *,
    policy: Policy = BUILTIN_POLICY,
    codex: AsyncCodex | None = None,
    context: Context | None = None,
    model: str | None = None,
    effort: str | None = None,
    timeout: float | None = None,
) -> Verdict:
    """Judge a request by a policy.

    Args:
        request: What is asked for.
        policy: The rules; the built-in ones by default.
        codex: What makes the call; one with default settings by default.
        context: What is known besides: the repository, the conversation. None for nothing.
        model: A model's id; None for the policy's, or the small tier.
        effort: A reasoning effort; None for the policy's, or the model's lowest.
        timeout: Seconds; None for the policy's, or the configured ones.

    Raises:
        CodexOAuthError: There is no verdict. What follows from that is the caller's to say, and is never an allow.
    """
    if not isinstance(cast("object", request), PermissionRequest):
        raise ConfigurationError("classify takes a PermissionRequest: PermissionRequest.from_command(text) makes one")
    if codex is not None and not isinstance(cast("object", codex), AsyncCodex):
        raise ConfigurationError("classify takes an AsyncCodex as codex=")
    codex = codex or AsyncCodex()
    rendered = request_text(request, context)
    journal = Journal(codex.settings.metrics, command="classify", host=request.host)
    journal.request, journal.policy, journal.rendered = request, policy, rendered
    try:
        verdict = await judge(
            request, policy=policy, codex=codex, rendered=rendered, model=model, effort=effort, timeout=timeout
        )
    except CodexOAuthError as error:
        journal.failed(error)
        raise
    journal.judged(verdict)
    return verdict


async def judge(
    request: PermissionRequest,
    *,
    policy: Policy,
    codex: AsyncCodex,
    context: Context | None = None,
    rendered: Rendered | None = None,
    model: str | None = None,
    effort: str | None = None,
    timeout: float | None = None,
) -> Verdict:
    """What `classify` does, without an entry in the metrics.

    Args:
        request: What is asked for.
        policy: The rules.
        codex: What makes the call.
        context: What is known besides.
        rendered: The request and the context as the model is shown them, where that was made already.
        model: As for `classify`, like the others.
        effort: As for `classify`.
        timeout: As for `classify`.

    Raises:
        CodexOAuthError: There is no verdict.
    """
    if request.needs_person:
        return Verdict(behavior="ask", reason=f"{request.tool} is a question to the person.", source="rule")
    if request.is_empty:
        verdict = Verdict(behavior="ask", reason="The request does not say what would be done.", source="rule")
        return _where_nobody_can_be_asked(verdict, request, policy, may_allow=False)
    rendered = rendered or request_text(request, context)
    reply = await codex.complete(
        rendered.text,
        instructions=instructions(policy, request),
        output=REPLY_SCHEMA,
        model=model or policy.model,
        effort=effort or policy.effort,
        timeout=timeout or policy.timeout,
        label=None,
    )
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
