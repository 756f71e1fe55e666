"""The figures as text, for a terminal and for the docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures import Case, Row, median_of, quartiles
from benchmarks.reach import Goal

__all__ = ("case_lines", "heading_lines", "reach_lines")


def heading_lines(machine: Mapping[str, Any], versions: Mapping[str, str], when: str) -> list[str]:
    """What was measured, where and when."""
    names = ", ".join(f"{name} {number}" for name, number in versions.items())
    where = f"{machine['cpus']} x {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}"
    return [f"{when}, {where}", f"Python {machine['python']}, {names}"]


def case_lines(case: Case) -> list[str]:
    """A table of a case: medians, where the middle half lies, the least, and the ratio to the baseline's median."""
    more = list(dict.fromkeys(name for row in case.rows for name in row.more))
    head = ["", case.unit, "25-75 %", "least"]
    if case.baseline:
        head.append("ratio")
    lines = [[*head, *more]]
    lines += [_cells(case, row, more) for row in case.rows if row.values]
    load = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in case.load.items())
    text = [f"== {case.title}", *_aligned(lines), *(f"   {note}" for note in case.notes)]
    return [*text, f"   Load: {load.replace(' percent', ' %')}"] if load else text


def _cells(case: Case, row: Row, more: Sequence[str]) -> list[str]:
    low, high = quartiles(row.values)
    cells = [row.label, _number(median_of(row.values)), f"{_number(low)}-{_number(high)}", _number(min(row.values))]
    if case.baseline:
        ratio = case.ratio(row.key)
        cells.append("" if ratio is None else f"{ratio:.2f} x")
    for name in more:
        value = row.more.get(name, "")
        cells.append(value if isinstance(value, str) else _number(value))
    return cells


def reach_lines(goals: Sequence[Goal]) -> list[str]:
    """What is to be reached, and whether it is."""
    words = {True: "met", False: "NOT MET", None: ""}
    lines = [["", "at most", "measured", ""]]
    for goal in goals:
        limit = "" if goal.limit is None else f"{goal.limit:g} {goal.unit}"
        found = "not measured" if goal.found is None else f"{goal.found:.2f} {goal.unit}"
        lines.append([goal.what, limit, found, words[goal.met]])
    return ["== To be reached", *_aligned(lines)]


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    ]
