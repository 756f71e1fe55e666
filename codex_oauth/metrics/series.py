"""A report's requests over time: by hours, days or weeks, whichever makes a plot that can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from codex_oauth.metrics.report import Report
from codex_oauth.metrics.tally import Tally

__all__ = ("Moment", "Series", "days_of", "series_of")

_HOURS_UP_TO: Final = 2
_DAYS_UP_TO: Final = 62
"""Days."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An hour, a day or a week: its short name, its whole name, its requests."""

    label: str
    name: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Series:
    """The moments of a report, none left out.

    Attributes:
        unit: What a moment is.
        moments: The moments.
        when: Which days they are, where these are fewer than the report's; otherwise empty.
    """

    unit: Literal["hour", "day", "week"]
    moments: tuple[Moment, ...]
    when: str = ""

    @property
    def per(self) -> str:
        """The unit, and which days it is about: a plot's words."""
        return f"{self.unit}, {self.when}" if self.when else self.unit


def series_of(report: Report) -> Series:
    """By hours where the requests span two days at most, by days up to two months, by weeks from there on."""
    if len(report.days) <= _HOURS_UP_TO:
        return Series("hour", tuple(_hours(report, *_whole(next(iter(report.days)), report.end.date()))))
    if report.hours:
        first, last = min(report.hours), max(report.hours)
        few = last - first < timedelta(days=_HOURS_UP_TO)
        if (last.date() - first.date()).days < _HOURS_UP_TO:
            first, last = _whole(first.date(), last.date())
        if few:
            one = first.date() == last.date()
            when = _day(first.date()) if one else f"{_day(first.date())} to {_day(last.date())}"
            return Series("hour", tuple(_hours(report, first, last)), when)
    if len(report.days) <= _DAYS_UP_TO:
        return Series("day", tuple(_days(report)))
    return Series("week", tuple(_weeks(report)))


def days_of(report: Report) -> str:
    """The days of a report, in words."""
    first, last = next(iter(report.days)), report.end.date()
    if first == last:
        return f"{last:%A}, {_day(last)} {last:%Y}"
    begin = _day(first) if first.year == last.year else f"{_day(first)} {first:%Y}"
    return f"{len(report.days)} days, {begin} to {_day(last)} {last:%Y}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"


def _whole(first: date, last: date) -> tuple[datetime, datetime]:
    return datetime.combine(first, time()), datetime.combine(last, time(23))


def _hours(report: Report, first: datetime, last: datetime) -> Iterator[Moment]:
    moment = first
    while moment <= last:
        hour = moment.hour
        label = f"{hour}:00" if hour else f"{moment:%a} {moment.day}"
        yield Moment(label, f"{moment:%A} {hour}:00 to {hour + 1}:00", report.hours.get(moment) or Tally())
        moment += timedelta(hours=1)


def _days(report: Report) -> Iterator[Moment]:
    week = len(report.days) <= 14
    for day, tally in report.days.items():
        label = f"{day:%a} {day.day}" if week else f"{day.day} {day:%b}"
        yield Moment(label, f"{day:%A}, {_day(day)}", tally)


def _weeks(report: Report) -> Iterator[Moment]:
    days = list(report.days.items())
    # Whole weeks, counted from the end: the last one is the one that matters.
    for start in range(-(-len(days) % 7), len(days), 7):
        part = days[max(start, 0) : start + 7]
        whole = Tally()
        for _, tally in part:
            whole.merge(tally)
        first, last = part[0][0], part[-1][0]
        yield Moment(f"{first.day} {first:%b}", f"{_day(first)} to {_day(last)}", whole)
