"""What is measured of a call: an observer that turns events into a `Timing` and a metrics entry."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from codex_oauth import events
from codex_oauth.records import names
from codex_oauth.types import Account, Timing, Usage
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.metrics import Outcome
    from codex_oauth.session import TurnResult

__all__ = ("CallTrace",)


class CallTrace:
    """The record of one call. It begins when it is made.

    Attributes:
        began: When it began, by `time.perf_counter()`.
        account: Who pays, once known.
        codex_version: The app-server's version, once known.
        effort: The effort asked for.
        model: The model that ran, as far as known.
        usage: Tokens so far.
        warm: Whether a process that was already running serves the call.
        repaired: Whether a repair was begun.
    """

    def __init__(self, command: str, *, model_requested: str | None, began: float | None = None) -> None:
        self.began = time.perf_counter() if began is None else began
        self._marks: dict[events.PhaseName, float] = {}
        self._command = command
        self._model_requested = model_requested
        self._retries = 0
        self._settled = Usage()
        self._turn = Usage()
        self.account: Account | None = None
        self.codex_version: str | None = None
        self.effort: str | None = None
        self.model: str | None = None
        self.warm = False
        self.repaired = False

    @property
    def usage(self) -> Usage:
        """Tokens so far."""
        return self._settled + self._turn

    def observe(self, event: events.Event) -> None:
        """Take in what happened."""
        match event:
            case events.PhaseReached():
                # The first time counts, but for the end, which a repair moves.
                if event.phase == "completed" or event.phase not in self._marks:
                    # A thread that was started ahead existed before the call.
                    self._marks[event.phase] = max(0.0, (event.at - self.began) * 1000)
                self.account = event.account or self.account
                self.model = event.model or self.model
                self.codex_version = event.codex_version or self.codex_version
            case events.ModelRerouted():
                self.model = event.to_model
            case events.UsageUpdated():
                self._turn = event.usage
            case events.TurnCompleted():
                self._settled, self._turn = self.usage, Usage()
            case events.RepairStarted():
                self.repaired = True
            case events.RetryScheduled():
                self._retries += 1
            case _:
                pass

    def timing(self) -> Timing:
        """The phases so far, with `total` at this moment."""
        self._marks["total"] = (time.perf_counter() - self.began) * 1000
        return Timing(**self._marks)

    def succeeded(self, result: TurnResult) -> None:
        """The call has its result."""
        self.account = result.account
        self.model = result.model

    def write(self, path: Path | None, *, outcome: Outcome, error: str | None = None) -> None:
        """Append the call's line to the metrics file; nothing happens without one. It never fails the call."""
        if path is None:
            return
        from codex_oauth.metrics import MetricsEntry, Phases, Tokens, append

        timing, usage = self.timing(), self.usage
        counted = usage != Usage()
        append(
            path,
            MetricsEntry(
                command=self._command,
                package_version=__version__,
                outcome=outcome,
                error=error,
                model_requested=self._model_requested,
                model=self.model,
                effort=self.effort,
                phases=Phases(**{phase: getattr(timing, phase) for phase in names(Timing)}),
                tokens=Tokens(**{kind: getattr(usage, kind) for kind in names(Tokens)}) if counted else Tokens(),
                account=self.account.kind if self.account else None,
                plan=self.account.plan if self.account else None,
                codex_version=self.codex_version,
                repaired=self.repaired,
                warm=self.warm,
                retries=self._retries,
            ),
        )
