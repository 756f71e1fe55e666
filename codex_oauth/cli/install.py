"""`codex-oauth install`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.host_settings import (
    agree_to,
    here,
    row,
    scope_of,
    settings_file,
    verdict_seconds,
    warn_of,
    write,
    writing_options,
)
from codex_oauth.cli.output import say
from codex_oauth.config import environment, host_homes, load_settings
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.config import HostHomes, Settings
    from codex_oauth.hosts import Host, Wanted

__all__ = ("command",)

_MARGIN: Final = 30
"""Seconds that a host waits longer than a verdict may take: for the start, and for whatever is slow besides."""

_NOT_CARRIED: Final = ("CODEX_OAUTH_CONFIG", "CODEX_OAUTH_CREDENTIAL", "CODEX_OAUTH_TOKEN")
"""What has no option. These variables decide who pays and by which settings, and the host may not have them."""


@click.command("install")
@click.option(
    "--trust/--no-trust", default=None, help="Codex: whether it is to trust the hook.  [default: ask on a terminal]"
)
@writing_options
@click.option(
    "--timeout",
    type=click.IntRange(1, 86_400),
    metavar="SECONDS",
    help="How long the host waits for the hook.  [default: 30 more than a verdict may take]",
)
@click.option("--on-failure", type=click.Choice(["ask", "deny"]), help="Carried into the hook.")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Carried into the hook: a policy file to use instead of yours and the repository's.",
)
@click.option(
    "--codex-bin",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Carried into the hook: the codex binary that judges.  [env: CODEX_OAUTH_CODEX_BIN]",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="Carried into the hook: another place for the managed CODEX_HOME.  [env: CODEX_OAUTH_HOME]",
)
@click.option("--profile", metavar="NAME", help="Carried into the hook: another account.")
def command(
    host: Host,
    profile: str | None,
    home: Path | None,
    codex_bin: Path | None,
    policy: Path | None,
    on_failure: str | None,
    timeout: int | None,
    project: bool,
    local: bool,
    yes: bool,
    dry_run: bool,
    trust: bool | None,
) -> None:
    """Put the permission hook into the settings of Claude Code or Codex.

    Shows what would change and asks; keeps a copy of the file beside it. A second time it changes nothing, or brings
    the hook up to date. Codex runs a hook only once it is trusted: that is asked for too, and looked at afterwards.

    \b
    Examples:
      codex-oauth install claude
      codex-oauth install claude --local --policy strict.toml
      codex-oauth install codex --yes --trust
    """
    from codex_oauth.cli.hook_trust import OTHERS_MOVE, follow_moves, make_trusted, seen_before
    from codex_oauth.hosts import HookOptions, Wanted, hook_command, look_at_claude, look_at_codex, with_hook

    scope = scope_of(host, project=project, local=local)
    if host == "claude" and trust is not None:
        raise click.UsageError("--trust and --no-trust are Codex's; Claude Code knows no such thing")
    settings = load_settings(home=home, profile=profile, codex_bin=codex_bin)
    home, codex_bin = _named_by_environment(settings, home, codex_bin)
    options = HookOptions(home=home, profile=profile, codex_bin=codex_bin, policy=policy, on_failure=on_failure)
    seconds = verdict_seconds(settings, host, policy)
    wanted = Wanted(host=host, command=hook_command(host, options), timeout=timeout or math.ceil(seconds) + _MARGIN)
    homes = host_homes()
    if host == "codex":
        _refuse_a_second_one(homes, wanted)
    file = settings_file(host, homes, scope)
    change = with_hook(file, wanted)
    moving = host == "codex" and change.shifts
    before = None
    if change.what == "none":
        row("installed", f"{file.path} has the hook already")
    else:
        agree_to(file, change.text, yes=yes, dry_run=dry_run, warning=OTHERS_MOVE if moving else None)
        before = seen_before(settings, file) if moving else None
        write(file, change.text)
    if dry_run:
        return
    if host == "claude":
        if change.what != "none":
            row("installed", "Claude Code runs it from its next start on")
        if scope == "project":
            say("note: whoever else works on this repository gets this command too, with the paths of this machine")
        warn_of(look_at_claude(homes.claude, here(), timeout=seconds))
        return
    others_run = follow_moves(settings, file, before, trust=trust) and not (moving and before is None)
    listing = make_trusted(settings, file, trust=trust)
    warn_of(look_at_codex(homes.codex, lambda: listing, timeout=seconds))
    if not others_run:
        raise click.exceptions.Exit(1)


def _named_by_environment(
    settings: Settings, home: Path | None, codex_bin: Path | None
) -> tuple[Path | None, Path | None]:
    """The home and the binary, also where a variable names them: the hook may not see that variable."""
    environ = environment()
    if home is None and settings.profile is None and environ.get("CODEX_OAUTH_HOME"):
        home = settings.home
    if codex_bin is None and environ.get("CODEX_OAUTH_CODEX_BIN"):
        codex_bin = settings.codex_bin
    unseen = [name for name in _NOT_CARRIED if environ.get(name)]
    if unseen:
        say(f"codex-oauth: {', '.join(unseen)}: set here, but the host runs the hook with variables of its own")
    return home, codex_bin


def _refuse_a_second_one(homes: HostHomes, wanted: Wanted) -> None:
    from codex_oauth.hosts import codex_config, hand_written

    written = hand_written(codex_config(homes.codex))
    if written:
        raise ConfigurationError(
            f"{homes.codex / 'config.toml'}: somebody has put the hook there by hand: {written[0]}. Take it out, or "
            f"change it there: with a second one in hooks.json, each request would be judged twice. It would be: "
            f"{wanted.command}"
        )
