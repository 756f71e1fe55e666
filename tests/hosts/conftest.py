"""A person's own Codex, as far as its hooks go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_oauth.config import Settings, load_settings
from tests.cli.hosts import path_without_codex
from tests.conftest import clean_environment


@pytest.fixture
def codex_home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody is signed in to."""
    home = tmp_path / 'it\'s "mine"' / ".codex"
    home.mkdir(parents=True)
    return home


@pytest.fixture
def host_settings(tmp_path: Path) -> Settings:
    """Settings of somebody whose codex is the bundled one, or that of HOST_CODEX_BIN, and who has no network."""
    environ = {
        **clean_environment(),
        "HOME": str(tmp_path),
        "PATH": path_without_codex(dict(os.environ)),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "CODEX_OAUTH_SERVICE": "off",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    return load_settings(environ=environ, codex_bin=os.environ.get("HOST_CODEX_BIN"))
