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

_WIDTH: Final = 30


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
        left = "unlimited" if limits.credits.unlimited else limits.credits.balance if limits.credits.has else None
        click.echo(f"credits  {printable(left or 'none')}")
    if limits.reached:
        click.echo(f"reached  {printable(limits.reached.replace('_', ' '))}")


def _show_windows(limits: Limits) -> None:
    if not limits.windows:
        click.echo("limits   the service reports none")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for window in limits.windows:
        colour = "red" if window.used_percent >= 90 else "yellow" if window.used_percent >= 70 else "green"
        full = round(_WIDTH * min(max(window.used_percent, 0), 100) / 100)
        bar = f"[{colour}]{'█' * full}[/]{'░' * (_WIDTH - full)}"
        table.add_row(
            printable(window.name), _length(window.minutes), bar, f"{window.used_percent} % used", _until(window)
        )
    console().print(table)


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
