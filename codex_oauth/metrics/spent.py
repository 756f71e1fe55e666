"""Where the time of calls went: the model's turn, and step by step everything around it, which is local."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ("LOCAL", "PARTS", "Spent", "nearest_rank", "steps_of")

LOCAL: Final[Mapping[str, str]] = {
    "read": "read the request",
    "policy": "policy and context",
    "asked": "make the question",
    "queued": "wait for a place",
    "spawn": "start codex",
    "initialize": "codex's start",
    "account": "who pays",
    "thread": "open a thread",
    "total": "after the turn",
}
"""The local steps, each by the phase that it ends with, in their usual order, and what a person is told of each. The
model's turn is between the last two."""

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "before": ("read", "policy", "asked"),
    "opening": ("queued", "spawn", "initialize", "account", "thread"),
    "after": ("total",),
}
"""The steps in three parts, for a plot."""

_PHASES: Final = (*tuple(LOCAL)[:-1], "completed", "total")
_EARLIER: Final = 0.1
"""Milliseconds: times are rounded to these, so that a later one may seem to be earlier."""


def nearest_rank(ordered: Sequence[float], percent: int) -> float | None:
    """The value that so many percent do not exceed: one of them, and None where there is none.

    Args:
        ordered: The values, ascending.
        percent: 1 to 100.
    """
    return ordered[math.ceil(percent / 100 * len(ordered)) - 1] if ordered else None


def steps_of(phases: Mapping[str, float]) -> dict[str, float] | None:
    """The milliseconds of each step of a call, which together are its `total`; None where its turn was not completed.

    Things may be done at the same time: a step is what passed between two phases in the order in which they were
    reached.

    Args:
        phases: When each phase was reached, as a line of the metrics has it.
    """
    if not all(phase in phases for phase in ("thread", "completed", "total")):
        return None
    if not phases["thread"] - _EARLIER <= phases["completed"] <= phases["total"] + _EARLIER:
        return None
    steps: dict[str, float] = {}
    before = 0.0
    # The sort is stable: what was reached at the same moment stays in the usual order.
    for phase in sorted((phase for phase in _PHASES if phase in phases), key=phases.__getitem__):
        steps[phase] = phases[phase] - before
        before = phases[phase]
    return steps


@dataclass(slots=True)
class Spent:
    """Calls that were measured.

    Attributes:
        local: Milliseconds of each call that were not the model's.
        model: Milliseconds of each from its turn's beginning to its end: what the app-server does for it is among them.
        steps: Milliseconds of each local step, of each call that has it.
    """

    local: list[float] = field(default_factory=list[float])
    model: list[float] = field(default_factory=list[float])
    steps: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, phases: Mapping[str, float], *, whole: bool) -> None:
        """Count a call, if it was measured.

        Args:
            phases: When each phase was reached.
            whole: Whether all of them count from the same moment. In an earlier version's permission requests, only
                the total counted from the request's beginning.
        """
        steps = steps_of(phases)
        if steps is None:
            return
        self.model.append(steps["completed"])
        self.local.append(max(0.0, phases["total"] - steps["completed"]))
        if whole:
            for step in LOCAL:
                if step in steps:
                    self.steps.setdefault(step, []).append(steps[step])

    @property
    def calls(self) -> int:
        """How many were measured."""
        return len(self.local)

    @property
    def share(self) -> float | None:
        """The part of all of the time that was local; None where there was none."""
        local, model = sum(self.local), sum(self.model)
        return local / (local + model) if local + model else None

    @staticmethod
    def percentiles(values: list[float]) -> tuple[float | None, float | None]:
        """The median of `local`, of `model` or of a step, and what 95 of 100 did not exceed."""
        # Sorted in place: whoever asks again finds them sorted. They need not stay in step with each other.
        values.sort()
        return nearest_rank(values, 50), nearest_rank(values, 95)

    def means(self) -> dict[str, float]:
        """Milliseconds of a call on average: of each of the `PARTS`, and of its turn (`turn`). Those of calls without
        steps are left out."""
        measured = len(self.steps.get("total", ()))
        if not measured:
            return {}
        parts = {part: sum(sum(self.steps.get(step, ())) for step in steps) for part, steps in PARTS.items()}
        return {**{part: spent / measured for part, spent in parts.items()}, "turn": sum(self.model) / self.calls}

    def to_json(self) -> dict[str, Any]:
        """The members of the JSON."""
        share = self.share
        return {
            "count": self.calls,
            "local_share": None if share is None else round(share, 4),
            "local_ms": self._json(self.local),
            "model_ms": self._json(self.model),
            "steps": [
                {"step": step, "count": len(self.steps[step]), **self._json(self.steps[step])}
                for step in LOCAL
                if step in self.steps
            ],
        }

    def _json(self, values: list[float]) -> dict[str, float | None]:
        half, most = (None if value is None else round(value, 1) for value in self.percentiles(values))
        return {"p50": half, "p95": most}
