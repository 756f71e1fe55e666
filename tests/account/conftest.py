"""Settings on folders of a test's own, with no codex near them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.config import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def bare(tmp_path: Path) -> Settings:
    """Settings on a managed home that does not exist."""
    state = tmp_path / "codex-oauth"
    return Settings(home=state / "codex-home", state_dir=state, config_dir=state / "config")


@pytest.fixture
def profile(bare: Settings) -> Callable[[str], Settings]:
    """Makes the settings of a profile with this name."""
    from dataclasses import replace

    def make(name: str) -> Settings:
        return replace(bare, profile=name, home=bare.state_dir / "profiles" / name / "codex-home")

    return make
