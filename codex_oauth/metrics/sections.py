"""The page's upper half: what it comes to, and the plots, each with its numbers for who wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from codex_oauth.metrics import markup
from codex_oauth.metrics.charts import Bar, Point, histogram, line, stacked, strip, swatch
from codex_oauth.metrics.report import Report
from codex_oauth.metrics.series import Series
from codex_oauth.metrics.spent import LOCAL, Spent
from codex_oauth.metrics.tally import PERCENTILES
from codex_oauth.metrics.words import count, percent, span, tokens

__all__ = ("automation", "headline", "latency", "time_spent", "tokens_used", "verdicts")

_TOKENS: Final = {"cached": "input, from the cache", "fresh": "input, new", "out": "output"}

_TIMES: Final = {
    "before": "up to the question",
    "opening": "up to the turn",
    "turn": "the model's turn",
    "after": "after it",
}


def headline(report: Report) -> str:
    """What it comes to, in five numbers and one bar."""
    totals = report.totals
    judged = totals.calls - totals.questions
    used = totals.input + totals.output
    failed = f"{percent(totals.errors / totals.calls)} of the requests" if totals.errors else "in these days"
    numbers = (
        (
            "Automation rate",
            percent(totals.automation_rate),
            f"{count(totals.automated)} of {count(judged)} without you",
        ),
        ("Requests", count(totals.calls), f"{count(totals.forced)} verdicts forced"),
        ("Typical wait", span(totals.percentile(50)), f"95 of 100 within {span(totals.percentile(95))}"),
        ("Tokens", tokens(used), f"{tokens(totals.input)} in, {tokens(totals.output)} out"),
        ("Errors", count(totals.errors), failed),
    )
    parts = totals.verdicts()
    shares = [(kind, parts[kind], markup.VERDICTS[kind]) for kind in markup.VERDICTS if parts[kind]]
    legend = "".join(
        f"<li>{swatch(kind)}{words} <b>{count(number)}</b> ({percent(number / totals.calls)})</li>"
        for kind, number, words in shares
    )
    spoken = ", ".join(f"{words} {percent(number / totals.calls)}" for _, number, words in shares)
    figures = "".join(
        f'<div><dt>{name}</dt><dd class="value">{value}</dd><dd class="more">{more}</dd></div>'
        for name, value, more in numbers
    )
    bar = strip([(kind, number) for kind, number, _ in shares], name=f"Verdicts: {spoken}")
    return f'<dl class="figures">{figures}</dl>{bar}<ul class="legend">{legend}</ul>'


def verdicts(series: Series) -> str:
    """Verdicts over time."""
    kinds = tuple(markup.VERDICTS)
    bars: list[Bar] = []
    rows: list[tuple[str, ...]] = []
    for moment in series.moments:
        parts = moment.tally.verdicts()
        said = ", ".join(f"{words} {count(parts[kind])}" for kind, words in markup.VERDICTS.items() if parts[kind])
        bars.append(Bar(moment.label, tuple(parts[kind] for kind in kinds), f"{moment.name}: {said or 'no requests'}"))
        numbers = (moment.tally.calls, *(parts[kind] for kind in kinds), moment.tally.forced, moment.tally.errors)
        rows.append((moment.name, *map(count, numbers)))
    plot = stacked(bars, kinds, name=f"Verdicts per {series.unit}; the numbers are in the table below")
    found = [kind for kind in kinds if any(moment.tally.verdicts()[kind] for moment in series.moments)]
    legend = markup.legend({kind: markup.VERDICTS[kind] for kind in found})
    heads = (series.unit, "requests", *markup.VERDICTS.values(), "forced", "errors")
    details = markup.numbers(heads, rows)
    return markup.card("Verdicts over time", f"Requests per {series.per}", plot, under=legend, details=details)


def automation(report: Report, series: Series) -> str:
    """The automation rate over time."""
    points: list[Point] = []
    rows: list[tuple[str, ...]] = []
    for moment in series.moments:
        rate, judged = moment.tally.automation_rate, moment.tally.calls - moment.tally.questions
        said = f"{count(moment.tally.automated)} of {count(judged)} without you"
        points.append(Point(moment.label, rate, f"{moment.name}: {percent(rate)}, {said}"))
        rows.append((moment.name, percent(rate), count(moment.tally.automated), count(judged)))
    mean = report.totals.automation_rate
    plot = line(points, mean=mean, name=f"Automation rate per {series.unit}; the numbers are in the table below")
    words = f"Decided without you, per {series.per}; dashed: all, {percent(mean)}"
    heads = (series.unit, "automation rate", "without you", "judged")
    return markup.card("Automation rate", words, plot, details=markup.numbers(heads, rows))


def latency(report: Report, series: Series) -> str:
    """How long requests waited."""
    totals = report.totals
    words = "How long requests waited for a verdict"
    found = [(number, totals.percentile(number)) for number in PERCENTILES]
    marks = [(f"p{number} {span(value)}", value) for number, value in found if value is not None]
    if not marks:
        return markup.card("Latency", words, markup.nothing("None of the requests was measured."))
    plot = histogram(
        totals.latencies,
        marks,
        name=f"Distribution of the latency of {count(len(totals.latencies))} requests: "
        + ", ".join(label for label, _ in marks),
    )
    rows = [(moment.name, *map(span, map(moment.tally.percentile, PERCENTILES))) for moment in series.moments]
    heads = (series.unit, *(f"p{number}" for number in PERCENTILES))
    return markup.card("Latency", words, plot, details=markup.numbers(heads, rows))


def time_spent(report: Report) -> str:
    """The model's time and the local time, on an app-server that was running and on one that had to be started."""
    words = "The model's turn, and everything around it, which is local"
    found = {_called(kind, warm): spent for kind, warm, spent in report.sorted_spent()}
    if not found:
        return markup.card("Where the time went", words, markup.nothing("None of the calls was measured."), wide=True)
    means = {name: spent.means() for name, spent in found.items()}
    longest = max(sum(parts.values()) for parts in means.values())
    rows: list[str] = []
    for name, spent in found.items():
        parts = [(kind, means[name].get(kind, 0.0)) for kind in _TIMES]
        local, model = spent.percentiles(spent.local)[0], spent.percentiles(spent.model)[0]
        said = f"{span(local)} local, {span(model)} the model's; {percent(spent.share)} of all of it was local"
        rest = ("hit", longest - sum(part for _, part in parts))
        bar = strip([*parts, rest], name=f"{name}: {said}") if longest else ""
        rows.append(f'<div class="call"><p><b>{name}</b> <span class="soft">{count(spent.calls)}</span></p>')
        rows.append(f'{bar}<p class="soft">{said}</p></div>')
    legend = markup.legend(_TIMES)
    content = f'<div class="calls">{"".join(rows)}</div>{legend}'
    return markup.card("Where the time went", words, content, details=_steps(found), wide=True)


def _called(kind: str, warm: bool) -> str:
    return f"{'Requests' if kind == 'requests' else 'Other calls'}, {'warm' if warm else 'cold'}"


def _steps(found: Mapping[str, Spent]) -> str:
    heads = ["local step", *(f"{name}, {what}" for name in found for what in ("p50", "p95"))]
    rows = [
        (words, *(span(value) for spent in found.values() for value in spent.percentiles(spent.steps.get(step, []))))
        for step, words in LOCAL.items()
        if any(step in spent.steps for spent in found.values())
    ]
    return markup.numbers(heads, rows)


def tokens_used(series: Series) -> str:
    """Tokens over time."""
    bars: list[Bar] = []
    rows: list[tuple[str, ...]] = []
    for moment in series.moments:
        tally = moment.tally
        cached = min(tally.cached, tally.input)
        said = f"{tokens(tally.input)} in, {tokens(cached)} of them from the cache; {tokens(tally.output)} out"
        bars.append(Bar(moment.label, (cached, tally.input - cached, tally.output), f"{moment.name}: {said}"))
        rows.append((moment.name, *map(count, (tally.input, cached, tally.output, tally.reasoning))))
    plot = stacked(
        bars, tuple(_TOKENS), unit="tokens", name=f"Tokens per {series.unit}; the numbers are in the table below"
    )
    heads = (series.unit, "input", "cached of it", "output", "reasoning of it")
    legend, details = markup.legend(_TOKENS), markup.numbers(heads, rows)
    return markup.card("Tokens", f"Used per {series.per}", plot, under=legend, details=details)
