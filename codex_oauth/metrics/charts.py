"""Plots as SVG: no style of their own but class names, which `page.css` colours, and every foreign word escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ("PATTERNS", "Bar", "Point", "behind", "histogram", "line", "stacked", "strip", "swatch")

WIDTH: Final = 520
HEIGHT: Final = 250
LEFT: Final = 46
RIGHT: Final = 10
TOP: Final = 16
BOTTOM: Final = 30
_FLOOR: Final = HEIGHT - BOTTOM
_ROOM: Final = WIDTH - LEFT - RIGHT

_BINS: Final = 40

PATTERNS: Final = (
    '<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="2" height="6" class="over"/></pattern>'
    '<pattern id="grid" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect x="2" y="2" width="2" height="2" class="over"/></pattern>'
    "</defs></svg>"
)
"""For the eye that does not tell the colours apart; once in a page."""

_PATTERN_OF: Final = {"ask": "stripes", "deny": "grid"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of several parts, the lowest first; its label below it, and what a pointer on it is told."""

    label: str
    parts: tuple[float, ...]
    tip: str


@dataclass(frozen=True, slots=True)
class Point:
    """A point between 0 and 1, or none; its label, and what a pointer on it is told."""

    label: str
    value: float | None
    tip: str


def stacked(bars: Sequence[Bar], kinds: Sequence[str], *, name: str, unit: str = "") -> str:
    """Bars side by side, of parts that are coloured by the classes `kinds`.

    Args:
        bars: The bars, from left to right.
        kinds: A class for each part.
        name: What the plot shows, for who does not see it.
        unit: `tokens` to write the scale in thousands and millions.
    """
    highest = max((sum(bar.parts) for bar in bars), default=0)
    scale, ticks = _scale(highest)
    out = [_y_axis([(tick, _short(tick) if unit == "tokens" else f"{tick:,.0f}") for tick in ticks], scale)]
    step = _ROOM / max(len(bars), 1)
    wide = min(step * 0.72, 44)
    for number, bar in enumerate(bars):
        x = LEFT + step * number + (step - wide) / 2
        at = float(_FLOOR)
        out.append(f'<g class="bar"><title>{escape(bar.tip)}</title>')
        # All of the column can be pointed at, for a bar may be a hair high.
        out.append(_rect(LEFT + step * number, TOP, step, _FLOOR - TOP, "hit"))
        for kind, part in zip(kinds, bar.parts, strict=True):
            if part <= 0:
                continue
            high = part / scale * (_FLOOR - TOP)
            at -= high
            out.append(_piece(x, at, wide, high, kind))
        out.append("</g>")
    out.append(_x_labels([bar.label for bar in bars], step))
    return _svg("".join(out), name)


def line(points: Sequence[Point], *, name: str, mean: float | None) -> str:
    """A line through parts of one, in percent, with gaps where there is none; their mean dashed."""
    out = [_y_axis([(tick, f"{tick:.0%}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)], 1.0)]
    step = _ROOM / max(len(points), 1)
    runs: list[list[tuple[float, float]]] = [[]]
    dots: list[str] = []
    for number, point in enumerate(points):
        x = LEFT + step * (number + 0.5)
        if point.value is None:
            runs.append([])
            continue
        y = _FLOOR - point.value * (_FLOOR - TOP)
        runs[-1].append((x, y))
        alone = all(near.value is None for near in (*points[max(number - 1, 0) : number], *points[number + 1 :][:1]))
        dots.append(f'<g class="bar"><title>{escape(point.tip)}</title>')
        dots.append(_rect(LEFT + step * number, TOP, step, _FLOOR - TOP, "hit"))
        # Where points stand close, the line alone is clearer.
        dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot"/></g>' if alone or step > 14 else "</g>")
    if mean is not None:
        y = _FLOOR - mean * (_FLOOR - TOP)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="mean"/>')
    for run in runs:
        if len(run) > 1:
            area = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
            out.append(f'<polygon points="{run[0][0]:.1f},{_FLOOR} {area} {run[-1][0]:.1f},{_FLOOR}" class="area"/>')
            out.append(f'<polyline points="{area}" class="line"/>')
    out += dots
    out.append(_x_labels([point.label for point in points], step))
    return _svg("".join(out), name)


def histogram(values: Sequence[float], marks: Sequence[tuple[str, float]], *, name: str) -> str:
    """How often each length of time occurred, on a scale where each step is the same factor, with marks in it.

    Args:
        values: Milliseconds, in ascending order, at least one.
        marks: What to mark: a label and its milliseconds, ascending.
        name: What the plot shows, for who does not see it.
    """
    low, high = _span(values)
    factor = (high / low) ** (1 / _BINS)

    def place(value: float) -> float:
        return math.log(max(value, low) / low, factor)

    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int(place(value)))] += 1
    top = TOP + 48.0  # the marks' labels stand above
    scale, ticks = _scale(max(counts))
    wide = _ROOM / _BINS
    out = [_y_axis([(tick, f"{tick:,.0f}") for tick in ticks], scale, top)]
    for number, found in enumerate(counts):
        if found:
            x, tall = LEFT + wide * number, found / scale * (_FLOOR - top)
            start, end = (_time(low * factor**edge) for edge in (number, number + 1))
            tip = f"{start} to {end}: {found:,}" if number or values[0] >= low else f"up to {end}: {found:,}"
            out.append(f'<g class="bar"><title>{escape(tip)}</title>{_rect(x, top, wide, _FLOOR - top, "hit")}')
            out.append(f"{_piece(x + 0.5, _FLOOR - tall, wide - 1, tall, 'time')}</g>")
    for number, tick in enumerate(_times(low, high)):
        kind = "minor" if number % 2 else ""
        out.append(_text(LEFT + wide * place(tick), HEIGHT - 10, _time(tick), "middle", kind))
    for number, (label, value) in enumerate(marks):
        x, y = LEFT + wide * min(place(value), _BINS), 20 * number
        left = x > WIDTH - 130
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{_FLOOR}" class="mark"/>')
        out.append(_text(x + (-6 if left else 6), y + 13, label, "end" if left else "start", "mark-label"))
    return _svg("".join(out), name)


def strip(parts: Sequence[tuple[str, float]], *, name: str) -> str:
    """One bar across the page, of parts that are coloured by their classes."""
    whole = sum(part for _, part in parts) or 1
    out: list[str] = []
    x = 0.0
    for kind, part in parts:
        if part > 0:
            wide = part / whole * 1000
            out.append(f'<rect x="{x:.1f}" width="{wide:.1f}" height="20" class="{kind}"/>')
            if kind in _PATTERN_OF:
                out.append(f'<rect x="{x:.1f}" width="{wide:.1f}" height="20" fill="url(#{_PATTERN_OF[kind]})"/>')
            x += wide
    return (
        f'<svg class="strip" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label="{escape(name)}">'
        f"{''.join(out)}</svg>"
    )


def behind(parts: Sequence[tuple[str, float]], whole: float) -> str:
    """A bar to stand behind a line of text that says the same; `whole` is what would fill it."""
    out: list[str] = []
    x = 0.0
    for kind, part in parts:
        wide = part / whole * 100
        out.append(f'<rect x="{x:.2f}" width="{wide:.2f}" height="1" class="{kind}"/>' if part > 0 else "")
        x += wide
    return f'<svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">{"".join(out)}</svg>'


def swatch(kind: str) -> str:
    """A small square of a part's colour."""
    over = f'<rect width="12" height="12" fill="url(#{_PATTERN_OF[kind]})"/>' if kind in _PATTERN_OF else ""
    return f'<svg aria-hidden="true"><rect width="12" height="12" class="{kind}"/>{over}</svg>'


def _svg(content: str, name: str) -> str:
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">{content}</svg>'


def _rect(x: float, y: float, wide: float, high: float, kind: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" class="{kind}"/>'


def _piece(x: float, y: float, wide: float, high: float, kind: str) -> str:
    piece = _rect(x, y, wide, high, kind)
    if kind in _PATTERN_OF:
        fill = f'fill="url(#{_PATTERN_OF[kind]})"'
        piece += f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" {fill}/>'
    return piece


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _y_axis(ticks: Sequence[tuple[float, str]], scale: float, top: float = TOP) -> str:
    out: list[str] = []
    for tick, label in ticks:
        y = _FLOOR - tick / scale * (_FLOOR - top)
        kind = "floor" if tick == 0 else "rule"
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="{kind}"/>')
        out.append(_text(LEFT - 8, y + 4, label, "end"))
    return "".join(out)


def _x_labels(labels: Sequence[str], step: float) -> str:
    every = max(1, math.ceil(58 / step))
    return "".join(
        # On a small screen, where letters are larger, every second one goes.
        _text(LEFT + step * (number + 0.5), HEIGHT - 10, label, "middle", "minor" if number // every % 2 else "")
        for number, label in enumerate(labels)
        if number % every == 0
    )


def _scale(highest: float) -> tuple[float, list[float]]:
    """The end of a scale and its ticks: whole numbers, about four."""
    rough = max(1.0, highest / 4)
    size = 10 ** math.floor(math.log10(rough))
    step = next(
        (nice * size for nice in ((1, 2, 5) if size == 1 else (1, 2, 2.5, 5)) if nice * size >= rough), 10 * size
    )
    steps = max(1, math.ceil(highest / step))
    return steps * step, [float(step * number) for number in range(steps + 1)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Where a scale begins and ends that has room for what matters: what took next to no time goes into its first bin,
    or the rest would be squeezed."""
    middle = values[len(values) // 2]
    low = _round(max(values[0], middle / 30, 1.0), down=True)
    high = _round(max(values[-1], 1.0), down=False)
    if high < 10 * low:
        low = max(_round(low / 3, down=True), 1.0)
    return low, max(high, 10 * low)


def _round(value: float, *, down: bool) -> float:
    size = 10.0 ** math.floor(math.log10(value))
    steps = [nice * size for nice in (1, 2, 5, 10)]
    return max(step for step in steps if step <= value) if down else min(step for step in steps if step >= value)


def _times(low: float, high: float) -> list[float]:
    """Round lengths of time between two: not more than have room below a plot."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for nice in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**exponent for exponent in exponents for step in nice]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 8:
            break
    return ticks


def _time(milliseconds: float) -> str:
    rounded = float(f"{milliseconds:.2g}")
    return f"{rounded:g} ms" if rounded < 1000 else f"{rounded / 1000:g} s"


def _short(number: float) -> str:
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"
