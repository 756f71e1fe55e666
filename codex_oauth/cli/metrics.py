"""`codex-oauth metrics`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from codex_oauth.cli.metrics_setting import metrics_are_off
from codex_oauth.cli.output import folded, printable, say, styled, to_json
from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.metrics.report import Report, build
from codex_oauth.metrics.spent import LOCAL, Spent
from codex_oauth.metrics.words import count, percent, tokens, visible
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codex_oauth.metrics.tally import Call, Tally

__all__ = ("command",)

_MOST_DAYS: Final = 3_660
_COLOURS: Final = {"allow": "green", "deny": "red", "ask": "yellow"}
_NARROW: Final = 18
"""Columns of a name on a screen, where the command needs the room."""
_COMMAND: Final = 36
"""Columns that a long command has at least."""


@click.command("metrics")
@click.option("--days", type=click.IntRange(1, _MOST_DAYS), default=7, show_default=True, help="Days, with today.")
@click.option("--top", type=click.IntRange(0, 1_000), default=10, show_default=True, help="Commands in each list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page to look at in a browser.")
@click.option("--host", type=click.Choice(["claude", "codex"]), help="Only requests of this host.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Another metrics file; may be repeated, to count several together.  [env: CODEX_OAUTH_METRICS]",
)
def command(days: int, top: int, as_json: bool, html: Path | None, host: str | None, files: tuple[Path, ...]) -> None:
    """Show what the gate was asked and how it decided, how long that took, and the tokens.

    Days begin at local midnight. The automation rate is the part of the requests that the policy allowed or denied
    without the person: a failure is no success, whatever the policy makes of it. What is a question to the person
    anyway is not counted in it. Latencies are those of verdicts that a model gave, and percentiles are nearest-rank:
    each is a time that was measured. Makes no model request.
    """
    report = _read(files, days, top, host)
    if html is not None:
        place = _write(html, report)
        click.echo(f"wrote {place}", err=as_json)
    if as_json:
        to_json(report.to_json())
    elif html is None:
        _show(report)


def _read(files: Sequence[Path], days: int, top: int, host: str | None) -> Report:
    # A file that is named twice counts once.
    paths = list({path.absolute(): path for path in files}.values())
    if not paths:
        settings = load_settings()
        if settings.metrics is None:
            raise ConfigurationError(f"{metrics_are_off(settings)}; or name a file with --file")
        paths = [settings.metrics]
    for path in paths:
        if not path.exists() and not path.with_name(path.name + ".1").exists():
            if files:
                raise ConfigurationError(f"{printable(str(path))}: no such file")
            say(f"codex-oauth: no metrics yet: {printable(str(path))} is made by the first call")
    return build(_lines(paths), days=days, top=top, host=host)


def _lines(paths: Sequence[Path]) -> Iterator[dict[str, Any] | None]:
    from codex_oauth.metrics import scan

    for path in paths:
        try:
            yield from scan(path)
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
        if totals.kept or totals.shared:
            kept = f"decided by what the model had said shortly before: {count(totals.kept)}"
            click.echo(
                folded(f"{kept}; by the reply to another request with the same question: {count(totals.shared)}")
            )
    else:
        click.echo(f"no permission requests in {'this day' if len(report.days) == 1 else 'these days'}")
    for heading, verdict in (("asked most", "ask"), ("denied most", "deny")):
        if found := report.commands(verdict):
            click.echo()
            names = [each.rule if each.rule and each.source == "model" else f"({each.source})" for each in found]
            rows = [(each.count, each.tool, name, each.command) for name, each in zip(names, found, strict=True)]
            _list(heading, _COLOURS[verdict], rows)
    if failed := report.not_judged():
        click.echo()
        _list("not judged", "magenta", [(each.count, each.tool, each.reason, each.command) for each in failed])
    if errors := report.sorted_errors():
        click.echo()
        _errors(errors)
    if report.calls:
        click.echo()
        heads = ("other calls", "all", "ok", "err", "cut off", "p50", "p95", "p99", "in", "out")
        _table(heads, [_call_row(name, call) for name, call in report.sorted_calls()])
    if spent := report.sorted_spent():
        click.echo()
        _time(spent)
    if totals.calls or report.calls:
        local = "; local: all but the model's turn" if spent else ""
        click.echo(f"\n{folded(f'p50, p95, p99: milliseconds, nearest-rank; in, out: tokens{local}')}")
    if report.skipped:
        say(f"codex-oauth: lines that are no entries and were left out: {count(report.skipped)}")


def _time(found: Sequence[tuple[str, bool, Spent]]) -> None:
    """Where the time went: local and the model's; then the local steps, of hosts' requests if there were any."""
    rows: list[tuple[str, ...]] = []
    for kind, warm, spent in found:
        times = (_milliseconds(value) for part in (spent.local, spent.model) for value in spent.percentiles(part))
        name = f"{'requests' if kind == 'requests' else 'other calls'}, {'warm' if warm else 'cold'}"
        rows.append((name, _short(spent.calls), *times, percent(spent.share)))
    _table(("where the time went", "all", "local p50", "p95", "model p50", "p95", "local"), rows)
    same = {"warm" if warm else "cold": spent.steps for kind, warm, spent in found if kind == found[0][0]}
    steps = [
        (words, *(_milliseconds(at) for steps in same.values() for at in Spent.percentiles(steps.get(step, []))))
        for step, words in LOCAL.items()
        if any(step in steps for steps in same.values())
    ]
    if steps:
        click.echo()
        _table(("local steps", *(head for name in same for head in (f"{name} p50", "p95"))), steps)


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else _short(round(value))


def _tally_row(name: str, tally: Tally) -> tuple[str, ...]:
    numbers = (tally.calls, tally.allow, tally.deny, tally.ask, tally.forced, tally.errors)
    rate = tally.automation_rate
    return (name, *map(_short, numbers), "-" if rate is None else f"{int(rate * 100)}%", *_measures(tally))


def _call_row(name: str, call: Call) -> tuple[str, ...]:
    return (visible(name, 20), *map(_short, (call.calls, call.ok, call.errors, call.cancelled)), *_measures(call))


def _measures(call: Call) -> tuple[str, ...]:
    waits = map(_milliseconds, map(call.percentile, (50, 95, 99)))
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


def _errors(found: Sequence[tuple[str, int, int]]) -> None:
    from codex_oauth.metrics.not_judged import REMEDIES

    names = [visible(code, 64) for code, _, _ in found]
    wide = max(len("errors"), *map(len, names))
    click.echo(f"{styled('errors'.ljust(wide), 'magenta', bold=True)}  {click.style('requests  calls', bold=True)}")
    for name, (code, requests, calls) in zip(names, found, strict=True):
        remedy = f"  {REMEDIES[code]}" if code in REMEDIES else ""
        click.echo(f"{name.ljust(wide)}  {_short(requests).rjust(8)}  {_short(calls).rjust(5)}{remedy}")


def _list(heading: str, colour: str, found: Sequence[tuple[int, str, str, str]]) -> None:
    """A heading, and rows of how often, which tool, by what, and the command."""
    from rich.cells import cell_len, set_cell_size

    rows = [
        (str(times), visible(tool, 100), visible(rule, 100), visible(what, 4_000) or "(no input)")
        for times, tool, rule, what in found
    ]
    wide = [max(cell_len(row[column]) for row in rows) for column in range(4)]
    if sys.stdout.isatty():
        names = _columns() - wide[0] - 6 - min(wide[3], _COMMAND)
        wide[2] = min(wide[2], max(_NARROW, names - min(wide[1], _NARROW)))
        wide[1] = min(wide[1], max(_NARROW, names - wide[2]))
    click.echo(styled(heading, colour, bold=True))
    for times, tool, rule, what in rows:
        # The end of a tool's long name tells more than its beginning, which is its server's.
        end = tool if cell_len(tool) <= wide[1] else f"…{tool[1 - wide[1] :]}"
        cells = (times.rjust(wide[0]), set_cell_size(end, wide[1]), set_cell_size(_head(rule, wide[2]), wide[2]))
        start = "  ".join(cells)
        room = max(_columns() - cell_len(start) - 2, 10) if sys.stdout.isatty() else cell_len(what)
        click.echo(f"{start}  {_head(what, room)}")


def _head(text: str, room: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= room else f"{set_cell_size(text, room - 1).rstrip()}…"


def _columns() -> int:
    return shutil.get_terminal_size().columns
