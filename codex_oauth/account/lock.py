"""A lock between processes that outlives its holder just as long as the holder's app-server does.

A file lock belongs to an open file. Handed to the app-server that refreshes, it stays held when this process is killed
in the middle, until the app-server has stored what it got and is gone; nobody else uses up the same refresh token
meanwhile. The system lets go of it whatever happens, so a crash blocks nobody.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ("SharedLock",)


class SharedLock:
    """A lock on `path`, taken without waiting. `close` gives up this process's share of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._windows: BaseFileLock | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a child has to inherit to share the lock. None on Windows, where the lock ends with this process."""
        return () if self._descriptor is None else (self._descriptor,)

    def acquire(self) -> bool:
        """Take it, if nobody has it.

        Raises:
            OSError: The file cannot be made.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if sys.platform == "win32":
            return self._acquire_on_windows()
        import fcntl

        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def _acquire_on_windows(self) -> bool:
        from filelock import FileLock, Timeout

        lock = FileLock(self._path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self._windows = lock
        return True

    def close(self) -> None:
        """Give it up; a child that shares it keeps it until it ends."""
        if self._descriptor is not None:
            # Closed and not unlocked: unlocking would take it from the child too.
            os.close(self._descriptor)
            self._descriptor = None
        if self._windows is not None:
            self._windows.release()
            self._windows = None
