"""`codex-oauth demo`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI, clean_environment


def test_the_demo_needs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    temporary, folder = tmp_path / "tmp", tmp_path / "folder"
    temporary.mkdir()
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "codex_oauth", "demo"],
        env={"TMPDIR": str(temporary), "HOME": str(folder), "PYTHONIOENCODING": "utf-8"},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("This is a demonstration on a stand-in")
    assert [word for word in ("allow", "deny", "ask") if f" {word} " not in done.stdout] == []
    assert "0 tools" in done.stdout
    assert list(temporary.iterdir()) == []
    assert list(folder.iterdir()) == []


def test_the_demo_works_behind_anything_that_is_set(tmp_path: Path) -> None:
    hostile = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "*",
        "no_proxy": "*",
        "OPENAI_API_KEY": "sk-none",
        "CODEX_HOME": "/nowhere",
        "CODEX_OAUTH_HOME": "/nowhere",
        "CODEX_OAUTH_METRICS": str(tmp_path / "metrics.jsonl"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "codex_oauth", "demo"],
        env={**clean_environment(), **hostile},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_the_demo_without_a_binary_exits_with_6(run_cli: RunCLI) -> None:
    assert run_cli("demo", "--codex-bin", "/no/such/codex").returncode == 6


@pytest.mark.parametrize("columns", [80, 120])
def test_the_demo_fits_a_terminal(environ: dict[str, str], tmp_path: Path, columns: int) -> None:
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "demo", columns=columns)
    assert shown.returncode == 0
    assert max(len(line) for line in shown.text.splitlines() if "\x1b" not in line) <= columns
