"""`codex-oauth profiles`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from codex_oauth.account import profiles, refusal_of
from codex_oauth.cli.output import printable, to_json
from codex_oauth.config import load_settings

if TYPE_CHECKING:
    from codex_oauth.account import Profile

__all__ = ("command",)


@click.command("profiles")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def command(as_json: bool) -> None:
    """List the accounts that have a home here.

    A call uses the first one, unless it names another with --profile. Nothing chooses between them by itself.
    """
    found = profiles(load_settings())
    if as_json:
        to_json([_described(profile) for profile in found])
        return
    rows = [
        ("profile", "pays with", "signed in", "home"),
        *(
            (
                printable(profile.name or "(none named)"),
                "an API key, billed" if profile.wallet == "apiKey" else "a ChatGPT plan",
                _signed_in(profile),
                printable(str(profile.home)),
            )
            for profile in found
        ),
    ]
    # No table of rich's: that would break a path that is longer than the line, and one that is copied has to be whole.
    name, wallet, signed_in = (max(len(row[column]) for row in rows) for column in range(3))
    for row in rows:
        click.echo(f"{row[0]:<{name}}  {row[1]:<{wallet}}  {row[2]:<{signed_in}}  {row[3]}")


def _signed_in(profile: Profile) -> str:
    if profile.sign_in is None:
        return "no"
    if refusal_of(replace(load_settings(), home=profile.home, managed=True), profile.sign_in):
        return "no longer accepted"
    return f"yes, plan {printable(profile.sign_in.plan)}" if profile.sign_in.plan else "yes"


def _described(profile: Profile) -> dict[str, object]:
    return {
        "profile": profile.name,
        "wallet": profile.wallet,
        "signed_in": profile.sign_in is not None,
        "plan": profile.sign_in and profile.sign_in.plan,
        "home": str(profile.home),
    }
