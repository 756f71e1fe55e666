"""`codex-oauth hook`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call
from codex_oauth.errors import ConfigurationError
from codex_oauth.thin.streams import NoRequest, hold_numbers, read_request, stdout_alone, write_all, write_words

if TYPE_CHECKING:
    from codex_oauth.gate.hook import HookAnswer
    from codex_oauth.gate.policy import OnFailure
    from codex_oauth.gate.request import Host

__all__ = ("command",)


@click.command("hook")
@click.argument("host", type=click.Choice(["claude", "codex"]))
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A policy file to use instead of yours and the repository's.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["ask", "deny"]),
    help="What becomes of a request that has no verdict.  [default: what the policy says, else ask]",
)
@home_options
def command(host: str, policy: Path | None, on_failure: str | None, where: Where) -> None:
    """Answer a PermissionRequest hook of Claude Code or Codex: its JSON on stdin, its answer on stdout.

    An empty answer leaves it to the person. Exits with 0 where there is a verdict or a denial in its place, else with
    1 and an empty stdout; never with 2, which would deny on one host and do nothing on the other. What it has to say
    goes to stderr. `codex-oauth install claude` and `codex-oauth install codex` put it into the host's settings.
    """
    from codex_oauth.gate.command import finished

    # Mostly it is answered before click is imported: see `codex_oauth.cli.request`.
    if not hold_numbers():
        click.echo("codex-oauth: stdout is closed, so there is no place for an answer", err=True)
        raise click.exceptions.Exit(1)
    out = stdout_alone()
    done = finished(_answer(cast("Host", host), policy, cast("OnFailure | None", on_failure), where))
    write_words(done.stderr)
    # Last, and in one piece: Claude Code counts a decision even if what follows goes wrong.
    write_all(out, done.stdout)
    os.close(out)
    if done.status:
        raise click.exceptions.Exit(done.status)


def _answer(host: Host, policy: Path | None, on_failure: OnFailure | None, where: Where) -> HookAnswer:
    from codex_oauth.gate.failures import failure_class
    from codex_oauth.gate.hook import answer, failed

    try:
        payload = read_request()
    except NoRequest as error:
        return failed(ConfigurationError(str(error)), "input", on_failure)
    try:
        codex = open_codex(where)
        return call(lambda: answer(payload, host, codex, policy_file=policy, on_failure=on_failure))
    except click.Abort:
        raise  # interrupted, so nobody waits for an answer
    except Exception as error:  # noqa: BLE001 - a traceback would tell the host nothing, and a failure is an answer too
        return failed(error, failure_class(error), on_failure)
