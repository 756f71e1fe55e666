"""`codex-oauth record stats`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codex_oauth.cli.output import printable, to_json
from codex_oauth.cli.record_file import open_records, read_all, say_what_was_skipped
from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.metrics.words import count, span, tokens, visible
from codex_oauth.recorder.spool import Spool
from codex_oauth.recorder.tally import tally

if TYPE_CHECKING:
    from codex_oauth.recorder.reading import RecordFile
    from codex_oauth.recorder.spool import SpoolState
    from codex_oauth.recorder.tally import Tally, Totals

__all__ = ("show_stats",)

_NAME = 40


def show_stats(file: Path | None, *, as_json: bool) -> None:
    """Print what the records add up to, and the state of the spools.

    Raises:
        ConfigurationError: There is no file and no spool either, or one cannot be read.
    """
    settings = load_settings()
    spools = _spools(settings.state_dir / "tapes")
    found: RecordFile | None = None
    try:
        found = open_records(file, settings)
    except ConfigurationError:
        # Records may go to a tapes server alone.
        if file is not None or not spools:
            raise
    counted = tally(() if found is None else read_all(found))
    if as_json:
        to_json(_described(counted, found, spools))
        return
    if found is not None:
        _show(counted, found)
        say_what_was_skipped(found)
    for number, (folder, state) in enumerate(spools):
        if number or found is not None:
            click.echo()
        _show_spool(folder, state)


def _spools(folder: Path) -> list[tuple[Path, SpoolState]]:
    if not folder.is_dir():
        return []
    return [(path, Spool(path).state()) for path in sorted(folder.iterdir()) if path.is_dir()]


def _sizes(found: RecordFile) -> int:
    return sum(file.stat().st_size for file in found.files)


def _described(counted: Tally, found: RecordFile | None, spools: Sequence[tuple[Path, SpoolState]]) -> dict[str, Any]:
    def groups(group: Mapping[str, Totals]) -> dict[str, Any]:
        return {name: totals.to_json() for name, totals in group.items()}

    return {
        "file": None if found is None else str(found.path),
        "bytes": 0 if found is None else _sizes(found),
        "skipped_lines": 0 if found is None else found.skipped,
        "newer_records": 0 if found is None else found.newer,
        **counted.all.to_json(),
        "threads": counted.threads,
        "duplicates": counted.duplicates,
        "exact": counted.exact,
        "redacted": counted.redacted,
        "first": counted.first,
        "last": counted.last,
        "days": groups(counted.days),
        "models": groups(counted.models),
        "labels": groups(counted.labels),
        "spools": [{"folder": str(folder), **state._asdict()} for folder, state in spools],
    }


def _show(counted: Tally, found: RecordFile) -> None:
    click.echo(f"{printable(str(found.path))}: {count(_sizes(found))} bytes")
    if not counted.all.responses:
        click.echo("no records")
        return
    facts = [f"{_many(counted.all.responses, 'response')} in {_many(counted.threads, 'thread')}"]
    facts += [f"{count(counted.redacted)} secrets replaced"] * bool(counted.redacted)
    facts += [f"{count(counted.duplicates)} recorded twice"] * bool(counted.duplicates)
    rough = counted.all.responses - counted.exact
    facts += [f"{count(rough)} put together from codex's own items"] * bool(rough)
    click.echo("; ".join(facts))
    for heading, group in (("day", counted.days), ("model", counted.models), ("label", counted.labels)):
        click.echo()
        ordered = group.items() if heading == "day" else sorted(group.items(), key=lambda one: -one[1].responses)
        _table(heading, [(name or "(none)", totals) for name, totals in ordered])


def _table(heading: str, rows: Sequence[tuple[str, Totals]]) -> None:
    heads = (heading, "responses", "in", "cached", "out", "reasoning", "mean time")
    cells = [
        (
            visible(name, _NAME),
            count(totals.responses),
            *map(tokens, (totals.input, totals.cached, totals.output, totals.reasoning)),
            span(totals.ms / totals.responses),
        )
        for name, totals in rows
    ]
    wide = [max(len(row[column]) for row in (heads, *cells)) for column in range(len(heads))]
    for number, row in enumerate((heads, *cells)):
        line = "  ".join(
            cell.rjust(wide[column]) if column else cell.ljust(wide[column]) for column, cell in enumerate(row)
        )
        click.echo(click.style(line, bold=True) if number == 0 else line)


def _show_spool(folder: Path, state: SpoolState) -> None:
    click.echo(f"{printable(str(folder))}")
    click.echo(f"  waiting for the tapes server: {count(state.waiting)} ({count(state.bytes)} bytes)")
    if state.rejected:
        click.echo(f"  refused by it: {count(state.rejected)}; {printable(str(folder / 'rejected.jsonl'))} says why")
    if state.lost:
        click.echo(f"  not kept, since the spool was full: {count(state.lost)}")


def _many(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"
