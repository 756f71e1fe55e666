"""What `install` and `uninstall` share: a host's settings file, shown, asked about and written."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.output import printable, say, styled
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.config import HostHomes, Settings
    from codex_oauth.hosts import Host, Report, Scope, SettingsFile

__all__ = (
    "HOST_NAMES",
    "agree_to",
    "asked",
    "here",
    "on_terminal",
    "row",
    "scope_of",
    "settings_file",
    "take_away",
    "verdict_seconds",
    "warn_of",
    "write",
    "writing_options",
)

HOST_NAMES: Final = {"claude": "Claude Code", "codex": "Codex"}
_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


def writing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which settings, and how they are written: the options that `install` and `uninstall` have in common."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing."),
        click.option("-y", "--yes", is_flag=True, help="Write without asking."),
        click.option("--local", is_flag=True, help="Claude Code: your own settings for this repository."),
        click.option("--project", is_flag=True, help="Claude Code: this repository's settings, which others share."),
    ):
        command = option(command)
    return click.argument("host", type=click.Choice(["claude", "codex"]))(command)


def scope_of(host: Host, *, project: bool, local: bool) -> Scope:
    """Whose settings the options name."""
    if project and local:
        raise click.UsageError("one of --project and --local, please")
    if (project or local) and host == "codex":
        raise click.UsageError("--project and --local are Claude Code's; Codex's hooks are put into your own settings")
    return "project" if project else "local" if local else "user"


def settings_file(host: Host, homes: HostHomes, scope: Scope) -> SettingsFile:
    """The host's settings file, read.

    Raises:
        ConfigurationError: It cannot be read, or is not what the host takes.
    """
    from codex_oauth.hosts import claude_settings, codex_hooks_file, read_settings

    path = claude_settings(homes.claude, here(), scope) if host == "claude" else codex_hooks_file(homes.codex)
    return read_settings(path)


def here() -> Path:
    """The folder that the command was given in; the root where that is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path(Path.home().anchor)


def verdict_seconds(settings: Settings, host: Host, policy: Path | None) -> float:
    """How long a verdict may take, by the policy.

    Raises:
        ConfigurationError: The policy is wrong.
    """
    from codex_oauth.gate.policy.layers import load_policy

    timeout = load_policy(settings, host=host, mode=None, git=None, file=policy).policy.timeout
    return settings.timeout if timeout is None else timeout


def warn_of(report: Report) -> None:
    """Say what keeps an installed hook from deciding."""
    for obstacle in report.obstacles:
        say(f"note: {printable(obstacle.finding)}")
        for detail in obstacle.details:
            say(f"  - {printable(detail)}")
        say(f"  → {printable(obstacle.mend)}")


def on_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def asked(question: str) -> bool:
    """Whether a person says yes; False where there is nobody."""
    return on_terminal() and click.confirm(question, default=False, err=True)


def row(name: str, text: object) -> None:
    """One line of what was done."""
    click.echo(f"{name:<9}  {printable(str(text))}")


def agree_to(file: SettingsFile, text: str, *, yes: bool, dry_run: bool, warning: str | None = None) -> None:
    """Show what would change, and go on only if it is to be written.

    Args:
        file: The settings.
        text: What would be in their place.
        yes: Whether it is written without asking.
        dry_run: Whether it is only to be shown.
        warning: What else would follow from it.

    Raises:
        ConfigurationError: Nobody can be asked.
        click.exceptions.Exit: It is not to be written.
    """
    from codex_oauth.hosts import difference

    for number, line in enumerate(difference(file, text)):
        # The first two lines name the files.
        colour = _COLOURS.get(line[:1]) if number > 1 else None
        click.echo(styled(printable(line), colour) if colour else printable(line))
    if warning is not None:
        say(warning)
    if dry_run:
        say("nothing was written (--dry-run)")
        raise click.exceptions.Exit(0)
    if not yes:
        if not on_terminal():
            again = shlex.join(["codex-oauth", *sys.argv[1:], "--yes"])
            raise ConfigurationError(f"nothing was written, since there is nobody to ask. To write it: {again}")
        if not asked("Write this?"):
            say("nothing was written")
            raise click.exceptions.Exit(1)


def write(file: SettingsFile, text: str) -> None:
    """Write the settings, and say where they and the copy of the old ones are.

    Raises:
        ConfigurationError: They cannot be written, or somebody has changed them meanwhile.
    """
    from codex_oauth.hosts import write_settings

    backup = write_settings(file, text)
    row("wrote", file.path)
    if backup is not None:
        row("backup", backup)


def take_away(file: SettingsFile) -> None:
    """Take a settings file away in which nothing is left, and say so.

    Raises:
        ConfigurationError: It cannot be taken away, or somebody has changed it meanwhile.
    """
    from codex_oauth.hosts import remove_settings

    remove_settings(file)
    row("deleted", f"{file.path}, which came with the hook")
