"""`codex-oauth metrics`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.output import folded, printable, say, styled, to_json
from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.metrics.report import Report, build
from codex_oauth.metrics.words import count, percent, tokens, visible
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_oauth.metrics.tally import Call, Command, Tally

__all__ = ("command",)

_MOST_DAYS: Final = 3_660
_COLOURS: Final = {"allow": "green", "deny": "red", "ask": "yellow"}
_NARROW: Final = 18
"""Columns of a name on a screen, where the command needs the room."""


@click.command("metrics")
@click.option("--days", type=click.IntRange(1, _MOST_DAYS), default=7, show_default=True, help="Days, with today.")
@click.option("--top", type=click.IntRange(0, 1_000), default=10, show_default=True, help="Commands in each list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page to look at in a browser.")
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="PATH", help="Another metrics file.  [env: CODEX_OAUTH_METRICS]"
)
def command(days: int, top: int, as_json: bool, html: Path | None, file: Path | None) -> None:
    """Show what the gate was asked and how it decided, how long that took, and the tokens.

    Days begin at local midnight. The automation rate is the part of the requests that was allowed or denied without
    the person; what is a question to the person anyway is not counted in it, nor in the latencies. Percentiles are
    nearest-rank: each is a time that was measured. Makes no model request.
    """
    report = _read(file, days, top)
    if html is not None:
        place = _write(html, report)
        click.echo(f"wrote {place}", err=as_json)
    if as_json:
        to_json(report.to_json())
    elif html is None:
        _show(report)


def _read(file: Path | None, days: int, top: int) -> Report:
    from codex_oauth.metrics import scan

    path = file or load_settings().metrics
    if path is None:
        raise ConfigurationError(
            "metrics are off, by CODEX_OAUTH_METRICS or the configuration file: leave `metrics` out to have them from "
            "now on, or name a file with --file"
        )
    if not path.exists() and not path.with_name(path.name + ".1").exists():
        if file is not None:
            raise ConfigurationError(f"{printable(str(path))}: no such file")
        say(f"codex-oauth: no metrics yet: {printable(str(path))} is made by the first call")
    try:
        return build(scan(path), days=days, top=top)
    except OSError as error:
        raise ConfigurationError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error


def _write(path: Path, report: Report) -> str:
    from codex_oauth.metrics.page import page, write

    path = path.absolute()
    shown = printable(str(path))
    try:
        write(path, page(report, version=__version__))
    except FileExistsError:
        raise ConfigurationError(
            f"{shown}: is there and is no page of metrics, so it is not replaced; choose another name"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{shown}: cannot be written: {error.strerror}") from error
    return shown


def _show(report: Report) -> None:
    totals = report.totals
    if totals.calls:
        rows = [(day.isoformat(), tally) for day, tally in report.days.items() if tally.calls]
        heads = ("day", "all", "allow", "deny", "ask", "forced", "err", "auto", "p50", "p95", "p99", "in", "out")
        cells = [_tally_row(name, tally) for name, tally in [*rows, ("all", totals)]]
        _table(heads, cells, bold_last=True)
        judged = totals.calls - totals.questions
        rate = f"automation rate {percent(totals.automation_rate)}: {count(totals.automated)} of {count(judged)}"
        questions = f"; questions to the person, not counted: {count(totals.questions)}" if totals.questions else ""
        click.echo(f"\n{folded(f'{rate} allowed or denied without the person{questions}')}")
    else:
        click.echo(f"no permission requests in {'this day' if len(report.days) == 1 else 'these days'}")
    for heading, verdict in (("asked most", "ask"), ("denied most", "deny")):
        if found := report.commands(verdict):
            click.echo()
            _list(heading, _COLOURS[verdict], found)
    if report.calls:
        click.echo()
        heads = ("other calls", "all", "ok", "err", "cut off", "p50", "p95", "p99", "in", "out")
        _table(heads, [_call_row(name, call) for name, call in report.sorted_calls()])
    if totals.calls or report.calls:
        click.echo("\np50, p95, p99: milliseconds, nearest-rank; in, out: tokens")
    if report.skipped:
        say(f"codex-oauth: lines that are no entries and were left out: {count(report.skipped)}")


def _tally_row(name: str, tally: Tally) -> tuple[str, ...]:
    numbers = (tally.calls, tally.allow, tally.deny, tally.ask, tally.forced, tally.errors)
    rate = tally.automation_rate
    return (name, *map(_short, numbers), "-" if rate is None else f"{int(rate * 100)}%", *_measures(tally))


def _call_row(name: str, call: Call) -> tuple[str, ...]:
    return (visible(name, 20), *map(_short, (call.calls, call.ok, call.errors, call.cancelled)), *_measures(call))


def _measures(call: Call) -> tuple[str, ...]:
    waits = ("-" if wait is None else _short(round(wait)) for wait in map(call.percentile, (50, 95, 99)))
    return (*waits, tokens(call.input), tokens(call.output))


def _short(number: int) -> str:
    return str(number) if number < 100_000 else tokens(number)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, bold_last: bool = False) -> None:
    """A heading and its rows, each a line: the first column stands left, the others, which are numbers, right."""
    wide = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    # On a narrow screen, columns move closer together.
    gap = " " if sys.stdout.isatty() and sum(wide) + 2 * len(wide) - 2 > _columns() else "  "
    for number, row in enumerate((heads, *rows)):
        cells = [cell.rjust(wide[column]) if column else cell.ljust(wide[0]) for column, cell in enumerate(row)]
        if number == 0:
            cells = [_heading(cell) for cell in cells]
        line = gap.join(cells)
        click.echo(click.style(line, bold=True) if bold_last and number == len(rows) else line)


def _heading(cell: str) -> str:
    colour = _COLOURS.get(cell.strip())
    return styled(cell, colour, bold=True) if colour else click.style(cell, bold=True)


def _list(heading: str, colour: str, found: Sequence[Command]) -> None:
    from rich.cells import cell_len, set_cell_size

    names = [(str(each.count), *_named(each)) for each in found]
    wide = [max(cell_len(row[column]) for row in names) for column in range(3)]
    click.echo(styled(heading, colour, bold=True))
    for (times, tool, rule), each in zip(names, found, strict=True):
        start = "  ".join((times.rjust(wide[0]), set_cell_size(tool, wide[1]), set_cell_size(rule, wide[2])))
        what = visible(each.command, 4_000) or "(no input)"
        room = max(_columns() - cell_len(start) - 2, 10)
        if sys.stdout.isatty() and cell_len(what) > room:
            what = set_cell_size(what, room - 1).rstrip() + "…"
        click.echo(f"{start}  {what}")


def _named(each: Command) -> tuple[str, str]:
    tool, rule = visible(each.tool, 100), each.rule if each.rule and each.source == "model" else f"({each.source})"
    if not sys.stdout.isatty():
        return tool, visible(rule, 100)
    # The end of a long name tells more than its beginning, which is its server's.
    return tool if len(tool) <= _NARROW else f"…{tool[1 - _NARROW :]}", visible(rule, _NARROW)


def _columns() -> int:
    return shutil.get_terminal_size().columns
