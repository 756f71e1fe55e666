"""`codex-oauth install`."""

from __future__ import annotations

from dataclasses import replace
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
    from codex_oauth.hosts import Change, HookListing, HookOptions, Host, Scope, SettingsFile, Wanted

__all__ = ("command",)

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
@click.option("--reset", is_flag=True, help="Begin anew: keep nothing that the installed hook carries.")
@click.option(
    "--command",
    "program",
    metavar="TEXT",
    help="What starts the hook where others share the file, such as: codex-oauth.  [default: this installation's path]",
)
@click.option(
    "--on-failure",
    type=click.Choice(["ask", "deny"]),
    help="What the hook does without a verdict, a broken policy included: ask (default) or deny.",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The policy file that the hook uses instead of yours and the repository's.",
)
@click.option(
    "--codex-bin",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The codex binary that the hook calls.  [env: CODEX_OAUTH_CODEX_BIN]",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="Another place for the managed CODEX_HOME that the hook uses.  [env: CODEX_OAUTH_HOME]",
)
@click.option("--profile", metavar="NAME", help="Another account, which the hook's calls are made with.")
def command(
    host: Host,
    profile: str | None,
    home: Path | None,
    codex_bin: Path | None,
    policy: Path | None,
    on_failure: str | None,
    program: str | None,
    reset: bool,
    timeout: int | None,
    project: bool,
    local: bool,
    yes: bool,
    dry_run: bool,
    trust: bool | None,
) -> None:
    """Put the permission hook into the settings of Claude Code or Codex.

    Shows what would change and asks; keeps a copy of the file beside it. A second time it changes nothing, or brings
    the hook up to date: what the hook carries stays, unless another value is given here. Codex runs a hook only once
    it is trusted: that is asked for too, and looked at afterwards.

    \b
    Examples:
      codex-oauth install claude
      codex-oauth install claude --local --policy strict.toml
      codex-oauth install codex --yes --trust
    """
    from codex_oauth.cli.hook_account import hook_settings
    from codex_oauth.cli.reinstall import Installed, installed_hook, merged, patience, say_what_is_kept
    from codex_oauth.hosts import (
        HookOptions,
        Wanted,
        hook_command,
        look_at_claude,
        option_words,
        with_hook,
        with_program,
    )

    scope = scope_of(host, project=project, local=local)
    if host == "claude" and trust is not None:
        raise click.UsageError("--trust and --no-trust are Codex's; Claude Code knows no such thing")
    _refuse_outside_a_repository(scope)
    homes = host_homes()
    file = settings_file(host, homes, scope)
    installed = installed_hook(file, host)
    before = Installed(options=HookOptions()) if installed is None or reset else installed
    given = HookOptions(home=home, profile=profile, codex_bin=codex_bin, policy=policy, on_failure=on_failure)
    # Two homes on one command line are refused, and not one of them dropped.
    load_settings(home=home, profile=profile)
    options = merged(before.options, given)
    settings = hook_settings(options)
    options = _with_the_environment(settings, options)
    start = before.program if program is None else with_program(program, host)
    seconds = _verdict_seconds(settings, host, options, carried=policy is None)
    waits = patience(timeout, seconds, None if reset else installed)
    wanted = Wanted(host=host, command=hook_command(host, options, program=start), timeout=waits)
    if host == "codex":
        _refuse_a_second_one(homes, wanted)
    change = with_hook(file, wanted)
    if installed is not None:
        say_what_is_kept(installed, options, start, waits)
    seen = _put(settings, file, change, host, yes=yes, dry_run=dry_run)
    if dry_run:
        return
    try:
        if host == "codex":
            _have_codex_trust(settings, file, change, seen, seconds, trust=trust)
            return
        if change.what != "none":
            row("installed", "Claude Code runs it from its next start on")
        if scope == "project" and (start is None or option_words(options)):
            say("note: whoever else works on this repository gets this command too, with the paths of this machine")
        warn_of(look_at_claude(homes.claude, here(), timeout=lambda _: seconds))
    finally:
        _note_the_account(settings)


def _put(
    settings: Settings, file: SettingsFile, change: Change, host: Host, *, yes: bool, dry_run: bool
) -> HookListing | None:
    """Write the settings, if they change and that is wanted; what Codex saw before, where others move up."""
    from codex_oauth.cli.hook_trust import OTHERS_MOVE, seen_before

    if change.what == "none":
        row("installed", f"{file.path} has the hook already")
        return None
    moving = host == "codex" and change.shifts
    agree_to(file, change.text, yes=yes, dry_run=dry_run, warning=OTHERS_MOVE if moving else None)
    before = seen_before(settings, file) if moving else None
    write(file, change.text)
    return before


def _have_codex_trust(
    settings: Settings,
    file: SettingsFile,
    change: Change,
    before: HookListing | None,
    seconds: float,
    *,
    trust: bool | None,
) -> None:
    from codex_oauth.cli.hook_trust import follow_moves, make_trusted
    from codex_oauth.hosts import look_at_codex

    others_run = follow_moves(settings, file, before, trust=trust) and not (change.shifts and before is None)
    listing = make_trusted(settings, file, trust=trust)
    warn_of(look_at_codex(file.path.parent, lambda: listing, timeout=lambda _: seconds))
    if not others_run:
        raise click.exceptions.Exit(1)


def _note_the_account(settings: Settings) -> None:
    from codex_oauth.cli.hook_account import lacking_sign_in

    lacking = lacking_sign_in(settings)
    if lacking is not None:
        row("note", f"the hook cannot judge yet: {lacking[0]}: {lacking[1]}")


def _refuse_outside_a_repository(scope: Scope) -> None:
    from codex_oauth.hosts import repository_of

    if scope != "user" and repository_of(here()) is None:
        raise ConfigurationError(f"this folder is in no git repository; without --{scope}, the settings are your own")


def _verdict_seconds(settings: Settings, host: Host, options: HookOptions, *, carried: bool) -> float:
    try:
        return verdict_seconds(settings, host, options.policy)
    except ConfigurationError as error:
        if options.policy is None or not carried:
            raise
        said = f"{error.message}. The hook carries this file: mend it, or give another --policy, or --reset"
        raise ConfigurationError(said) from None


def _with_the_environment(settings: Settings, options: HookOptions) -> HookOptions:
    """The home and the binary, also where a variable names them: the hook may not see that variable."""
    environ = environment()
    if settings.managed and settings.profile is None and options.home is None and environ.get("CODEX_OAUTH_HOME"):
        options = replace(options, home=settings.home)
    if options.codex_bin is None and environ.get("CODEX_OAUTH_CODEX_BIN"):
        options = replace(options, codex_bin=settings.codex_bin)
    unseen = [name for name in _NOT_CARRIED if environ.get(name)]
    if unseen:
        say(f"codex-oauth: {', '.join(unseen)}: set here, but the host runs the hook with variables of its own")
    return options


def _refuse_a_second_one(homes: HostHomes, wanted: Wanted) -> None:
    from codex_oauth.hosts import codex_config, hand_written

    written = hand_written(codex_config(homes.codex))
    if written:
        raise ConfigurationError(
            f"{homes.codex / 'config.toml'}: somebody has put the hook there by hand: {written[0]}. Take it out, or "
            f"change it there: with a second one in hooks.json, each request would be judged twice. It would be: "
            f"{wanted.command}"
        )
