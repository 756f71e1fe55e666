"""What the metrics file says about some days: counts, percentiles, and what was asked and denied most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.metrics.not_judged import REMEDIES, NotJudged, reason
from codex_oauth.metrics.records import Record, asked_for, record
from codex_oauth.metrics.spent import Spent
from codex_oauth.metrics.tally import Call, Command, Tally

__all__ = ("Kind", "Report", "build")

Kind: TypeAlias = Literal["requests", "calls"]

_KINDS: Final[tuple[Kind, ...]] = ("requests", "calls")


@dataclass(slots=True)
class Report:
    """Some days of the metrics file.

    Attributes:
        start: The first day's midnight, in the zone of `end`.
        end: When the report was made.
        skipped: Lines that are no entries.
        first: When the first entry of the period was written; `last` likewise.
        totals: All permission requests.
        days: The same for each day of the period, also those without any.
        hours: The same for each hour in which there were any, by its beginning without a zone.
        tools: The same for each tool.
        rules: How many of each verdict rested on a rule; under None, those that rested on none.
        calls: The calls that no host asked for, by command; with `classify`, what was judged by hand.
        spent: Where the time of those went whose turn was completed: of a host's requests and of other calls, each on
            an app-server that was running already, and on one of its own.
        errors: How often each error ended a request of the gate; `other_errors`, another call.
        top: How many commands the lists of the JSON have.
        host: The one host whose requests are counted; None for all, and for other calls as well.
    """

    start: datetime
    end: datetime
    top: int
    host: str | None = None
    skipped: int = 0
    first: datetime | None = None
    last: datetime | None = None
    totals: Tally = field(default_factory=Tally)
    days: dict[date, Tally] = field(default_factory=dict[date, Tally])
    hours: dict[datetime, Tally] = field(default_factory=dict[datetime, Tally])
    tools: dict[str, Tally] = field(default_factory=dict[str, Tally])
    rules: dict[str | None, Counter[str]] = field(default_factory=dict[str | None, Counter[str]])
    calls: dict[str, Call] = field(default_factory=dict[str, Call])
    spent: dict[tuple[Kind, bool], Spent] = field(default_factory=dict[tuple[Kind, bool], Spent])
    errors: Counter[str] = field(default_factory=Counter[str])
    other_errors: Counter[str] = field(default_factory=Counter[str])
    _commands: dict[tuple[str, str, str], Command] = field(default_factory=dict[tuple[str, str, str], Command])
    _not_judged: dict[tuple[str, str, str], NotJudged] = field(default_factory=dict[tuple[str, str, str], NotJudged])

    def add(self, entry: Record) -> None:
        """Count an entry of the period; any other is passed over."""
        day = self.days.get(entry.time.date())
        if day is None or not self._counts(entry):
            return
        self.first = min(self.first or entry.time, entry.time)
        self.last = max(self.last or entry.time, entry.time)
        gate = entry.gate
        if not entry.failed:
            kind: Kind = "requests" if entry.is_request else "calls"
            self.spent.setdefault((kind, entry.warm), Spent()).add(entry.phases, whole=entry.has_steps)
        if gate is None or not entry.is_request:
            self.calls.setdefault(entry.command, Call()).add(entry)
            if entry.failed:
                self.other_errors[entry.error or "other"] += 1
            return
        hour = entry.time.replace(minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
        for tally in (
            self.totals,
            day,
            self.hours.setdefault(hour, Tally()),
            self.tools.setdefault(gate.tool, Tally()),
        ):
            tally.add(entry)
        if entry.failed:
            self.errors[entry.error or "other"] += 1
        if gate.is_question:
            return
        self.rules.setdefault(gate.rule, Counter())[gate.verdict] += 1
        if (why := reason(entry)) is not None:
            named = (gate.tool, asked_for(gate.tool, gate.input), why)
            self._not_judged.setdefault(named, NotJudged(*named)).count += 1
        elif gate.verdict in ("ask", "deny"):
            key = (gate.verdict, gate.tool, asked_for(gate.tool, gate.input))
            command = self._commands.setdefault(key, Command(*key[1:]))
            command.count += 1
            command.rules[gate.rule] += 1
            command.sources[gate.source] += 1

    def _counts(self, entry: Record) -> bool:
        return self.host is None or (entry.is_request and entry.gate is not None and entry.gate.host == self.host)

    def commands(self, verdict: str) -> list[Command]:
        """The commands that got this verdict (`ask` or `deny`) most often, as many as `top` says."""
        found = [command for key, command in self._commands.items() if key[0] == verdict]
        return sorted(found, key=lambda each: (-each.count, each.tool, each.command))[: self.top]

    def not_judged(self) -> list[NotJudged]:
        """The commands that had no verdict of the policy's most often, as many as `top` says, with the reason."""
        found = self._not_judged.values()
        return sorted(found, key=lambda each: (-each.count, each.reason, each.tool, each.command))[: self.top]

    def sorted_errors(self) -> list[tuple[str, int, int]]:
        """The errors, the most frequent first: its code, the requests that it ended, and the other calls."""
        codes = self.errors + self.other_errors
        found = sorted(codes.items(), key=lambda item: (-item[1], item[0]))
        return [(code, self.errors[code], self.other_errors[code]) for code, _ in found]

    def sorted_tools(self) -> list[tuple[str, Tally]]:
        """The tools, the one asked for most often first."""
        return sorted(self.tools.items(), key=lambda item: (-item[1].calls, item[0]))

    def sorted_rules(self) -> list[tuple[str | None, Counter[str]]]:
        """The rules, the one that decided most first."""
        return sorted(self.rules.items(), key=lambda item: (-item[1].total(), item[0] or ""))

    def sorted_calls(self) -> list[tuple[str, Call]]:
        """The calls that no host asked for, the most frequent command first."""
        return sorted(self.calls.items(), key=lambda item: (-item[1].calls, item[0]))

    def sorted_spent(self) -> list[tuple[Kind, bool, Spent]]:
        """Where the time went: requests before other calls, warm before cold; none that was not measured."""
        order: tuple[tuple[Kind, bool], ...] = tuple((kind, warm) for kind in _KINDS for warm in (True, False))
        return [(*key, self.spent[key]) for key in order if key in self.spent and self.spent[key].calls]

    def to_json(self) -> dict[str, Any]:
        """All of it, as `metrics --json` prints it; `schemas/metrics-report.schema.json` describes it."""
        return {
            "period": {
                "days": len(self.days),
                "from": self.start.isoformat(timespec="seconds"),
                "to": self.end.isoformat(timespec="seconds"),
                "first_entry": self.first and self.first.isoformat(timespec="milliseconds"),
                "last_entry": self.last and self.last.isoformat(timespec="milliseconds"),
                "skipped_lines": self.skipped,
            },
            "host": self.host,
            "percentiles": "nearest-rank",
            "totals": self.totals.to_json(),
            "days": [{"date": day.isoformat(), **tally.to_json()} for day, tally in self.days.items()],
            "tools": [{"tool": tool, **tally.to_json()} for tool, tally in self.sorted_tools()],
            "rules": [
                {"rule": rule, "count": counts.total(), **_verdicts(counts)} for rule, counts in self.sorted_rules()
            ],
            "time": [{"kind": kind, "warm": warm, **spent.to_json()} for kind, warm, spent in self.sorted_spent()],
            "top_asked": [command.to_json() for command in self.commands("ask")],
            "top_denied": [command.to_json() for command in self.commands("deny")],
            "not_judged": [command.to_json() for command in self.not_judged()],
            "errors": [
                {"code": code, "requests": requests, "calls": calls, "remedy": REMEDIES.get(code)}
                for code, requests, calls in self.sorted_errors()
            ],
            "calls": [{"command": name, **call.to_json()} for name, call in self.sorted_calls()],
        }


def _verdicts(counts: Counter[str]) -> dict[str, int]:
    return {
        **{verdict: counts[verdict] for verdict in ("allow", "deny", "ask")},
        "unanswered": counts["error"],
    }


def build(
    lines: Iterable[Mapping[str, Any] | None],
    *,
    days: int,
    top: int = 10,
    host: str | None = None,
    now: datetime | None = None,
) -> Report:
    """Count what was written on the last so many days, today among them.

    Args:
        lines: The metrics file's, as `scan` gives them; None is a line that could not be read.
        days: How many days; each begins at its midnight.
        top: How many commands the lists have.
        host: `claude` or `codex` to count that host's requests alone.
        now: When the last day is, and in which zone the days are; this moment, on this machine's clock, by default.
    """
    zone = now.tzinfo if now is not None else None
    end = now or datetime.now().astimezone()
    # A day behind a change of the clock has 23 hours or 25, so days are counted as dates.
    dates = [end.date() - timedelta(days=back) for back in reversed(range(days))]
    midnight = datetime.combine(dates[0], time())
    start = midnight.replace(tzinfo=zone) if zone is not None else midnight.astimezone()
    report = Report(start, end, top, host, days={day: Tally() for day in dates})
    for line in lines:
        entry = None if line is None else record(line, zone)
        if entry is None:
            report.skipped += 1
        else:
            report.add(entry)
    return report
