"""`codex-oauth gate init`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from codex_oauth.cli.gate.shown import repository_here
from codex_oauth.cli.output import printable
from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError

__all__ = ("command",)

_EXCLUDE = """echo '/.codex-oauth/' >> "$(git rev-parse --git-path info/exclude)\""""


@click.command("init")
@click.option("--user", is_flag=True, help="Your own file, for all repositories (the default).")
@click.option("--project", is_flag=True, help="The file of the repository that you are in.")
@click.option("--force", is_flag=True, help="Write a new one although there is one; that one is kept as gate.toml.bak.")
def command(user: bool, project: bool, force: bool) -> None:
    """Write a policy file to begin with: every key and every built-in rule, as comments.

    As it is written it changes nothing. A file that is there is left alone, unless --force is given.
    """
    from codex_oauth.gate.policy.layers import user_policy_path
    from codex_oauth.gate.policy.repository import policy_path
    from codex_oauth.gate.policy.template import policy_template

    if user and project:
        raise click.UsageError("--user and --project exclude each other; call it twice to have both files")
    if project:
        repository = repository_here()
        if repository is None:
            raise ConfigurationError("this folder is in no git repository; without --project, the file is your own")
        path = policy_path(repository.root)
    else:
        path = user_policy_path(load_settings())
    try:
        kept = _write(path, policy_template(project=project), mode=0o644 if project else 0o600, force=force)
    except FileExistsError:
        raise ConfigurationError(
            f"{path}: there is one already. codex-oauth gate check shows what it says; --force writes a new one, and "
            "keeps this one beside it"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
    click.echo(f"written  {printable(str(path))}")
    if kept:
        click.echo(f"kept     {printable(str(kept))}")
    if project:
        click.echo("\nUntil you trust it, it can make a policy stricter and no looser: codex-oauth gate trust.")
        click.echo("To keep it out of version control, where it would not count at all until then:")
        click.echo(f"  {_EXCLUDE}")
    click.echo("\nIt says nothing yet. Edit it, then see what counts:")
    click.echo("  codex-oauth gate check")


def _write(path: Path, text: str, *, mode: int, force: bool) -> Path | None:
    """Write a file that is not there; the one that is there is moved aside first, where that was asked for."""
    if path.parent.is_symlink() and mode & 0o044:
        raise ConfigurationError(f"{path.parent}: a symbolic link, and what is behind one never counts")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if mode & 0o044 else 0o700)
    except FileExistsError:
        raise ConfigurationError(
            f"{path.parent}: in the place of the folder that the policy file would be in"
        ) from None
    kept = None
    # A link that leads nowhere is there too.
    if os.path.lexists(path):
        if not force or path.is_dir():
            raise FileExistsError
        kept = _free(path)
        path.rename(kept)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError:
        if kept is not None:
            kept.replace(path)
        raise
    return kept


def _free(path: Path) -> Path:
    name = path.with_name(f"{path.name}.bak")
    number = 1
    while os.path.lexists(name):
        number += 1
        name = path.with_name(f"{path.name}.bak{number}")
    return name
