"""What the commands print with: JSON on stdout, words on stderr, colours only for a terminal."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from codex_oauth.config import environment
from codex_oauth.errors import CodexOAuthError, OutputValidationError, ProcessError, UsageLimitError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

__all__ = ("Waiting", "call", "console", "explain", "folded", "printable", "say", "styled", "to_json", "waiting")

T = TypeVar("T")

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text of foreign origin, fit for a terminal: without control characters, which could rewrite what is on the
    screen."""
    return _CONTROL.sub("�", text)


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
    text = json.dumps(value, ensure_ascii=False)
    click.echo(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


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


def explain(error: CodexOAuthError) -> str:
    """An error as lines for stderr: what happened, what is known about it, and never content."""
    lines = [f"codex-oauth: {printable(error.message)}"]
    if isinstance(error, UsageLimitError) and error.resets_at is not None:
        from datetime import datetime

        when = datetime.fromtimestamp(error.resets_at).astimezone()
        lines.append(f"  the limit lifts at {when:%Y-%m-%d %H:%M %Z}")
    if isinstance(error, OutputValidationError) and len(error.errors) > 1:  # the message has the first one
        lines += [f"  {printable(line)}" for line in error.errors]
    if isinstance(error, ProcessError) and error.stderr_tail:
        from codex_oauth.redaction import cleaned

        lines += [f"  codex: {printable(cleaned(line))}" for line in error.stderr_tail.strip().splitlines()[-3:]]
    return "\n".join(lines)


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
