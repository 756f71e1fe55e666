"""A machine on which a hook has run before: there is a launch record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

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
from tests.gate.test_hook import encoded
from tests.gate.test_request import CODEX_BASH

Ran: TypeAlias = "subprocess.CompletedProcess[bytes]"
Run: TypeAlias = Callable[..., Ran]
Start: TypeAlias = Callable[..., "subprocess.Popen[bytes]"]


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


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Start:
    """A command in a process of its own that goes on, with a request on stdin."""
    (tmp_path / "payload").write_bytes(encoded(CODEX_BASH))

    def started(*words: str, **options: Any) -> subprocess.Popen[bytes]:
        given: dict[str, Any] = {"env": environ, "cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        argv = [sys.executable, "-P", "-m", "codex_oauth", *words]
        with (tmp_path / "payload").open("rb") as payload:
            process: Any = subprocess.Popen(argv, stdin=payload, **{**given, **options})
            return process

    return started
