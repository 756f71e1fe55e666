"""What this package wants to reach, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Case

__all__ = ("Goal", "goals")


@dataclass(frozen=True, slots=True)
class Goal:
    """One line.

    Attributes:
        what: What is compared.
        limit: The most that it may be; None where it only stands beside the others.
        unit: Of the limit: `x` for a ratio.
        found: What it is; None where it was not measured.
    """

    what: str
    limit: float | None
    unit: str
    found: float | None

    @property
    def met(self) -> bool | None:
        """Whether it is reached; None where nobody can say."""
        return None if self.limit is None or self.found is None else self.found <= self.limit

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        found = None if self.found is None else round(self.found, 4)
        return {"what": self.what, "limit": self.limit, "unit": self.unit, "found": found, "met": self.met}


def goals(cases: Mapping[str, Case]) -> list[Goal]:
    """All of them, with what these cases say."""

    def median(case: str, row: str) -> float | None:
        return cases[case].median(row) if case in cases else None

    def more_of(case: str, row: str, what: str) -> float | None:
        rows = cases[case].rows if case in cases else []
        found = next((one.more.get(what) for one in rows if one.key == row), None)
        return found if isinstance(found, float) else None

    classify, served = median("cold", "classify"), median("cold", "hook-served")
    exec_, lean = median("cold", "exec"), median("cold", "exec-lean")
    python, tuned = median("cold", "python"), median("warm", "tuned")
    ours, client = median("warm", "ours"), more_of("series", "ours", "client")
    interpreter = median("memory", "python")
    through = cases["endpoint"].ratio("endpoint") if "endpoint" in cases else None
    growth = more_of("service", "served", "growth")
    floor = python + tuned if python is not None and tuned is not None else None
    above = client - interpreter if client is not None and interpreter is not None else None
    return [
        Goal("cold classify --json / codex exec", 0.45, "x", _ratio(classify, exec_)),
        Goal("  the same / codex exec on a lean home", None, "x", _ratio(classify, lean)),
        Goal("  the same / the tuned bare driver's process", None, "x", _ratio(classify, median("cold", "tuned"))),
        Goal("cold classify --json / an SDK script", 0.13, "x", _ratio(classify, median("cold", "sdk"))),
        Goal("hook with the service warm / codex exec", 0.16, "x", _ratio(served, exec_)),
        Goal("hook with the service warm / python -c pass + a warm tuned turn", 1.5, "x", _ratio(served, floor)),
        Goal("warm complete() / the tuned bare driver's warm turn", 1.25, "x", _ratio(ours, tuned)),
        Goal("  the same / that with threads made ready", None, "x", _ratio(ours, median("warm", "tuned-ready"))),
        Goal("  the same / that with a thread for each", None, "x", _ratio(ours, median("warm", "tuned-new"))),
        Goal("warm complete() / the SDK kept open", 0.15, "x", _ratio(ours, median("warm", "sdk"))),
        Goal("  the same / the SDK kept open on a lean home", None, "x", _ratio(ours, median("warm", "sdk-lean"))),
        Goal("a warm chat call through the endpoint / warm complete()", 1.4, "x", through),
        Goal("64 one-second turns at once", 1.6, "s", median("many", "ours")),
        Goal("client memory above the interpreter's", 45.0, "MiB", above),
        Goal("memory after 5,000 calls through the service / after 500", 1.15, "x", growth),
        Goal("import codex_oauth", 15.0, "ms", median("imports", "package")),
    ]


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
