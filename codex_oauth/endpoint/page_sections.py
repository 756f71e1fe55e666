"""The page's parts: the account, the service, the plots, the last calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Final

from codex_oauth.endpoint.standing import Standing
from codex_oauth.endpoint.tally import Call, Span, Tally
from codex_oauth.metrics import markup
from codex_oauth.metrics.charts import Bar, stacked, strip
from codex_oauth.metrics.words import count, span, tokens, visible
from codex_oauth.types import LimitWindow

__all__ = ("account", "last_calls", "latency", "moment", "service", "tokens_used")

_SHOWN: Final = 25
"""Calls in the table."""

_LONGEST_MODEL: Final = 40
_NEARLY: Final = 90

_SPANS: Final = ((1, 60), (10, 36), (30, 48))
"""Minutes of a bar, and how many bars there may be: the first whose bars reach back to the beginning, or the last."""
_LEAST_BARS: Final = 12
_IN_SECONDS: Final = 10_000.0
"""Milliseconds from which on a plot's scale is in seconds."""

_TIMES: Final = {"fresh": "50 of 100 within", "cached": "95 of 100 within"}
_TOKENS: Final = {"cached": "input, from the cache", "fresh": "input, new", "out": "output"}


def moment(at: float, now: datetime) -> str:
    """A point in time, near enough to now that its day says all."""
    when = datetime.fromtimestamp(at, now.tzinfo)
    if when.date() == now.date():
        return f"{when:%H:%M}"
    near = abs(when - now) < timedelta(days=6)
    return f"{when:%A} {when:%H:%M}" if near else f"{when.day} {when:%B} {when:%H:%M}"


def account(standing: Standing, now: datetime) -> str:
    """Who pays, and what the plan has left."""
    payer, limits = standing.account, standing.limits
    if payer is None:
        words = "Nobody" if standing.problem else "Not known before the first call"
    else:
        plan = payer.plan or (limits and limits.plan)
        words = ("ChatGPT" if payer.kind == "chatgpt" else payer.kind) + (f", plan {plan}" if plan else "")
    if limits is None or not limits.windows:
        content = markup.nothing("The limits of the plan have not been seen yet.")
    else:
        content = "".join(_limit(window, now) for window in limits.windows)
    if limits and limits.credits and limits.credits.has:
        left = "without a limit" if limits.credits.unlimited else escape(limits.credits.balance or "some")
        content += f'<p class="limit">Credits: {left}</p>'
    if limits is not None and standing.limits_at is not None:
        content += f'<p class="limit soft">As of {moment(standing.limits_at, now)}</p>'
    return markup.card("Account and limits", escape(visible(words, 80)), content)


def _limit(window: LimitWindow, now: datetime) -> str:
    used = min(max(window.used_percent, 0), 100)
    state = "used up" if used >= 100 else f"{used}% used" + (", nearly all" if used >= _NEARLY else "")
    name = _window_words(window)
    resets = f"resets {_when(window.resets_at, now)}" if window.resets_at is not None else ""
    bar = strip([("high" if used >= _NEARLY else "used", used), ("left", 100 - used)], name=f"{name}: {state}")
    words = f"<p><span>{escape(name)}</span><b>{state}</b></p>"
    return f'<div class="limit">{words}{bar}<p class="soft">{escape(resets)}</p></div>'


def _window_words(window: LimitWindow) -> str:
    whose = "" if window.name == "codex" else f", {visible(window.name, _LONGEST_MODEL)}"
    if window.minutes is None:
        return f"A limit{whose}"
    hours, rest = divmod(window.minutes, 60)
    if window.minutes == 7 * 24 * 60:
        return f"Weekly{whose}"
    return (
        f"{window.minutes} minutes"
        if rest or not hours
        else f"{hours // 24} days"
        if not hours % 24
        else f"{hours} hours"
    ) + whose


def _when(at: float, now: datetime) -> str:
    left = int(at - now.timestamp())
    return f"{moment(at, now)}, in {_long(left)}" if left > 0 else "now"


def _long(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def service(standing: Standing, tally: Tally, now: datetime) -> str:
    """The process itself."""
    facts = {
        "Listens at": standing.base_url,
        "Up for": _long(now.timestamp() - tally.started),
        "Version": f"codex-oauth {standing.version}",
        "Drives": f"codex {standing.codex_version}" if standing.codex_version else "codex, its version not told yet",
        "Model": standing.model or "not known yet",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(visible(value, 200))}</dd>" for name, value in facts.items())
    return markup.card("The service", "One process on this machine", f'<dl class="facts">{rows}</dl>')


def latency(tally: Tally, now: datetime) -> str:
    """How long calls took, over time."""
    heading, spans, words = "Latency", *_spans(tally, now)
    if not any(each.times for each in spans):
        return markup.card(heading, "Over time", markup.nothing("No call has been answered yet."))
    slowest = max(each.percentile(95) or 0.0 for each in spans)
    unit, scale = ("Seconds", 1000) if slowest >= _IN_SECONDS else ("Milliseconds", 1)
    bars: list[Bar] = []
    rows: list[tuple[str, ...]] = []
    for each, label, name in _named(spans, now):
        half, most = each.percentile(50) or 0.0, each.percentile(95) or 0.0
        said = f"half within {span(half)}, 95 of 100 within {span(most)}" if half else "no calls"
        bars.append(Bar(label, (half / scale, (most - half) / scale), f"{name}: {said}"))
        if each.calls:
            rows.append((name, count(each.calls), count(each.errors), span(half or None), span(most or None)))
    plot = stacked(bars, tuple(_TIMES), name=f"{unit} over time; the numbers are in the table below")
    details = markup.numbers(("from", "calls", "errors", "p50", "p95"), rows)
    return markup.card(heading, f"{unit} that a call took, {words}", plot, under=markup.legend(_TIMES), details=details)


def tokens_used(tally: Tally, now: datetime) -> str:
    """Tokens over time."""
    heading, spans, words = "Tokens", *_spans(tally, now)
    if not any(each.usage.total for each in spans):
        return markup.card(heading, "Over time", markup.nothing("None has been used yet."))
    bars: list[Bar] = []
    rows: list[tuple[str, ...]] = []
    for each, label, name in _named(spans, now):
        used = each.usage
        cached = min(used.cached, used.input)
        said = f"{tokens(used.input)} in, {tokens(cached)} of them from the cache; {tokens(used.output)} out"
        bars.append(Bar(label, (cached, used.input - cached, used.output), f"{name}: {said}"))
        if used.total:
            rows.append((name, *map(count, (used.input, cached, used.output, used.reasoning))))
    plot = stacked(bars, tuple(_TOKENS), unit="tokens", name="Tokens over time; the numbers are in the table below")
    details = markup.numbers(("from", "input", "cached of it", "output", "reasoning of it"), rows)
    return markup.card(heading, f"Used {words}", plot, under=markup.legend(_TOKENS), details=details)


def _spans(tally: Tally, now: datetime) -> tuple[list[Span], str]:
    up = (now.timestamp() - tally.started) / 60
    minutes, most = next((each for each in _SPANS if up < each[0] * (each[1] - 1)), _SPANS[-1])
    bars = min(max(int(up // minutes) + 2, _LEAST_BARS), most)
    per = "minute" if minutes == 1 else f"{minutes} minutes"
    over = "since it began" if bars < most else f"in the last {minutes * most // 60} hours"
    return tally.spans(minutes=minutes, count=bars, now=now.timestamp()), f"per {per}, {over}"


def _named(spans: Sequence[Span], now: datetime) -> list[tuple[Span, str, str]]:
    # The short name below a bar, and what stands in the table.
    whens = [datetime.fromtimestamp(each.start, now.tzinfo) for each in spans]
    names = [f"{when:%H:%M}" if when.date() == now.date() else f"{when:%a} {when:%H:%M}" for when in whens]
    return [(each, f"{when:%H:%M}", name) for each, when, name in zip(spans, whens, names, strict=True)]


def last_calls(tally: Tally, now: datetime) -> str:
    """The last calls, newest first."""
    heading = "Last calls"
    if not tally.last:
        return markup.card(heading, "Without content", markup.nothing("None yet."), wide=True)
    shown = list(tally.last)[: -_SHOWN - 1 : -1]
    heads = ("time", "ended", "took", "first text", "input", "cached", "output", "reasoning", "asked", "model")
    table = markup.table(heads, "".join(_row(call, now) for call in shown), right=range(2, 8))
    words = f"The last {count(len(shown))}, newest first, without content" if len(shown) > 1 else "Without content"
    return markup.card(heading, words, f'<div class="last">{table}</div>', wide=True)


def _row(call: Call, now: datetime) -> str:
    when = datetime.fromtimestamp(call.at, now.tzinfo)
    ended = f"{call.status} {visible(call.error, 40)}" if call.error else call.finish or str(call.status)
    numbers = (
        span(call.ms),
        span(call.first_ms),
        *(count(each) for each in (call.usage.input, call.usage.cached, call.usage.output, call.usage.reasoning)),
    )
    asked = ["chat" if "chat" in call.route else "responses", *(["stream"] if call.streamed else [])]
    if call.tools:
        asked.append("1 tool" if call.tools == 1 else f"{call.tools} tools")
    model = visible(call.model, _LONGEST_MODEL) if call.model else "-"
    if call.effort and call.model:
        model += f", {visible(call.effort, 12)}"
    cells = "".join(f'<td class="number">{escape(number)}</td>' for number in numbers)
    kind = ' class="failed"' if call.error else ""
    return (
        f'<tr><th scope="row">{when:%H:%M:%S}</th><td{kind}>{escape(ended)}</td>{cells}'
        f"<td>{escape(', '.join(asked))}</td><td>{escape(model)}</td></tr>"
    )
