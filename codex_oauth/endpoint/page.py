"""The page at `/`: how the endpoint is, what the plan has left, what was asked, and how to point a client to it.

It runs no script, asks nothing of anybody, and shows neither content nor the token. It stays as it is until somebody
loads it again, for what changes by itself is a nuisance to who reads slowly; `?refresh=30` is for a screen on a wall.

How it is used: `page(tally, standing, now=...)` is the body, `headers()` are the response's headers.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from codex_oauth.endpoint import page_sections as sections
from codex_oauth.endpoint.clients import clients
from codex_oauth.endpoint.standing import Standing
from codex_oauth.endpoint.tally import Tally
from codex_oauth.metrics.words import count, percent, span, tokens

__all__ = ("LEAST_REFRESH", "headers", "page")

LEAST_REFRESH: Final = 5
"""Seconds between two loads of a page that loads itself again."""

_HOUR: Final = 60
_DAY: Final = 24 * 60


def headers() -> dict[str, str]:
    """The headers of the page's response: its own style sheet and nothing else, in no frame, in no cache."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    rules = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": rules,
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }


def page(tally: Tally, standing: Standing, *, now: datetime, refresh: int | None = None) -> str:
    """The page as HTML.

    Args:
        tally: The counts.
        standing: The rest of what it says.
        now: The time, in the zone that times are shown in.
        refresh: After how many seconds it loads itself again, at least `LEAST_REFRESH`; None for never.
    """
    again = f'<meta http-equiv="refresh" content="{max(refresh, LEAST_REFRESH)}">\n' if refresh else ""
    up = sections.moment(tally.started, now)
    state = "Ends after the calls that run" if standing.stopping else "Up"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{again}<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>codex-oauth endpoint</title>
<style>{_style()}</style>
</head>
<body>
<header>
<h1>codex-oauth endpoint</h1>
{_refreshing(refresh)}
<p class="soft">{state} since {up}, at {escape(standing.base_url)}</p>
</header>
<main>
{_note(standing, now)}{_headline(tally, now)}
<div class="cards">
{sections.account(standing, now)}
{sections.service(standing, tally, now)}
{sections.latency(tally, now)}
{sections.tokens_used(tally, now)}
{sections.last_calls(tally, now)}
{clients(standing.base_url, standing.token_command, standing.model)}
</div>
</main>
<footer>
<p>Made at {now:%H:%M:%S} ({escape(now.tzname() or "UTC")}), {now.day} {now:%B %Y}.
Counts begin and end with the endpoint. Percentiles are within 5% of what was measured.</p>
</footer>
</body>
</html>
"""


@cache
def _style() -> str:
    sheets = (("codex_oauth.metrics", "page.css"), ("codex_oauth.endpoint", "page.css"))
    return "".join(files(package).joinpath(name).read_text(encoding="utf-8") for package, name in sheets)


def _refreshing(refresh: int | None) -> str:
    by_itself = '<a href="/">Stop refreshing</a>' if refresh else '<a href="/?refresh=30">Every 30 s</a>'
    return f'<nav aria-label="Refresh"><a href="{"/?refresh=30" if refresh else "/"}">Refresh</a>{by_itself}</nav>'


def _note(standing: Standing, now: datetime) -> str:
    if standing.problem:
        words = f"<b>Calls fail.</b> {escape(standing.problem)}"
    elif standing.limits and standing.limits.reached:
        until = [each.resets_at for each in standing.limits.windows if each.used_percent >= 100 and each.resets_at]
        when = f" until {sections.moment(max(until), now)}" if until else ""
        words = f"<b>The plan is used up.</b> Calls are refused{when}."
    else:
        return ""
    return f'<p class="note" role="status">{words}</p>\n'


def _headline(tally: Tally, now: datetime) -> str:
    hour, day = (tally.recent(minutes=minutes, now=now.timestamp()) for minutes in (_HOUR, _DAY))
    used = day.usage
    typical = hour.percentile(50)
    within = f"95 of 100 within {span(hour.percentile(95))}" if typical is not None else "no call in the last hour"
    part = percent(day.errors / day.calls) + " of the calls" if day.errors else "of the model's calls"
    numbers = (
        ("Calls", count(day.calls), "in the last 24 hours"),
        ("In flight", count(tally.in_flight), "run or wait now"),
        ("Typical wait", span(typical), within),
        ("Tokens", tokens(used.total), f"{tokens(used.input)} in, {tokens(used.output)} out"),
        ("Errors", count(day.errors), part),
    )
    return (
        '<dl class="figures">'
        + "".join(
            f'<div><dt>{name}</dt><dd class="value">{value}</dd><dd class="more">{more}</dd></div>'
            for name, value, more in numbers
        )
        + "</dl>"
    )
