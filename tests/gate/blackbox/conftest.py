"""A user's machine with a coding agent on it: its own home, its own settings, and what such a user's shell exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth.config import Settings
from tests.gate.blackbox.machine import Machine, host_environment


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What a host hands on to its hooks."""
    return host_environment(environ, tmp_path)


@pytest.fixture
def machine(environ: dict[str, str], settings: Settings, tmp_path: Path) -> Machine:
    """The machine of a user who is signed in."""
    assert settings.metrics is not None
    return Machine.made(environ, tmp_path, settings.metrics)
