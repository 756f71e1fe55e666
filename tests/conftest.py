"""What the tests share: the real binary on a prepared home, and the stand-in that it talks to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from filelock import FileLock

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.home import prepare_home
from codex_oauth.process import find_binary
from codex_oauth.testing import LoopbackChatGPT

pytest_plugins = ("codex_oauth.testing.pytest_plugin",)

WAITS = pytest.mark.parametrize("anyio_backend", ["asyncio", pytest.param("trio", marks=pytest.mark.slow)])
"""For a test that waits for seconds on purpose: on trio it is one of the slow ones."""


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that a developer may have set for codex or this package."""
    return {
        name: value
        for name, value in os.environ.items()
        # Another binary may be named, to test with it.
        if (not name.startswith(("CODEX", "OPENAI", "XDG_", "PYTHON")) or name == "CODEX_OAUTH_CODEX_BIN")
        and name not in ("COLUMNS", "LINES")  # a terminal's own size counts
        and not name.endswith("_API_KEY")
        and not name.lower().endswith("_proxy")
    }


@pytest.fixture(scope="session")
def prepared_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder (XDG_STATE_HOME) whose managed home is ready for the bundled binary: made once for all tests."""
    state = tmp_path_factory.mktemp("state")
    settings = load_settings(environ={**clean_environment(), "XDG_STATE_HOME": str(state)})
    prepare_home(settings, find_binary(settings))
    return state


@pytest.fixture
def environ(chatgpt: LoopbackChatGPT, prepared_state: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose ChatGPT is the stand-in."""
    return {
        **clean_environment(),
        **chatgpt.environment,
        "XDG_STATE_HOME": str(prepared_state),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "CODEX_OAUTH_METRICS": str(tmp_path / "metrics.jsonl"),
        # A service would outlive the test, and answer the next one. Its own tests switch it on.
        "CODEX_OAUTH_SERVICE": "off",
    }


@pytest.fixture
def signed_out(environ: dict[str, str]) -> Settings:
    """Settings on a prepared home where nobody is signed in."""
    settings = load_settings(environ=environ)
    (settings.home / "auth.json").unlink(missing_ok=True)
    return settings


@pytest.fixture
def settings(signed_out: Settings, chatgpt: LoopbackChatGPT) -> Iterator[Settings]:
    """Settings on a prepared home that is signed in with a plan."""
    chatgpt.sign_in(signed_out.home)
    yield signed_out
    (signed_out.home / "auth.json").unlink(missing_ok=True)
    shutil.rmtree(signed_out.state_dir / "gate", ignore_errors=True)


@pytest.fixture
def codex(settings: Settings) -> AsyncCodex:
    """A client whose calls have an app-server each, unless it is entered."""
    return AsyncCodex(settings=settings)


@pytest.fixture
def fresh_settings(settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> Settings:
    """Settings on a home that does not exist but for its sign-in."""
    fresh = replace(settings, state_dir=tmp_path / "codex-oauth", home=tmp_path / "codex-oauth" / "codex-home")
    chatgpt.sign_in(fresh.home)
    return fresh


@pytest.fixture
def login_port() -> Iterator[None]:
    """The port that codex listens on for a browser's sign-in (1455), for one test of this machine at a time."""
    with FileLock(Path(tempfile.gettempdir()) / "codex-oauth-tests-login-port.lock"):
        yield


class RunCLI(Protocol):
    """Runs the command line in a process of its own."""

    def __call__(
        self, *arguments: str, stdin: str | bytes = b"", timeout: float = 30.0
    ) -> subprocess.CompletedProcess[bytes]: ...


@pytest.fixture
def run_cli(environ: dict[str, str], settings: Settings, tmp_path: Path) -> RunCLI:
    """`python -m codex_oauth …` for a signed-in user, in an empty folder."""
    folder = tmp_path / "somewhere"
    folder.mkdir()

    def run(*arguments: str, stdin: str | bytes = b"", timeout: float = 30.0) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "codex_oauth", *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=timeout,
            env=environ,
            cwd=folder,
            check=False,
        )

    return run


@pytest.fixture
def processes_of(settings: Settings) -> Callable[[], list[int]]:
    """The ids of the processes that run on this test's home."""
    needle = f"CODEX_HOME={settings.home}".encode()

    def find() -> list[int]:
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if needle in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    return find
