"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex

__all__ = ("call_options", "home_options", "open_codex")

F = TypeVar("F", bound=Callable[..., Any])


def home_options(command: F) -> F:
    """Which home, and which codex."""
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
    ):
        command = option(command)
    return command


def call_options(command: F) -> F:
    """How a call is made."""
    for option in (
        click.option(
            "--timeout", type=click.FloatRange(0, 86_400, min_open=True), help="Seconds for everything together."
        ),
        click.option("--effort", help="A reasoning effort that the model lists.  [default: its lowest]"),
        click.option("--model", help="A model's id.  [default: the first of the small tier]"),
    ):
        command = option(command)
    return home_options(command)


def open_codex(home: Path | None, codex_home: Path | None, codex_bin: Path | None) -> AsyncCodex:
    """The client that the options describe; warnings about a home of the user's own go to stderr as plain lines."""
    import warnings

    from codex_oauth.cli.output import say
    from codex_oauth.client import AsyncCodex

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        say(f"codex-oauth: {message}")

    warnings.showwarning = show
    return AsyncCodex(home=home, codex_home=codex_home, codex_bin=codex_bin)
