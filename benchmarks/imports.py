"""How long imports take, by `python -X importtime`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ("import_times", "milliseconds")

_LINE = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)$", re.MULTILINE)


def import_times(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: bytes = b""
) -> dict[str, float]:
    """Milliseconds of each module's own code, without what it imports, by name.

    Args:
        arguments: What Python is run with, such as `-c` and a statement.
        env: Its environment.
        cwd: Its folder.
        stdin: What it is given.

    Raises:
        RuntimeError: It failed.
    """
    argv = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(argv, env=dict(env), cwd=cwd, input=stdin, capture_output=True, check=False)
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0:
        raise RuntimeError(f"{argv} ended with {done.returncode}: {said[-2000:]}")
    return {name: int(own) / 1000 for own, _, _, name in _LINE.findall(said)}


def milliseconds(found: Mapping[str, float], known: Mapping[str, float]) -> float:
    """All of it, but for the modules that the interpreter loads by itself."""
    return sum(own for name, own in found.items() if name not in known)
