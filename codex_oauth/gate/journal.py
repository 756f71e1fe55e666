"""What the metrics keep of a permission request: what it took, what became of it, and what it was, without secrets."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from codex_oauth.errors import CodexOAuthError
from codex_oauth.records import names
from codex_oauth.redaction import redact, redact_value
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.gate.policy import Policy
    from codex_oauth.gate.prompt import Rendered
    from codex_oauth.gate.request import Host, PermissionRequest
    from codex_oauth.gate.verdict import Verdict
    from codex_oauth.metrics import GateFields, Phases, Served

__all__ = ("Journal", "Step")

Step: TypeAlias = Literal["read", "policy", "asked"]
"""What is behind a request before a model is asked: its own reading, that of the policies and of what is known besides,
and the making of the question."""

_LONGEST_START: Final = 3600.0
"""Seconds before this moment that a request may claim to have begun: another machine's clock, or one that was stopped,
says nothing of use."""


class Journal:
    """One request's entry, written once. It never fails the request.

    Args:
        path: The metrics file; None for none.
        command: What was asked for: `classify` or `hook`.
        host: Whose request it is.
        served: Who makes the call: the process that was asked, or the warm service.
        began: When it began, by `time.perf_counter()` of this machine, such as where its process did; now if None.

    Attributes:
        request: The request, once it is known to be one.
        policy: The policy that it is judged by, once it is known.
        rendered: The request without its secrets, where that was made already.
        called: When the call to the model began; where None is said, as soon as it was clear what to ask.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        command: str,
        host: Host | None,
        served: Served = "process",
        began: float | None = None,
    ) -> None:
        now = time.perf_counter()
        self._path = path
        self._command = command
        self._host: Host | None = host
        self._served: Served = served
        self._began = began if began is not None and now - _LONGEST_START < began <= now else now
        self._steps: dict[Step, float] = {}
        self.request: PermissionRequest | None = None
        self.policy: Policy | None = None
        self.rendered: Rendered | None = None
        self.called: float | None = None

    def reached(self, step: Step) -> None:
        """It got this far."""
        self._steps[step] = self._now()

    def judged(self, verdict: Verdict) -> None:
        """There is a verdict."""
        with suppress(Exception):
            self._write(verdict, None)

    def failed(self, error: BaseException, verdict: Verdict | None = None) -> None:
        """There is none, or one that stands in for it."""
        # What could not be judged may be what cannot be written either, and the answer is still to be given.
        with suppress(Exception):
            self._write(verdict, error.code if isinstance(error, CodexOAuthError) else "unexpected")

    def _now(self) -> float:
        return (time.perf_counter() - self._began) * 1000

    def _write(self, verdict: Verdict | None, error: str | None) -> None:
        if self._path is None:
            return
        from codex_oauth.metrics import MetricsEntry, Tokens, append

        timing = verdict.timing if verdict else None
        usage = verdict.usage if verdict else None
        account = verdict.account if verdict else None
        append(
            self._path,
            MetricsEntry(
                command=self._command,
                package_version=__version__,
                outcome="error" if error else "ok",
                error=error,
                model_requested=self.policy.model if self.policy else None,
                model=verdict.model if verdict else None,
                effort=verdict.effort if verdict else None,
                phases=self._phases(verdict),
                tokens=Tokens(**{kind: getattr(usage, kind) for kind in names(Tokens)})
                if usage and timing
                else Tokens(),
                account=account.kind if account else None,
                plan=account.plan if account else None,
                codex_version=verdict.codex_version if verdict else None,
                repaired=verdict.repaired if verdict else False,
                warm=verdict.warm if verdict else False,
                served=self._served,
                cached=verdict.cached if verdict else False,
                shared=verdict.shared if verdict else False,
                gate=self._gate(verdict),
            ),
        )

    def _phases(self, verdict: Verdict | None) -> Phases:
        from codex_oauth.metrics import Phases

        reached: dict[str, float | None] = {**self._steps}
        timing = verdict.timing if verdict else None
        if timing is not None:
            # A call counts from its own beginning. That may be before the request's, where a process was started ahead.
            before = self._steps.get("asked", 0.0) if self.called is None else (self.called - self._began) * 1000
            for name in names(timing):
                at = getattr(timing, name)
                reached[name] = None if at is None else max(0.0, before + at)
        reached["total"] = self._now()
        return Phases(**reached)

    def _gate(self, verdict: Verdict | None) -> GateFields:
        from codex_oauth.metrics import GateFields

        request = self.request
        tool_input = None
        if self.rendered is not None:
            tool_input = self.rendered.tool_input
        elif request is not None:
            tool_input = redact_value(dict(request.tool_input))[0]
        return GateFields(
            session=request.session if request else None,
            tool=redact(request.tool).text if request else "unknown",
            host=request.host if request else self._host,
            mode=request.mode if request else None,
            verdict=verdict.behavior if verdict else "error",
            source=verdict.source if verdict else "failure",
            forced=verdict.forced if verdict else False,
            rule=verdict.rule if verdict else None,
            policy=self.policy.fingerprint if self.policy else None,
            input=tool_input,
            cwd=redact(request.cwd).text if request and request.cwd else None,
        )
