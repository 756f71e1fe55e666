"""What the workers share: the clock, the check of the answer, and the memory of processes."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ("checked", "memory_of", "timed")


@contextmanager
def timed() -> Generator[dict[str, Any]]:
    """What is put into the yielded object, and the block's `seconds`."""
    result: dict[str, Any] = {}
    began = time.perf_counter()
    yield result
    result["seconds"] = time.perf_counter() - began


def checked(verdict: Any) -> None:
    """A wrong answer is no measurement.

    Raises:
        AssertionError: It is not what the stand-in says.
    """
    assert verdict["behavior"] == "allow", verdict


def memory_of(pid: int | None) -> dict[str, int]:
    """KiB of a process, this one for None: the most that it ever had, and what it has now. Empty where the system does
    not say."""
    try:
        lines = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return {key: int(found[name].split()[0]) for key, name in (("peak", "VmHWM"), ("now", "VmRSS")) if name in found}
