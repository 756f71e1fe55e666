from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from codex_cli_bin import bundled_codex_path

from codex_oauth.testing import LoopbackChatGPT
from tests.chromium import chromium

from .app_server import AppServer, copy_home, make_home
from .web import Web

__all__ = ["chromium"]

StartCodex = Callable[[], AppServer]


@pytest.fixture(scope="session")
def home_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised home: making one costs more than everything else in a test."""
    home = tmp_path_factory.mktemp("codex") / "home"
    make_home(bundled_codex_path(), home)
    return home


@pytest.fixture
def codex_home(home_template: Path, tmp_path: Path) -> Path:
    """A home of the test's own, in which nobody is signed in."""
    home = tmp_path / "home"
    copy_home(home_template, home)
    return home


@pytest.fixture
def start_codex(chatgpt: LoopbackChatGPT, codex_home: Path) -> Iterator[StartCodex]:
    """Starts the real binary against the stand-in, as often as a test wants to."""
    with ExitStack() as processes:
        yield lambda: processes.enter_context(AppServer(bundled_codex_path(), codex_home, chatgpt.environment))


@pytest.fixture(params=["websocket", "sse"])
def codex(
    request: pytest.FixtureRequest, chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> AppServer:
    """The real binary, signed in, once with each transport."""
    chatgpt.websocket = request.param == "websocket"
    chatgpt.sign_in(codex_home)
    return start_codex()


@pytest.fixture
def web(chatgpt: LoopbackChatGPT) -> Iterator[Web]:
    """A plain HTTP client that trusts the stand-in."""
    with Web(chatgpt) as client:
        yield client
