"""A machine on which a hook has run before: there is a launch record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest

from codex_oauth.cold.record import remember
from codex_oauth.config import Settings
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.prompt import instructions
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.session.request import TurnRequest
from codex_oauth.thin.greeting import thread_path
from codex_oauth.thin.key import key_of
from codex_oauth.thin.place import launch_path, state_dir

Ran: TypeAlias = "subprocess.CompletedProcess[bytes]"
Run: TypeAlias = Callable[..., Ran]


@pytest.fixture
def record(environ: dict[str, str], settings: Settings) -> Path:
    """The launch record of a hook of Codex, by the built-in rules."""
    path = launch_path(state_dir(environ) or "", key_of(environ, {}))
    request = PermissionRequest.from_command("git status", cwd="/", host="codex")
    turn = TurnRequest(text="", instructions=instructions(BUILTIN_POLICY, request))
    anyio.run(remember, settings, path, thread_path(path), None, turn)
    assert Path(path).is_file()
    return Path(path)


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    """A command in a process of its own; `python` are options of the interpreter."""

    def ran(*words: str, stdin: bytes = b"", python: tuple[str, ...] = (), timeout: float = 30) -> Ran:
        return subprocess.run(
            [sys.executable, *python, "-m", "codex_oauth", *words],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env=environ,
            cwd=tmp_path,
            check=False,
        )

    return ran
