"""What was measured, as plain values: rows of cases, their medians, spreads and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.subjects import Kind, Subject

__all__ = ("Case", "Row", "in_turns", "median_of", "quartiles")


@dataclass(slots=True)
class Row:
    """One subject in one case.

    Attributes:
        key: The subject's name in the JSON.
        label: Its name in the table.
        kind: Whose it is.
        values: One for each round, in the case's unit.
        more: Other figures, such as CPU milliseconds, by their column's heading.
    """

    key: str
    label: str
    kind: Kind
    values: list[float] = field(default_factory=list[float])
    more: dict[str, float | str] = field(default_factory=dict[str, "float | str"])

    @classmethod
    def of(cls, subject: Subject) -> Row:
        """An empty row."""
        return cls(subject.key, subject.label, subject.kind)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        low, high = quartiles(self.values)
        return {
            "label": self.label,
            "kind": self.kind,
            "values": [round(value, 3) for value in self.values],
            "median": round(median_of(self.values), 3),
            "quartiles": [round(low, 3), round(high, 3)],
            "least": round(min(self.values, default=0.0), 3),
            **({"more": self.more} if self.more else {}),
        }


@dataclass(slots=True)
class Case:
    """A table.

    Attributes:
        key: Its name in the JSON and for `--cases`.
        title: Its heading.
        unit: Of the values.
        rows: One for each subject.
        baseline: The row that ratios are to; empty for none.
        notes: What has to be known to read it.
        load: What else the machine did meanwhile.
    """

    key: str
    title: str
    unit: str
    rows: list[Row]
    baseline: str = ""
    notes: list[str] = field(default_factory=list[str])
    load: dict[str, float] = field(default_factory=dict[str, float])

    def median(self, key: str) -> float | None:
        """A row's median; None where there is no such row, or nothing in it."""
        found = next((row for row in self.rows if row.key == key), None)
        return median_of(found.values) if found is not None and found.values else None

    def ratio(self, key: str) -> float | None:
        """A row's median over the baseline's."""
        own, base = self.median(key), self.median(self.baseline)
        return own / base if own is not None and base else None

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "title": self.title,
            "unit": self.unit,
            "baseline": self.baseline,
            "rows": {row.key: {**row.to_json(), "ratio": _rounded(self.ratio(row.key))} for row in self.rows},
            "notes": self.notes,
            "load": self.load,
        }


def median_of(values: Sequence[float]) -> float:
    """The median; 0 of nothing."""
    return statistics.median(values) if values else 0.0


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Where the middle half of the values lies."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (0.0, 0.0)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def in_turns(
    measures: Sequence[Callable[[int], None]], rounds: int, progress: Callable[[int, int], None], *, warm_up: int = 1
) -> None:
    """Run all of them once in each round, each time beginning with another, so that none has always the same one
    before it.

    Args:
        measures: Each is given the number of the round; negative in those that do not count.
        rounds: How many rounds count.
        progress: Told how many of how many measures are done.
        warm_up: How many rounds do not.
    """
    done, total = 0, (rounds + warm_up) * len(measures)
    for number in range(-warm_up, rounds):
        first = number % len(measures) if measures else 0
        for measure in (*measures[first:], *measures[:first]):
            measure(number)
            done += 1
            progress(done, total)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
