"""Records counted: by model, by label, by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

__all__ = ("Tally", "Totals", "tally")


@dataclass(slots=True)
class Totals:
    """What a group of records adds up to. Times are in milliseconds, tokens as in a `Usage`."""

    responses: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    ms: float = 0.0

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one more."""
        usage = record["usage"]
        self.responses += 1
        self.input += usage["input"]
        self.cached += usage["cached"]
        self.output += usage["output"]
        self.reasoning += usage["reasoning"]
        self.ms += record["timing"]["ms"]

    def to_json(self) -> dict[str, Any]:
        """As `record stats --json` prints it."""
        return {
            "responses": self.responses,
            "tokens": {
                "input": self.input,
                "cached": self.cached,
                "output": self.output,
                "reasoning": self.reasoning,
            },
            "ms": round(self.ms, 1),
        }


@dataclass(slots=True)
class Tally:
    """All records of a file, counted.

    Attributes:
        all: All of them.
        models: By the model that answered.
        labels: By what the call was; `` for none.
        days: By the local day, as `2026-10-16`.
        threads: How many threads they are of.
        duplicates: Records whose `request_id` was there before.
        exact: How many have the service's own items.
        redacted: How many secrets were replaced.
        first: When the first response ended; None where there are no records.
        last: When the last one did.
    """

    all: Totals = field(default_factory=Totals)
    models: dict[str, Totals] = field(default_factory=dict[str, Totals])
    labels: dict[str, Totals] = field(default_factory=dict[str, Totals])
    days: dict[str, Totals] = field(default_factory=dict[str, Totals])
    threads: int = 0
    duplicates: int = 0
    exact: int = 0
    redacted: int = 0
    first: str | None = None
    last: str | None = None


def tally(records: Iterable[Mapping[str, Any]], zone: tzinfo | None = None) -> Tally:
    """Count records. Days are those of `zone`; of this machine's, if None."""
    found = Tally()
    threads: set[str] = set()
    seen: set[str] = set()
    for record in records:
        for group, name in (
            (found.models, record["model"]),
            (found.labels, record["label"] or ""),
            (found.days, _day(record["time"], zone)),
        ):
            group.setdefault(name, Totals()).add(record)
        found.all.add(record)
        found.duplicates += record["request_id"] in seen
        seen.add(record["request_id"])
        threads.add(record["thread_id"])
        found.exact += record.get("exact") is True
        found.redacted += record.get("redacted") or 0
        found.first = min(found.first or record["time"], record["time"])
        found.last = max(found.last or record["time"], record["time"])
    found.threads = len(threads)
    return found


def _day(time: str, zone: tzinfo | None) -> str:
    try:
        return datetime.fromisoformat(time).astimezone(zone).date().isoformat()
    except (ValueError, OverflowError):
        return "unknown"
