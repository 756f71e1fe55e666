"""A loop of token refreshes, told from a refresh.

With 0.163 a 401 of `wham/settings/user` makes codex refresh, ask again, refresh, ask again: 915 refreshes in 12 seconds
were measured, and a turn that never ended. It says nothing of it on the connection; only the sign-in's file changes.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Final

__all__ = ("INTERVAL", "RefreshStorm", "state_of")

INTERVAL: Final = 0.1
"""Seconds between two looks at the file, while a turn runs. A look is one `stat`."""

_WINDOW: Final = 2.5
_MOST: Final = 5
# Five changes in as many looks take half a second. Several processes that are each refused once refresh side by side
# within a tenth of a second, and then no more for an hour.


class RefreshStorm:
    """Counts how often the sign-in's file changes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last = state_of(file)
        self._changes: deque[float] = deque(maxlen=_MOST)

    def look(self) -> bool:
        """Look at the file; whether it has changed too often to be anything else."""
        state = state_of(self._file)
        if state != self._last:
            self._last = state
            self._changes.append(time.monotonic())
        return len(self._changes) == _MOST and self._changes[-1] - self._changes[0] < _WINDOW

    @property
    def calm(self) -> bool:
        """Whether the file is what it was for a while."""
        if state_of(self._file) != self._last:
            return False
        return not self._changes or time.monotonic() - self._changes[-1] > _WINDOW


def state_of(file: Path | None) -> tuple[int, int] | None:
    """What changes with a file's content; None where there is no file."""
    if file is None:
        return None
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns
