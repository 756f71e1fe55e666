"""`codex-oauth classify`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from codex_oauth.cli.options import Where, call_options, open_codex
from codex_oauth.cli.output import call, folded, printable, styled, to_json, waiting

if TYPE_CHECKING:
    from codex_oauth.gate import Host

__all__ = ("command",)

_STATUS: Final = {"allow": 0, "deny": 10, "ask": 11}
_COLOUR: Final = {"allow": "green", "deny": "red", "ask": "yellow"}


@click.command("classify")
@click.option(
    "--command", "shell_command", metavar="TEXT", help="A shell command to judge, instead of a hook's JSON on stdin."
)
@click.option("--host", type=click.Choice(["claude", "codex"]), help="Whose hook's JSON it is.  [default: as it looks]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@click.option("--exit-code", is_flag=True, help="Exit with 0 for allow, 10 for deny, 11 for ask.")
@call_options
def command(
    shell_command: str | None,
    host: str | None,
    as_json: bool,
    exit_code: bool,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    where: Where,
) -> None:
    """Judge a permission request of a coding agent: allow, deny, or ask the person.

    The request is a shell command (--command), or on stdin the JSON that a PermissionRequest hook of Claude Code or
    Codex gets. A failure prints no verdict and exits with its own status, with or without --exit-code.

    \b
    Examples:
      codex-oauth classify --command 'git status' --json
      codex-oauth classify --exit-code < request.json
    """
    from codex_oauth.gate import PermissionRequest, classify

    asking = cast("Host | None", host)
    if shell_command is not None:
        request = PermissionRequest.from_command(shell_command, cwd=str(Path.cwd()), host=asking)
    elif sys.stdin.isatty():
        raise click.UsageError("nothing to judge: give --command TEXT, or a hook's JSON on stdin")
    else:
        request = PermissionRequest.from_hook(sys.stdin.buffer.read(), host=asking)
    codex = open_codex(where)
    with waiting("judging…"):
        verdict = call(lambda: classify(request, codex=codex, model=model, effort=effort, timeout=timeout))
    if as_json:
        to_json(verdict.to_json())
    else:
        word = styled(verdict.behavior, _COLOUR[verdict.behavior], bold=True)
        indent = len(verdict.behavior) + 2
        click.echo(f"{word}  {folded(printable(verdict.reason), indent)}")
        if verdict.deny_message:
            click.echo(" " * indent + folded(printable(verdict.deny_message), indent))
    if exit_code:
        raise click.exceptions.Exit(_STATUS[verdict.behavior])
