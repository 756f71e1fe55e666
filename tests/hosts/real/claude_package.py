"""The Claude Code that the tests run: where it is kept, and `python claude_package.py` to fetch it there with npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ("VERSION", "fetch", "find", "folder")

VERSION: Final = "2.1.197"
"""The version whose behaviour as a host was measured."""

_PACKAGE: Final = "@anthropic-ai/claude-code"

_PATIENCE: Final = 300
"""Seconds for npm, which brings 75 MB."""


def folder() -> Path:
    """Where it is kept, outside any repository."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "codex-oauth-tests" / f"claude-code-{VERSION}"


def find() -> Path | None:
    """The program, in the package of this platform; None where it was not fetched."""
    installed = folder() / "node_modules" / _PACKAGE
    manifest = installed / "package.json"
    if not manifest.is_file() or json.loads(manifest.read_bytes())["version"] != VERSION:
        return None
    found = sorted(installed.parent.glob("claude-code-*/claude*"))
    return next((path for path in found if path.stem == "claude" and os.access(path, os.X_OK)), None)


def fetch() -> str:
    """Fetch it, unless it is there.

    Returns:
        Why it could not be had; empty where it is there now.
    """
    if find() is not None:
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not on PATH"
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as work:
        # No script of any package is run: the program itself is inside the package of the platform.
        options = ["--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(
                [npm, "install", "--prefix", work, *options, f"{_PACKAGE}@{VERSION}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"npm did not end within {_PATIENCE} s"
        if done.returncode != 0:
            said = done.stdout.decode("utf-8", "replace").strip().splitlines()
            return f"npm could not fetch it: {' '.join(said[:3])[:300]}"
        shutil.rmtree(target, ignore_errors=True)
        Path(work).rename(target)
        Path(work).mkdir()
    return "" if find() is not None else "the package has no program for this platform"


if __name__ == "__main__":
    problem = fetch()
    print(f"Claude Code {VERSION}: {problem or find()}")
    sys.exit(1 if problem else 0)
