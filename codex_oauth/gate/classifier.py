"""From a permission request to a verdict. A failure is an exception, and never a verdict."""

from __future__ import annotations

from typing import Any, cast

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.builtin import BUILTIN_POLICY
from codex_oauth.gate.policy import Behavior, Policy
from codex_oauth.gate.prompt import instructions, request_text
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.verdict import REPLY_SCHEMA, Verdict

__all__ = ("classify",)

_DENIED = "Denied by the permission policy."


async def classify(
    request: PermissionRequest,
    *,
    policy: Policy = BUILTIN_POLICY,
    codex: AsyncCodex | None = None,
    model: str | None = None,
    effort: str | None = None,
    timeout: float | None = None,
) -> Verdict:
    """Judge a request by a policy.

    Args:
        request: What is asked for.
        policy: The rules; the built-in ones by default.
        codex: What makes the call; one with default settings by default.
        model: A model's id; None for the small tier.
        effort: A reasoning effort; None for the model's lowest.
        timeout: Seconds; None for the configured ones.

    Raises:
        CodexOAuthError: There is no verdict. What follows from that is the caller's to say, and is never an allow.
    """
    if not isinstance(cast("object", request), PermissionRequest):
        raise ConfigurationError("classify takes a PermissionRequest: PermissionRequest.from_command(text) makes one")
    if codex is not None and not isinstance(cast("object", codex), AsyncCodex):
        raise ConfigurationError("classify takes an AsyncCodex as codex=")
    if request.needs_person:
        return Verdict(behavior="ask", reason=f"{request.tool} is a question to the person.", source="rule")
    if request.is_empty:
        return Verdict(behavior="ask", reason="The request does not say what would be done.", source="rule")
    text, shortened = request_text(request)
    reply = await (codex or AsyncCodex()).complete(
        text,
        instructions=instructions(policy),
        output=REPLY_SCHEMA,
        model=model,
        effort=effort,
        timeout=timeout,
        label="classify",
    )
    answer = cast("dict[str, Any]", reply.output)
    behavior: Behavior = answer["behavior"]
    reason: str = answer["reason"]
    if behavior == "allow" and not reason.strip():
        # The reason is what the verdict rests on.
        behavior, reason = "ask", "The model allowed the request without a reason."
    truncated = shortened and behavior == "allow"
    if truncated:
        behavior, reason = "ask", f"The request could not be shown whole, so it cannot be allowed. {reason}"
    return Verdict(
        behavior=behavior,
        reason=reason,
        deny_message=(answer["deny_message"].strip() or _DENIED) if behavior == "deny" else "",
        source="truncated" if truncated else "model",
        model=reply.model,
        effort=reply.effort,
        latency_ms=reply.timing.total or 0.0,
        usage=reply.usage,
        account=reply.account,
        repaired=reply.repaired,
    )
