"""From a permission request to a verdict. A failure is an exception, and never a verdict."""

from __future__ import annotations

from typing import cast

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.gate.context import Context
from codex_oauth.gate.journal import Journal
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.prompt import Rendered, request_text
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.settling import question, settled, without_model
from codex_oauth.gate.verdict import REPLY_SCHEMA, Verdict

__all__ = ("classify", "judge")


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
    verdict = without_model(request, policy)
    if verdict is not None:
        return verdict
    rendered = rendered or request_text(request, context)
    asked = question(request, policy, rendered)
    reply = await codex.complete(
        asked.text,
        instructions=asked.instructions,
        output=REPLY_SCHEMA,
        model=model or asked.model,
        effort=effort or asked.effort,
        timeout=timeout or asked.timeout,
        label=None,
    )
    return settled(reply, request, policy, rendered)
