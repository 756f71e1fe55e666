"""One request on its way to a verdict: what the model is asked about it, if anything, and what the reply makes of it.

The hook, `classify` and the command line share it, so that none of them can settle a reply otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_oauth.gate.prompt import request_text
from codex_oauth.gate.settling import Question, question, settled, without_model
from codex_oauth.gate.verdict import Verdict
from codex_oauth.records import replace

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.gate.cache import KeptWord
    from codex_oauth.gate.context import Context
    from codex_oauth.gate.journal import Journal
    from codex_oauth.gate.policy import Policy
    from codex_oauth.gate.request import PermissionRequest
    from codex_oauth.types import Reply

__all__ = ("Asking",)


class Asking:
    """A request, shown as the model will see it. The journal is told what it is; its entry is the caller's to write.

    Args:
        request: What is asked for.
        policy: The rules.
        context: What is known besides.
        settings: Whose plan pays, and where what was said is kept.
        journal: The request's entry in the metrics.
        model: A model's id; None for the policy's.
        effort: A reasoning effort; None for the policy's.
        timeout: Seconds; None for the policy's.
    """

    def __init__(
        self,
        request: PermissionRequest,
        policy: Policy,
        context: Context,
        settings: Settings,
        journal: Journal,
        *,
        model: str | None = None,
        effort: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._request = request
        self._policy = policy
        self._context = context
        self._settings = settings
        self._journal = journal
        self._model = model
        self._effort = effort
        self._timeout = timeout
        self._kept: KeptWord | None = None
        journal.request, journal.policy = request, policy
        self._rendered = journal.rendered = request_text(request, context)

    def question(self) -> Question | Verdict:
        """What the model is asked; the verdict where that needs no model, or is known from a short time ago."""
        request, policy, rendered = self._request, self._policy, self._rendered
        verdict = without_model(request, policy)
        if verdict is not None:
            return verdict
        asked = question(request, policy, rendered)
        asked = replace(
            asked,
            model=self._model or asked.model,
            effort=self._effort or asked.effort,
            timeout=self._timeout or asked.timeout,
        )
        if policy.cache:
            from codex_oauth.gate.cache import kept_word

            self._kept = kept_word(asked, request, policy, rendered, self._context, self._settings)
            verdict = self._kept.verdict(request, policy, rendered) if self._kept else None
        self._journal.reached("asked")
        return asked if verdict is None else verdict

    def verdict(self, reply: Reply[Any], *, shared: bool = False) -> Verdict:
        """The verdict that the model's reply makes.

        Args:
            reply: The reply.
            shared: Whether it is that of a call which somebody else had begun with the same question.
        """
        self._journal.called = reply.began
        verdict = settled(reply, self._request, self._policy, self._rendered)
        if shared:
            return replace(verdict, shared=True)
        if self._kept is not None:
            self._kept.keep(reply, verdict)
        return verdict
