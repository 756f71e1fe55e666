"""What the tests of the commands share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.config import Settings


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a user with no other program's sign-in, and no screen."""
    (tmp_path / "user").mkdir()
    without = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "BROWSER", "NO_COLOR", "COLUMNS")
    return {
        **{name: value for name, value in environ.items() if name not in without},
        "HOME": str(tmp_path / "user"),
    }


@pytest.fixture
def key_profile(signed_out: Settings) -> Iterator[Settings]:
    """The settings of the profile that an API key goes into, which nobody has used yet."""
    folder = signed_out.state_dir / "profiles" / "api-key"
    yield replace(signed_out, profile="api-key", home=folder / "codex-home")
    # The home stays, ready for the next test.
    (folder / "profile.json").unlink(missing_ok=True)
    (folder / "codex-home" / "auth.json").unlink(missing_ok=True)


@pytest.fixture
def other_profile(signed_out: Settings) -> Iterator[Settings]:
    """The settings of a profile without a home."""
    folder = signed_out.state_dir / "profiles" / "other"
    yield replace(signed_out, profile="other", home=folder / "codex-home")
    shutil.rmtree(folder, ignore_errors=True)
