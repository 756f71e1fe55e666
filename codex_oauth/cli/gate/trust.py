"""`codex-oauth gate trust`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codex_oauth.cli.gate.shown import repository_here, show_file, show_loosened
from codex_oauth.cli.output import printable, say, to_json
from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.gate.policy.trust import TrustedFiles

__all__ = ("command",)


@click.command("trust")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--revoke", is_flag=True, help="Trust it no longer.")
@click.option("--list", "listing", is_flag=True, help="List what is trusted.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print one JSON value.")
def command(file: Path | None, yes: bool, revoke: bool, listing: bool, as_json: bool) -> None:
    """Let a repository's policy file count, as it is now: by default, that of the repository you are in.

    Shows what the file says, first what it loosens, and asks. Each change of its content makes it one that nobody
    trusts.
    """
    from codex_oauth.gate.policy.trust import TrustedFiles

    if listing + revoke + yes > 1 or (listing and file is not None):
        raise click.UsageError("--list, --revoke and --yes exclude each other, and --list takes no FILE")
    if as_json and not listing:
        raise click.UsageError("--json goes with --list")
    trusted = TrustedFiles(load_settings())
    if listing:
        _list(trusted, as_json=as_json)
        return
    path = file if file is not None else _own(missing_ok=revoke)
    if revoke:
        if trusted.remove(path):
            click.echo(f"no longer trusted  {printable(str(path))}")
        else:
            say(f"nothing was trusted in {printable(str(path))}")
        return
    _trust(path, trusted, yes=yes)


def _own(*, missing_ok: bool) -> Path:
    from codex_oauth.gate.policy.repository import policy_path

    repository = repository_here()
    if repository is None:
        raise ConfigurationError("this folder is in no git repository; name the FILE")
    path = policy_path(repository.root)
    if not os.path.lexists(path) and not missing_ok:
        raise ConfigurationError("this repository has no policy file: codex-oauth gate init --project")
    return path


def _trust(path: Path, trusted: TrustedFiles, *, yes: bool) -> None:
    from codex_oauth.gate.policy.file import parse_policy
    from codex_oauth.gate.policy.layers import loosened_by
    from codex_oauth.gate.policy.repository import PROJECT_FILE, PROJECT_FOLDER, read_content

    path = path.absolute()
    if path.is_symlink() or path.parent.is_symlink():
        raise ConfigurationError(f"{path}: behind a symbolic link, where no policy file ever counts; name its target")
    try:
        content = read_content(path, follow=False).data
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    read, problems = parse_policy(content)
    if problems:
        for problem in problems:
            say(f"codex-oauth: {printable(problem.at(path))}")
        raise click.exceptions.Exit(2)
    if trusted.trusts(path, content):
        say(f"trusted already, as it is: {printable(str(path))}")
        return
    before = trusted.of(path)
    changed = f"\nIt has changed since you trusted it ({before.since})." if before else ""
    click.echo(f"{printable(str(path))}{changed}")
    show_loosened(loosened_by(load_settings(), read))
    show_file(read)
    click.echo()
    if not yes:
        if not sys.stdin.isatty():
            again = shlex.join(["codex-oauth", "gate", "trust", str(path), "--yes"])
            raise ConfigurationError(f"nothing was trusted, since there is nobody to ask. To trust it: {again}")
        if not click.confirm("Let it count, as it is now?", err=True):
            say("nothing was changed")
            raise click.exceptions.Exit(1)
    # What was shown, whatever the file has become meanwhile.
    entry = trusted.add(path, content)
    click.echo(f"trusted  {printable(str(path))}  (sha256 {entry.sha256[:12]})")
    if path.parts[-2:] != (PROJECT_FOLDER, PROJECT_FILE):
        say(f"note: only a {PROJECT_FOLDER}/{PROJECT_FILE} at the root of a work tree is ever looked for")


def _list(trusted: TrustedFiles, *, as_json: bool) -> None:
    from codex_oauth.gate.policy.repository import read_content
    from codex_oauth.gate.policy.trust import content_hash

    rows: list[dict[str, str]] = []
    for path, entry in sorted(trusted.all().items()):
        try:
            same = content_hash(read_content(path, follow=False).data) == entry.sha256
            state = "unchanged" if same else "changed"
        except OSError:
            state = "gone"
        rows.append({"path": path, "state": state, "since": entry.since, "sha256": entry.sha256})
    if as_json:
        to_json(rows)
    elif not rows:
        say("nothing is trusted")
    for row in [] if as_json else rows:
        click.echo(f"{row['state']:<9}  {printable(row['since']):<20}  {printable(row['path'])}")
