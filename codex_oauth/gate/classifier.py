"""From a permission request to a verdict. A failure is an exception, and never a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.gate.asking import Asking
from codex_oauth.gate.context import Context
from codex_oauth.gate.hook import ask
from codex_oauth.gate.journal import Journal
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.prompt import Rendered, request_text
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.settling import Question, question, settled, without_model
from codex_oauth.gate.verdict import Verdict
from codex_oauth.records import replace

if TYPE_CHECKING:
    from codex_oauth.gate.flights import Flights

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
    flights: Flights | None = None,
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
        flights: The calls that are shared by those who ask the same at the same moment; None to share none.

    Raises:
        CodexOAuthError: There is no verdict. What follows from that is the caller's to say, and is never an allow.
    """
    if not isinstance(cast("object", request), PermissionRequest):
        raise ConfigurationError("classify takes a PermissionRequest: PermissionRequest.from_command(text) makes one")
    if codex is not None and not isinstance(cast("object", codex), AsyncCodex):
        raise ConfigurationError("classify takes an AsyncCodex as codex=")
    codex = codex or AsyncCodex()
    journal = Journal(codex.settings.metrics, command="classify", host=request.host)
    asking = Asking(
        request, policy, context or Context(), codex.settings, journal, model=model, effort=effort, timeout=timeout
    )
    asked = asking.question()
    if isinstance(asked, Verdict):
        verdict = asked
    else:
        try:
            reply, shared = await ask(asked, codex, flights)
        except CodexOAuthError as error:
            journal.failed(error)
            raise
        verdict = asking.verdict(reply, shared=shared)
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
    """What `classify` does, without an entry in the metrics, and without what the model said a short time ago.

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
    reply, _ = await ask(_named(question(request, policy, rendered), model, effort, timeout), codex)
    return settled(reply, request, policy, rendered)


def _named(asked: Question, model: str | None, effort: str | None, timeout: float | None) -> Question:
    return replace(asked, model=model or asked.model, effort=effort or asked.effort, timeout=timeout or asked.timeout)
