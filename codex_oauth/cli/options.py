"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from codex_oauth.errors import ConfigurationError
from codex_oauth.switches import switch_of

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex

__all__ = ("Where", "call_options", "home_options", "open_codex")


class Where(NamedTuple):
    """Which home, which codex, and what is recorded, as the command line named them."""

    home: Path | None = None
    codex_home: Path | None = None
    profile: str | None = None
    codex_bin: Path | None = None
    record: str | None = None


def home_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which home, and which codex: given to the command as `where`."""

    @wraps(command)
    def collected(*args: Any, **options: Any) -> None:
        where = Where(**{name: options.pop(name, None) for name in Where._fields})
        if sum(one is not None for one in (where.home, where.codex_home, where.profile)) > 1:
            raise click.UsageError("give one of --home, --codex-home and --profile: each names the home of the call")
        command(*args, where=where, **options)

    for option in (
        click.option(
            "--codex-bin",
            type=click.Path(path_type=Path),
            help="The codex binary.  [env: CODEX_OAUTH_CODEX_BIN]",
        ),
        click.option(
            "--codex-home",
            type=click.Path(path_type=Path),
            help="A CODEX_HOME of your own, such as ~/.codex. Nothing is written there but by codex itself.",
        ),
        click.option(
            "--home",
            type=click.Path(path_type=Path),
            help="Another place for the managed CODEX_HOME.  [env: CODEX_OAUTH_HOME]",
        ),
        click.option("--profile", metavar="NAME", help="Another account, with a home of its own."),
    ):
        collected = option(collected)
    return collected


def call_options(command: Callable[..., None]) -> Callable[..., None]:
    """How a call is made."""
    for option in (
        click.option(
            "--record",
            metavar="FILE|on|off",
            help="Keep what the model is sent and what it answers, a record for each response; on is the usual file."
            "  [env: CODEX_OAUTH_RECORD]",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(0, 86_400, min_open=True),
            help="Seconds for a call, everything together.",
        ),
        click.option("--effort", help="A reasoning effort that the model lists.  [default: its lowest]"),
        click.option("--model", help="A model's id.  [default: the first of the small tier]"),
    ):
        command = option(command)
    return home_options(command)


def open_codex(where: Where) -> AsyncCodex:
    """The client that the options describe; warnings about a home of the user's own go to stderr as plain lines."""
    import warnings

    from codex_oauth.cli.output import say
    from codex_oauth.client import AsyncCodex

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        say(f"codex-oauth: {message}")

    warnings.showwarning = show
    if where.record is not None and switch_of(where.record) is None:
        _check_record(where.record)
    return AsyncCodex(
        home=where.home,
        codex_home=where.codex_home,
        profile=where.profile,
        codex_bin=where.codex_bin,
        record=where.record,
    )


def _check_record(path: str) -> None:
    # Recording fails no call. But who names a file here has to know before the call that it will not be written.
    import os

    from codex_oauth.cli.doctor_extras import unwritable

    full = Path(os.path.abspath(os.path.expanduser(path)))
    if not path or not full.parent.is_dir():
        raise ConfigurationError(f"--record {path}: there is no folder {full.parent}")
    if problem := unwritable(full):
        raise ConfigurationError(f"--record: {problem}")
