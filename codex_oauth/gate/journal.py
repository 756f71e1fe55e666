"""What the metrics keep of a permission request: what it took, what became of it, and what it was, without secrets."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from codex_oauth.errors import CodexOAuthError
from codex_oauth.redaction import redact, redact_value
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.gate.policy import Policy
    from codex_oauth.gate.prompt import Rendered
    from codex_oauth.gate.request import PermissionRequest
    from codex_oauth.gate.verdict import Verdict

__all__ = ("Journal",)


class Journal:
    """One request's entry, written once. It never fails the request.

    Args:
        path: The metrics file; None for none.
        command: What was asked for: `classify` or `hook`.
        request: The request.
        policy: The policy that it was judged by.
        rendered: The request without its secrets, where that was made already.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        command: str,
        request: PermissionRequest,
        policy: Policy,
        rendered: Rendered | None = None,
    ) -> None:
        self._path = path
        self._command = command
        self._request = request
        self._policy = policy
        self._rendered = rendered
        self._began = time.perf_counter()

    def judged(self, verdict: Verdict) -> None:
        """There is a verdict."""
        with suppress(Exception):
            self._write(verdict, None)

    def failed(self, error: BaseException, verdict: Verdict | None = None) -> None:
        """There is none, or one that stands in for it."""
        # What could not be judged may be what cannot be written either, and the answer is still to be given.
        with suppress(Exception):
            self._write(verdict, error.code if isinstance(error, CodexOAuthError) else "unexpected")

    def _write(self, verdict: Verdict | None, error: str | None) -> None:
        if self._path is None:
            return
        from codex_oauth.metrics import GateFields, MetricsEntry, Phases, Tokens, append

        request = self._request
        timing = verdict.timing if verdict else None
        phases = {phase.name: getattr(timing, phase.name) for phase in fields(Phases)} if timing else {}
        phases["total"] = (time.perf_counter() - self._began) * 1000
        usage = verdict.usage if verdict else None
        account = verdict.account if verdict else None
        append(
            self._path,
            MetricsEntry(
                command=self._command,
                package_version=__version__,
                outcome="error" if error else "ok",
                error=error,
                model_requested=self._policy.model,
                model=verdict.model if verdict else None,
                effort=verdict.effort if verdict else None,
                phases=Phases(**phases),
                tokens=Tokens(**{kind.name: getattr(usage, kind.name) for kind in fields(Tokens)})
                if usage and timing
                else Tokens(),
                account=account.kind if account else None,
                plan=account.plan if account else None,
                repaired=verdict.repaired if verdict else False,
                gate=GateFields(
                    session=request.session,
                    tool=redact(request.tool).text,
                    host=request.host,
                    mode=request.mode,
                    verdict=verdict.behavior if verdict else "error",
                    source=verdict.source if verdict else "failure",
                    forced=verdict.forced if verdict else False,
                    rule=verdict.rule if verdict else None,
                    policy=self._policy.fingerprint,
                    input=self._rendered.tool_input if self._rendered else redact_value(dict(request.tool_input))[0],
                    cwd=redact(request.cwd).text if request.cwd else None,
                ),
            ),
        )
