"""`codex-oauth uninstall`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from codex_oauth.cli.host_settings import (
    HOST_NAMES,
    agree_to,
    here,
    row,
    scope_of,
    settings_file,
    take_away,
    write,
    writing_options,
)
from codex_oauth.cli.output import printable, say
from codex_oauth.config import host_homes, load_settings

if TYPE_CHECKING:
    from codex_oauth.config import HostHomes
    from codex_oauth.hosts import Host, SettingsFile

__all__ = ("command",)


@click.command("uninstall")
@click.option(
    "--trust/--no-trust",
    default=None,
    help="Codex: whether other hooks that move up stay trusted.  [default: ask on a terminal]",
)
@writing_options
def command(host: Host, project: bool, local: bool, yes: bool, dry_run: bool, trust: bool | None) -> None:
    """Take the permission hook out of the settings of Claude Code or Codex.

    Shows what would change and asks; keeps a copy of the file beside it, or takes the file away where it came with the
    hook. Other hooks stay. Codex forgets that it
    trusted the hook. It trusts each hook at its place: where others move up, that is said, and put right if you agree.

    \b
    Examples:
      codex-oauth uninstall claude
      codex-oauth uninstall codex --yes --trust
    """
    from codex_oauth.cli.hook_trust import OTHERS_MOVE, follow_moves, seen_before
    from codex_oauth.hosts import without_hook

    scope = scope_of(host, project=project, local=local)
    if host == "claude" and trust is not None:
        raise click.UsageError("--trust and --no-trust are Codex's; Claude Code knows no such thing")
    homes = host_homes()
    file = settings_file(host, homes, scope)
    change = without_hook(file, host)
    for line in change.wrapped:
        say(f"{printable(str(file.path))}: left alone, since it is a command line of your own: {printable(line)}")
    if change.what == "none":
        row("nothing", f"{HOST_NAMES[host]} has no hook of this package in {file.path}")
        _say_elsewhere(host, homes, file)
        return
    settings = load_settings()
    moving = host == "codex" and change.shifts
    text = "" if _made_by_install(file, change.text, host) else change.text
    agree_to(file, text, yes=yes, dry_run=dry_run, warning=OTHERS_MOVE if moving else None)
    before = seen_before(settings, file) if host == "codex" else None
    if text:
        write(file, text)
    else:
        take_away(file)
    row("removed", f"{HOST_NAMES[host]} has the hook no longer; start it anew where it runs already")
    # Where Codex could not be asked, nobody knows what it will make of those that move.
    others_run = follow_moves(settings, file, before, trust=trust) and not (moving and before is None)
    _say_elsewhere(host, homes, file)
    if not others_run:
        raise click.exceptions.Exit(1)


def _made_by_install(file: SettingsFile, text: str, host: Host) -> bool:
    """Whether the file came with the hook, and nothing would be left in it."""
    from codex_oauth.errors import ConfigurationError
    from codex_oauth.hosts import backup_of, read_settings, without_hook

    if json.loads(text) != {} or file.path.is_symlink():
        return False
    try:
        first = read_settings(backup_of(file))
        # A copy that has the hook in it is of no time before the hook.
        return first.raw is None or json.loads(without_hook(first, host).text) == {} != first.value
    except (ConfigurationError, ValueError):
        return False


def _say_elsewhere(host: Host, homes: HostHomes, file: SettingsFile) -> None:
    from codex_oauth.hosts import codex_config, hand_written, look_at_claude

    if host == "codex":
        places = [homes.codex / "config.toml"] if hand_written(codex_config(homes.codex)) else []
    else:
        places = [
            path for path in look_at_claude(homes.claude, here(), timeout=lambda _: 0).installed if path != file.path
        ]
    for path in places:
        say(f"it is still in {printable(str(path))}")
