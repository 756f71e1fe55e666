"""What the service says about itself, and about the processes that it has started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ("Child", "app_servers_of", "memory_of")

_PATIENCE: Final = 5.0
"""Seconds for `ps`, which takes 10 ms."""


class Child(NamedTuple):
    """A process and its resident memory in bytes."""

    pid: int
    memory: int | None


def memory_of(pid: int) -> int | None:
    """A process's resident memory in bytes; None where that cannot be told."""
    try:
        if sys.platform == "linux":
            return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return int(_ps("-o", "rss=", "-p", str(pid))) * 1024
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None


def app_servers_of(pid: int) -> list[Child]:
    """The app-servers that a process has started, oldest first. It reads the table of processes: one for a thread."""
    try:
        found = _children_in_proc(pid) if sys.platform == "linux" else _children_by_ps(pid)
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    return [Child(child, memory_of(child)) for child in found]


def _children_in_proc(pid: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name in it may hold anything, a parenthesis too.
                parent = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
                if parent == pid and (entry / "cmdline").read_bytes().endswith(b"\0app-server\0"):
                    found.append(int(entry.name))
            except (OSError, ValueError, IndexError):
                continue  # it has ended
    return sorted(found)


def _children_by_ps(pid: int) -> list[int]:
    rows = (line.split(None, 2) for line in _ps("-axo", "pid=,ppid=,args=").splitlines())
    return sorted(
        int(row[0]) for row in rows if len(row) == 3 and int(row[1]) == pid and row[2].rstrip().endswith(b" app-server")
    )


def _ps(*arguments: str) -> bytes:
    return subprocess.run(["ps", *arguments], capture_output=True, timeout=_PATIENCE, check=True).stdout
