"""What the commands share that judge many requests: their options, a bar while it takes, and an end in the middle."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codex_oauth.cli.options import call_options
from codex_oauth.cli.output import call, say
from codex_oauth.errors import CodexOAuthError

if TYPE_CHECKING:
    from codex_oauth.gate.evaluation.estimate import Estimate

__all__ = ("Ending", "agree", "on_terminal", "progress", "run_to_its_end", "running_options")

_MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: by itself, by an error that stopped it, or by Ctrl-C."""

    error: CodexOAuthError | None = None
    interrupted: bool = False

    @property
    def early(self) -> bool:
        """Whether something stopped it."""
        return self.error is not None or self.interrupted

    def tell(self) -> None:
        """Raise what ended it, for its exit status. To be called when what there is has been printed."""
        if self.error is not None:
            raise self.error
        if self.interrupted:
            raise click.Abort


def running_options(command: Callable[..., None]) -> Callable[..., None]:
    """How many requests are judged, by which policy, and how: with `policy`, `limit`, `concurrency`, `as_json`."""
    command = call_options(command)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON value."),
        click.option(
            "--concurrency",
            type=click.IntRange(1, _MOST_AT_ONCE),
            default=8,
            show_default=True,
            help="Requests at once.",
        ),
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many requests."),
        click.option(
            "--policy",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A policy file to use instead of yours and the repository's.",
        ),
    ):
        command = option(command)
    return command


def on_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agree(size: Estimate) -> None:
    """Say what a run would take, and ask whether to begin.

    Raises:
        click.exceptions.Exit: It was not wanted.
    """
    from codex_oauth.metrics.words import count, tokens

    if not size.calls:
        return
    what = "1 call" if size.calls == 1 else f"{count(size.calls)} calls"
    say(f"{what} of your plan, with about {tokens(size.tokens)} tokens sent; --limit makes a smaller run of it")
    if not click.confirm("Go on?", default=True, err=True):
        say("nothing was judged")
        raise click.exceptions.Exit(1)


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[str], None]]:
    """A bar on stderr, moved on by each call with a note beside it; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task(what, total=total, note="")
        yield lambda note: bar.update(task, advance=1, note=note)


def run_to_its_end(make: Callable[[], Awaitable[None]]) -> Ending:
    """Run it, and say how it ended, so that what there is by then can be printed first."""
    try:
        call(make)
    except click.Abort:
        return Ending(interrupted=True)
    except CodexOAuthError as error:
        return Ending(error=error)
    return Ending()
