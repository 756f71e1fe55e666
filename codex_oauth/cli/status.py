"""`codex-oauth status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from codex_oauth.cli.options import home_options, open_codex
from codex_oauth.cli.output import call, say, to_json, waiting
from codex_oauth.errors import AccountError, CodexOAuthError

__all__ = ("command",)


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@home_options
def command(as_json: bool, home: Path | None, codex_home: Path | None, codex_bin: Path | None) -> None:
    """Say who would pay for a call, and from which home. Exits with 3 when nobody's plan would."""
    import sys

    codex = open_codex(home, codex_home, codex_bin)
    settings = codex.settings
    report: dict[str, Any] = {
        "home": str(settings.home),
        "managed": settings.managed,
        "signed_in": False,
        "account": None,
        "plan": None,
        "withheld_variables": list(settings.billing_variables),
        "error": None,
    }
    problem: CodexOAuthError | None = None
    email: str | None = None
    try:
        with waiting("asking codex…"):
            account = call(codex.account)
        report |= {"signed_in": True, "account": account.kind, "plan": account.plan}
        email = account.email
    except AccountError as error:
        problem = error
        report["error"] = {"code": error.code, "message": error.message}
    if as_json:
        to_json(report)
    else:
        # An address is for the person in front of the screen, not for a log that a pipe may end in.
        who = f" ({email})" if email and sys.stdout.isatty() else ""
        click.echo(f"home      {settings.home}{'' if settings.managed else '  (your own)'}")
        if problem is None:
            click.echo(f"account   {report['account']}{who}")
            click.echo(f"plan      {report['plan']}")
        if settings.billing_variables:
            click.echo(
                f"withheld  {', '.join(settings.billing_variables)} (set here; the app-server does not get them)"
            )
    if problem is not None:
        if not as_json:
            say(f"codex-oauth: {problem.message}")
        raise click.exceptions.Exit(problem.exit_status)
