"""`codex-oauth logout`."""

from __future__ import annotations

import click

from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call, say, to_json, waiting

__all__ = ("command",)


@click.command("logout")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@home_options
def command(as_json: bool, where: Where) -> None:
    """Sign out of this package's home. Your own codex, and other profiles, stay signed in."""
    codex = open_codex(where)
    # One that this package cannot read, codex may.
    was = (codex.settings.home / "auth.json").exists()
    mistyped = codex.settings.profile is not None and not codex.settings.home.parent.is_dir()
    if was or mistyped or codex.settings.external is not None or not codex.settings.managed:
        with waiting("signing out…"):
            call(codex.logout)
    if as_json:
        to_json({"signed_out": was, "home": str(codex.settings.home)})
    elif was:
        click.echo(f"signed out  {codex.settings.home}")
    else:
        say(f"nobody was signed in in {codex.settings.home}")
