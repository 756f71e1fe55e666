"""A metrics file with a week in it, for the tests of the report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.metrics.samples import NOW

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metrics file with made-up entries of the week that ends at `NOW`."""
    path = tmp_path_factory.mktemp("week") / "metrics.jsonl"
    command = [sys.executable, "scripts/sample_metrics.py", str(path), "--now", NOW.isoformat()]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60, stdout=subprocess.DEVNULL)
    return path
