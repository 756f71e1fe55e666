"""`codex-oauth limits`."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call, console, printable, to_json, waiting

if TYPE_CHECKING:
    from codex_oauth.types import Limits, LimitWindow

__all__ = ("command",)

_WIDEST: Final = 30
_NARROWEST: Final = 10
"""Columns of a bar."""


@click.command("limits")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@home_options
def command(as_json: bool, where: Where) -> None:
    """Show how much of the plan is used, when it begins anew, and the credits beside it."""
    codex = open_codex(where)
    with waiting("asking codex…"):
        limits = call(codex.limits)
    if as_json:
        to_json(asdict(limits))
        return
    click.echo(f"plan     {printable(limits.plan or 'unknown')}")
    _show_windows(limits)
    if limits.credits is not None:
        some = limits.credits.balance or "some" if limits.credits.has else "none"
        click.echo(f"credits  {'unlimited' if limits.credits.unlimited else printable(some)}")
    if limits.reached:
        click.echo(f"reached  {printable(limits.reached.replace('_', ' '))}")


def _show_windows(limits: Limits) -> None:
    if not limits.windows:
        click.echo("limits   the service reports none")
        return
    from rich.table import Table
    from rich.text import Text

    rows = [
        (printable(window.name), _length(window.minutes), f"{window.used_percent} % used", _until(window))
        for window in limits.windows
    ]
    screen = console()
    words = sum(max(len(row[column]) for row in rows) for column in range(4)) + 2 * 4
    width = min(_WIDEST, max(_NARROWEST, screen.width - words))
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in range(5):
        table.add_column(overflow="fold", no_wrap=column == 2)
    for window, (name, length, used, until) in zip(limits.windows, rows, strict=True):
        colour = "red" if window.used_percent >= 90 else "yellow" if window.used_percent >= 70 else "green"
        full = round(width * min(max(window.used_percent, 0), 100) / 100)
        bar = Text.assemble(("█" * full, colour), "░" * (width - full))
        table.add_row(Text(name), length, bar, used, until)
    screen.print(table)


def _length(minutes: int | None) -> str:
    if minutes is None:
        return ""
    for unit, size in (("week", 10_080), ("day", 1_440), ("hour", 60)):
        if minutes % size == 0:
            count = minutes // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{minutes} minutes"


def _until(window: LimitWindow) -> str:
    if window.resets_at is None:
        return ""
    from datetime import datetime

    left = max(0, window.resets_at - round(time.time()))
    days, rest = divmod(left, 86_400)
    span = f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest % 3600 // 60:02d} min"
    return f"begins anew in {span} ({datetime.fromtimestamp(window.resets_at).astimezone():%a %H:%M})"
