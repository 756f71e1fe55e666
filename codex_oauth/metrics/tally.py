"""Calls and permission requests, counted: how they ended, how long they took, what they used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from codex_oauth.metrics.records import Record
from codex_oauth.metrics.spent import nearest_rank

__all__ = ("PERCENTILES", "Call", "Command", "Tally")

PERCENTILES: Final = (50, 95, 99)


@dataclass(slots=True)
class Call:
    """Calls of one kind, counted: how they ended, milliseconds, tokens."""

    calls: int = 0
    ok: int = 0
    errors: int = 0
    cancelled: int = 0
    latencies: list[float] = field(default_factory=list[float])
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def add(self, entry: Record) -> None:
        """Count one more."""
        self.calls += 1
        self.ok += entry.outcome == "ok"
        self.errors += entry.outcome == "error"
        self.cancelled += entry.outcome == "cancelled"
        if entry.gate is None or not entry.gate.is_question:
            self._time(entry)
        self._pay(entry)

    def _time(self, entry: Record) -> None:
        # A failure's time is that of a deadline, or next to none: nobody waited so long for a verdict. What was kept
        # took no model's time either.
        if entry.total is not None and not entry.failed and not entry.cached:
            self.latencies.append(entry.total)

    def _pay(self, entry: Record) -> None:
        for kind, count in zip(("input", "cached", "output", "reasoning"), entry.tokens, strict=True):
            setattr(self, kind, getattr(self, kind) + count)

    def merge(self, other: Self) -> None:
        """Count all of another's as well."""
        for spec in fields(self):
            # Lists and numbers alike.
            setattr(self, spec.name, getattr(self, spec.name) + getattr(other, spec.name))

    def percentile(self, percent: int) -> float | None:
        """The latency, in milliseconds, that so many percent of the calls did not exceed: by nearest rank, so that it
        is one that was measured. None where none was."""
        # Sorted in place: the next percentile finds it sorted.
        self.latencies.sort()
        return nearest_rank(self.latencies, percent)

    def measures(self) -> dict[str, Any]:
        """The members `latency_ms` and `tokens` of the JSON."""
        latency = {f"p{percent}": self.percentile(percent) for percent in PERCENTILES}
        return {
            "latency_ms": {"count": len(self.latencies), **latency},
            "tokens": {"input": self.input, "cached": self.cached, "output": self.output, "reasoning": self.reasoning},
        }

    def to_json(self) -> dict[str, Any]:
        """How calls of this kind went."""
        counts = {"calls": self.calls, "ok": self.ok, "errors": self.errors, "cancelled": self.cancelled}
        return {**counts, **self.measures()}


@dataclass(slots=True)
class Tally(Call):
    """Permission requests, counted.

    Attributes:
        allow: How many the host was told to allow; `deny` and `ask` likewise.
        unanswered: How many the host got no answer to.
        questions: How many were for the person whatever the policy says; they are among `ask`.
        forced: How many verdicts were another than the model's own word.
        errors: How many failed, whatever the policy made of it.
        automated: How many of those that are no questions the policy allowed or denied; failures are not among them.
        kept: How many were decided by what the model had said of the same request a short time ago.
        shared: How many had their reply from a call that somebody else had begun with the same question.
    """

    allow: int = 0
    deny: int = 0
    ask: int = 0
    unanswered: int = 0
    questions: int = 0
    forced: int = 0
    automated: int = 0
    kept: int = 0
    shared: int = 0

    def add(self, entry: Record) -> None:
        """Count one more."""
        gate = entry.gate
        if gate is None:
            return
        self.calls += 1
        self.allow += gate.verdict == "allow"
        self.deny += gate.verdict == "deny"
        self.ask += gate.verdict == "ask"
        self.unanswered += gate.verdict == "error"
        self.forced += gate.forced
        self.errors += entry.failed
        self._pay(entry)
        if gate.is_question:
            # It took no model's time, and would make the others look quick.
            self.questions += 1
            return
        self.automated += gate.is_automated
        self.kept += entry.cached
        self.shared += entry.shared
        self._time(entry)

    @property
    def automation_rate(self) -> float | None:
        """The part of what was no question that the policy allowed or denied; None where there was nothing else."""
        judged = self.calls - self.questions
        return self.automated / judged if judged else None

    def verdicts(self) -> dict[str, int]:
        """How many of each verdict; together, all requests."""
        return {"allow": self.allow, "deny": self.deny, "ask": self.ask, "unanswered": self.unanswered}

    def to_json(self) -> dict[str, Any]:
        """The requests of a day, of a tool, or of all of it."""
        rate = self.automation_rate
        return {
            "requests": self.calls,
            "automated": self.automated,
            **self.verdicts(),
            "questions": self.questions,
            "forced": self.forced,
            "errors": self.errors,
            "cached": self.kept,
            "shared": self.shared,
            "automation_rate": None if rate is None else round(rate, 4),
            **self.measures(),
        }


@dataclass(slots=True)
class Command:
    """One tool's command that got a verdict, and how often; the rules that it rested on."""

    tool: str
    command: str
    count: int = 0
    rules: Counter[str | None] = field(default_factory=Counter[str | None])
    sources: Counter[str] = field(default_factory=Counter[str])

    @property
    def rule(self) -> str | None:
        """The rule that it rested on most often; None for none."""
        return self.rules.most_common(1)[0][0]

    @property
    def source(self) -> str:
        """What made the verdict so most often."""
        return self.sources.most_common(1)[0][0]

    def to_json(self) -> dict[str, Any]:
        """A member of the top lists."""
        named = {"tool": self.tool, "command": self.command, "count": self.count}
        return {**named, "rule": self.rule, "source": self.source}
