"""How far a batch is, on stderr: a bar for a terminal, a line now and then for a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.batch import Tally
from codex_oauth.batch.tally import Pace
from codex_oauth.cli.output import say
from codex_oauth.metrics.words import count, tokens

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ("INTERVAL", "failures", "measures", "showing")

INTERVAL: Final = 5.0
"""Seconds between two lines where there is no terminal."""

_REDRAWS: Final = 4
# A second; each costs the calls a little of the one processor that Python uses.


def failures(tally: Tally) -> str:
    """The failures by kind, the most frequent first, as the end of a sentence; empty where there are none."""
    if not tally.failures:
        return ""
    kinds = ", ".join(f"{code} {count(number)}" for code, number in tally.failures.most_common())
    return f", {count(tally.failed)} failed ({kinds})"


def measures(tally: Tally, rate: float | None) -> list[str]:
    """How far, how fast, how long still, and tokens; in words that are short enough for one line."""
    words = [f"{count(tally.done)}/{count(tally.total)}"]
    if rate:
        words += [f"{rate:.1f}/s" if rate < 100 else f"{rate:.0f}/s", f"{_clock(tally.left / rate)} left"]
    return [*words, f"{tokens(tally.usage.total)} tokens"]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def showing(tally: Tally) -> Generator[Callable[[], Coroutine[Any, Any, None]] | None]:
    """Show the tally while the block runs.

    Yields:
        What has to run beside the batch for it; None for nothing.
    """
    pace = Pace()
    pace.rate(tally.done)  # where it begins
    if not sys.stderr.isatty():

        async def lines() -> None:
            import anyio

            while True:
                await anyio.sleep(INTERVAL)
                say("  ".join(measures(tally, pace.rate(tally.done))) + failures(tally))

        yield lines
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    def drawn() -> RenderableType:
        line = Table.grid(padding=(0, 1), expand=False)
        bar = ProgressBar(total=max(tally.total, 1), completed=tally.done, width=20)
        line.add_row(bar, *measures(tally, pace.rate(tally.done)))
        below = Text(f"{tally.asking} being asked{failures(tally)}", overflow="fold")
        return Group(line, below)

    console = Console(stderr=True, highlight=False)
    with Live(get_renderable=drawn, console=console, refresh_per_second=_REDRAWS, transient=True):
        yield None
