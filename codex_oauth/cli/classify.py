"""`codex-oauth classify`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from codex_oauth.cli.judging import Asked, permission_request, request_options
from codex_oauth.cli.options import Where, call_options, open_codex
from codex_oauth.cli.output import call, folded, printable, say, styled, to_json, waiting

__all__ = ("command",)

_STATUS: Final = {"allow": 0, "deny": 10, "ask": 11}
_COLOUR: Final = {"allow": "green", "deny": "red", "ask": "yellow"}


@click.command("classify")
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@click.option("--exit-code", is_flag=True, help="Exit with 0 for allow, 10 for deny, 11 for ask.")
@call_options
def command(
    asked: Asked,
    policy: Path | None,
    as_json: bool,
    exit_code: bool,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    where: Where,
) -> None:
    """Judge a permission request of a coding agent: allow, deny, or ask the person.

    The request is a shell command (--command), or on stdin the JSON that a PermissionRequest hook of Claude Code or
    Codex gets. It is judged by the policy of its folder: the built-in rules, then the gate.toml of yours and of the
    repository. A failure prints no verdict and exits with its own status, with or without --exit-code.

    \b
    Examples:
      codex-oauth classify --command 'git status' --json
      codex-oauth classify --exit-code < request.json
    """
    from codex_oauth.gate import classify
    from codex_oauth.gate.situation import situation_of

    request = permission_request(asked)
    codex = open_codex(where)
    situation = situation_of(request, codex.settings, policy_file=policy)
    for note in situation.notes:
        say(f"codex-oauth: {note}")
    with waiting("judging…"):
        verdict = call(
            lambda: classify(
                request,
                policy=situation.policy,
                codex=codex,
                context=situation.context,
                model=model,
                effort=effort,
                timeout=timeout,
            )
        )
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
