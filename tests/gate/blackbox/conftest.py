"""A user's machine with a coding agent on it: its own home, its own settings, and what such a user's shell exports."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.gate.blackbox.host import Machine


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What a host hands on to its hooks: all that it has itself, other programs' keys among it."""
    home = tmp_path / "user"
    temporary = tmp_path / "temporary"
    for folder in (home, temporary):
        folder.mkdir()
    return {
        **environ,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "CODEX_HOME": str(home / ".codex"),
        "OPENAI_API_KEY": "sk-planted-openai",
        "CODEX_API_KEY": "sk-planted-codex",
        "ANTHROPIC_API_KEY": "sk-ant-planted",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "GITHUB_TOKEN": "ghp_planted",
        "CLAUDECODE": "1",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDE_CODE_SESSION_ID": "planted-session",
    }


@pytest.fixture
def machine(environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> Machine:
    """The machine of a user who is signed in."""
    repo = tmp_path / "work" / "repo"
    repo.mkdir(parents=True)
    subprocess.run(
        ["git", "init", "-q", "-b", "main", str(repo)], env=environ, check=True, capture_output=True, timeout=10
    )
    assert settings.metrics is not None
    return Machine(environ={**environ, "CLAUDE_PROJECT_DIR": str(repo)}, repo=repo, metrics=settings.metrics)
