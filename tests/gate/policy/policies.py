"""What the tests of policy files share: TOML from values, repositories, and a user whose files are in one folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from codex_oauth.config import Settings, load_settings
from codex_oauth.gate.context import GitContext
from codex_oauth.gate.policy.trust import TrustedFiles
from tests.conftest import clean_environment


def toml(values: Mapping[str, Any]) -> str:
    """A TOML document with these values, which has no arrays of tables but inline ones."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return f"{{{', '.join(f'{_text(key)} = {_value(item)}' for key, item in members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, cast('list[object]', value)))}]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    # A JSON string is a TOML basic string, but that TOML wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def git(folder: Path, *arguments: str) -> str:
    """Run git there, by nobody's configuration."""
    own = {**clean_environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=own, capture_output=True, timeout=30, check=True, text=True
    )
    return done.stdout


class User:
    """A user with a configuration, a state and a repository of their own, all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            **clean_environment(),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self.repository = folder / "repository"
        self.repository.mkdir()
        git(self.repository, "init", "-q")

    @property
    def settings(self) -> Settings:
        """What this package would know about them."""
        return load_settings(environ=self.environ)

    @property
    def policy(self) -> Path:
        """Their own file."""
        return self.folder / "config" / "codex-oauth" / "gate.toml"

    @property
    def project(self) -> Path:
        """The repository's file."""
        return self.repository / ".codex-oauth" / "gate.toml"

    @property
    def context(self) -> GitContext:
        """Where a request from the repository comes from."""
        return GitContext(root=str(self.repository), branch="main", main_worktree=None)

    def trusts(self, text: str) -> None:
        """The repository's file says this, and they have looked at it."""
        write(self.project, text)
        TrustedFiles(self.settings).add(self.project, text.encode())

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        """`codex-oauth gate …` in the repository."""
        done = subprocess.run(
            [sys.executable, "-m", "codex_oauth", "gate", *arguments],
            input=stdin,
            capture_output=True,
            timeout=60,
            env=self.environ,
            cwd=self.repository,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def write(path: Path, text: str) -> Path:
    """A file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
