"""`codex-oauth status`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from codex_oauth.account import read_sign_in, refusal_of
from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call, printable, say, to_json, waiting
from codex_oauth.errors import AccountError

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.types import Account

__all__ = ("command",)


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@home_options
def command(as_json: bool, where: Where) -> None:
    """Say who would pay, and from which home. Makes no model request.

    Exits with 3 when no plan would pay.
    """
    codex = open_codex(where)
    account: Account | None = None
    problem: AccountError | None = None
    try:
        with waiting("asking codex…"):
            account = call(codex.account)
    except AccountError as error:
        problem = error
    report = _report(codex.settings, account, problem)
    if as_json:
        to_json(report)
    else:
        _show(report, account, managed=codex.settings.managed)
        if problem is not None:
            say(f"codex-oauth: {printable(problem.message)}")
    if problem is not None:
        raise click.exceptions.Exit(problem.exit_status)


def _report(settings: Settings, account: Account | None, problem: AccountError | None) -> dict[str, Any]:
    # After the question, which may have had the token refreshed.
    sign_in = read_sign_in(settings.home) if settings.external is None else None
    refusal = refusal_of(settings, sign_in) if sign_in is not None else None
    now = time.time()
    token = None
    if sign_in is not None and sign_in.wallet == "chatgpt":
        token = {
            "issued_at": sign_in.issued_at,
            "age_s": sign_in.issued_at and round(now - sign_in.issued_at),
            "expires_at": sign_in.expires_at,
            "expires_in_s": sign_in.expires_at and round(sign_in.expires_at - now),
            "last_refresh": sign_in.last_refresh,
        }
    return {
        "home": str(settings.home),
        "managed": settings.managed,
        "profile": settings.profile,
        "signed_in": account is not None,
        "account": account and account.kind,
        "plan": account and account.plan,
        "external": settings.external and settings.external.name,
        "token": token,
        "stale": refusal and {"reason": refusal.reason, "since": refusal.at},
        "withheld_variables": list(settings.billing_variables),
        "error": problem and {"code": problem.code, "message": problem.message},
    }


def _show(report: dict[str, Any], account: Account | None, *, managed: bool) -> None:
    profile = f"  (profile {report['profile']})" if report["profile"] else ""
    click.echo(f"home      {report['home']}{'' if managed else '  (your own)'}{profile}")
    if account is not None:
        # An address is for the person in front of the screen, not for a log that a pipe may end in.
        who = f" ({printable(account.email)})" if account.email and sys.stdout.isatty() else ""
        click.echo(f"account   {printable(account.kind)}{who}")
        click.echo(f"plan      {printable(account.plan)}" if account.plan else "plan      none: each call is billed")
    if report["external"]:
        click.echo(f"token     from {report['external']}")
    if (token := report["token"]) is not None:
        click.echo(f"token     {_token(token, stale=bool(report['stale']))}")
        if token["last_refresh"] is not None:
            click.echo(f"refresh   last {_span(time.time() - token['last_refresh'])} ago")
    if report["stale"]:
        since = _span(time.time() - report["stale"]["since"])
        click.echo(f"stale     the service refused to refresh it {since} ago: {report['stale']['reason']}")
    if report["withheld_variables"]:
        names = ", ".join(printable(name) for name in report["withheld_variables"])
        click.echo(f"withheld  {names} (could pay; not given to codex)")


def _token(token: dict[str, Any], *, stale: bool) -> str:
    if token["expires_in_s"] is None:
        return "does not say when it expires"
    age = f"{_span(token['age_s'])} old, " if token["age_s"] is not None else ""
    left = token["expires_in_s"]
    if left <= 0:
        return f"{age}expired {_span(-left)} ago" + ("" if stale else "; the next call has it refreshed")
    return f"{age}expires in {_span(left)}"


def _span(seconds: float) -> str:
    whole = max(0, round(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
