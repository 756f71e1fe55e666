"""The processes that run on a managed home, and how long the slowest of them takes to end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SLOW: Final = 15.0
"""Seconds in which a child is gone that waits for the account service: codex itself takes 15 there, so it is killed
after its grace. From here that is not to be told from a token refresh, which must not be cut off."""


def running_on(home: Path) -> list[str]:
    """The commands that run on a home."""
    needle = f"CODEX_HOME={home}".encode()
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if any(part.startswith(needle) for part in (entry / "environ").read_bytes().split(b"\0")):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found
