"""What the tests of the service share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.gate.answers import answer
from tests.server.served import Served


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, for sockets: their paths may have some 100 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="served-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def environ(environ: dict[str, str], place: Path) -> dict[str, str]:
    """The environment of a user with a runtime directory, who has the service on demand."""
    (place / "run").mkdir(mode=0o700)
    return {**environ, "XDG_RUNTIME_DIR": str(place / "run"), "CODEX_OAUTH_SERVICE": "on-demand"}


@pytest.fixture
def served(environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT) -> Iterator[Served]:
    """The service of a signed-in user, not started yet; the model allows everything."""
    chatgpt.default = answer("allow")
    service = Served(environ)
    yield service
    service.close()
