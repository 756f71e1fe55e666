"""What the commands print with: JSON on stdout, words on stderr, colours only for a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from codex_oauth.config import environment
from codex_oauth.explaining import explain, json_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

__all__ = ("Waiting", "call", "console", "explain", "folded", "printable", "say", "styled", "to_json", "waiting")

T = TypeVar("T")


def folded(text: str, indent: int = 0) -> str:
    """Text broken between words where stdout is a terminal, its later lines indented; as it is for a pipe."""
    if not sys.stdout.isatty():
        return text
    margin = " " * indent
    width = max(shutil.get_terminal_size().columns, indent + 20)
    # Paths and commands stay whole, to be copied.
    return textwrap.fill(
        text, width, initial_indent=margin, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )[indent:]


def to_json(value: Any) -> None:
    """Print one JSON value on stdout, with control characters of every kind escaped."""
    click.echo(json_line(value))


def styled(text: str, colour: str, *, bold: bool = False) -> str:
    """Coloured text, unless NO_COLOR is set; click leaves the colours out where there is no terminal."""
    return text if environment().get("NO_COLOR") else click.style(text, fg=colour, bold=bold)


def say(text: str) -> None:
    """Print words on stderr."""
    click.echo(text, err=True)


def console() -> Console:
    """A console on stdout, for tables. It writes plain text where there is no terminal, and honours NO_COLOR."""
    from rich.console import Console

    # Through a pipe, a row is a line: whoever reads it there may be a program.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


class Waiting:
    """A spinner that may be stopped before its block is left."""

    def __init__(self, status: Status | None) -> None:
        self._status = status

    def stop(self) -> None:
        """Take it off the screen."""
        if self._status is not None:
            self._status.stop()


@contextmanager
def waiting(what: str) -> Generator[Waiting]:
    """A spinner on stderr while something takes time; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield Waiting(None)
        return
    from rich.console import Console

    with Console(stderr=True, highlight=False).status(what) as status:
        yield Waiting(status)


def call(make: Callable[[], Awaitable[T]]) -> T:
    """Run the one asynchronous thing that a command does."""
    import anyio

    async def run() -> T:
        return await make()

    try:
        return anyio.run(run)
    except KeyboardInterrupt:
        # click would print an empty line for it.
        raise click.Abort from None
