"""What the commands share that judge one permission request."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from codex_oauth.gate import Host, PermissionRequest

__all__ = ("permission_request", "request_options")


def request_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which request, and which policy: given to the command as `shell_command`, `host` and `policy`."""
    for option in (
        click.option(
            "--policy",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A policy file to use instead of yours and the repository's.",
        ),
        click.option(
            "--host", type=click.Choice(["claude", "codex"]), help="Whose hook's JSON it is.  [default: as it looks]"
        ),
        click.option(
            "--command",
            "shell_command",
            metavar="TEXT",
            help="A shell command to judge, instead of a hook's JSON on stdin.",
        ),
    ):
        command = option(command)
    return command


def permission_request(shell_command: str | None, host: str | None) -> PermissionRequest:
    """The request that the options or stdin give.

    Raises:
        ConfigurationError: It is none.
    """
    from codex_oauth.gate import PermissionRequest

    asking = cast("Host | None", host)
    if shell_command is not None:
        return PermissionRequest.from_command(shell_command, cwd=str(Path.cwd()), host=asking)
    if sys.stdin.isatty():
        raise click.UsageError("nothing to judge: give --command TEXT, or a hook's JSON on stdin")
    return PermissionRequest.from_hook(sys.stdin.buffer.read(), host=asking)
