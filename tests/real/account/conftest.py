"""What the tests of the account share: one event loop, the command line as a process, and what a home holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.home import ready_home
from codex_oauth.process import find_binary
from codex_oauth.testing import LoopbackChatGPT
from tests.chromium import chromium
from tests.real.account.people import Kept, Way
from tests.real.account.vault import Fleet, Vault

__all__ = ["chromium"]


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: what differs between the two is tested where it costs less."""
    return "asyncio"


@pytest.fixture
def version(settings: Settings) -> tuple[int, ...]:
    """The binary's: some of what it does to the service is its own version's."""
    home = ready_home(settings, find_binary(settings))
    assert home is not None
    assert home.version is not None
    return tuple(int(part) for part in home.version.split("-")[0].split("."))


class Start(Protocol):
    """Starts a command and leaves it running."""

    def __call__(self, *arguments: str, **variables: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """`python …`, with more variables where they are given. What still runs at the end of the test is killed."""
    plain = {name: value for name, value in environ.items() if name != "PYTHONDEVMODE"}
    with ExitStack() as running:

        def start_one(*arguments: str, **variables: str) -> subprocess.Popen[str]:
            program = running.enter_context(
                subprocess.Popen(
                    [sys.executable, *arguments],
                    env={**plain, **variables},
                    cwd=tmp_path,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            running.callback(program.kill)
            return program

        yield start_one


@pytest.fixture(params=["browser", "device"])
def way(request: pytest.FixtureRequest) -> Way:
    """Both ways to sign in with a plan."""
    if request.param == "browser":
        request.getfixturevalue("login_port")
    return request.param


@pytest.fixture
def kept(codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT) -> Kept:
    """Somebody who is signed in, and another person at the browser."""
    chatgpt.sign_in(settings.home, plan="pro", account_id="acc_before")
    return Kept(codex, chatgpt, (settings.home / "auth.json").read_bytes())


@pytest.fixture
def vault(chatgpt: LoopbackChatGPT, tmp_path: Path) -> Vault:
    """Where a fleet gets its tokens."""
    return Vault(chatgpt, tmp_path)


@pytest.fixture
def fleet(environ: dict[str, str], vault: Vault, tmp_path: Path) -> Fleet:
    """Clients of such a fleet."""
    return Fleet(environ, vault, tmp_path / "config" / "codex-oauth" / "config.toml")
