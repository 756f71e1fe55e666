"""What the commands share that judge one permission request."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.gate import Host, PermissionRequest

__all__ = ("Asked", "permission_request", "request_options")


class Asked(NamedTuple):
    """A request as the command line describes it."""

    shell_command: str | None
    host: str | None
    mode: str | None
    cwd: Path | None


def request_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which request, and which policy: given to the command as `asked` and `policy`."""

    @wraps(command)
    def collected(*args: Any, **options: Any) -> None:
        command(*args, asked=Asked(**{name: options.pop(name) for name in Asked._fields}), **options)

    for option in (
        click.option(
            "--policy",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A policy file to use instead of yours and the repository's.",
        ),
        click.option(
            "--cwd",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Where it would run.  [default: as the JSON says, or here]",
        ),
        click.option("--mode", metavar="MODE", help="The host's permission mode, such as plan or bypassPermissions."),
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
        collected = option(collected)
    return collected


def permission_request(asked: Asked) -> PermissionRequest:
    """The request that the options or stdin give.

    Raises:
        ConfigurationError: It is none.
    """
    from codex_oauth.gate import PermissionRequest

    host = cast("Host | None", asked.host)
    nothing = "nothing to judge: give --command TEXT, or a hook's JSON on stdin"
    if asked.shell_command is not None:
        request = PermissionRequest.from_command(asked.shell_command, cwd=str(Path.cwd()), host=host)
    elif sys.stdin.isatty():
        raise click.UsageError(nothing)
    else:
        payload = sys.stdin.buffer.read()
        if not payload.strip():
            raise ConfigurationError(f"the hook's input is empty; {nothing.partition(': ')[2]}")
        request = PermissionRequest.from_hook(payload, host=host)
    return replace(
        request,
        mode=asked.mode or request.mode,
        cwd=str(asked.cwd.absolute()) if asked.cwd else request.cwd,
    )
