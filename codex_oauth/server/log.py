"""What the service says about its own life: a line when it starts, ends, or has trouble. Never what it was asked."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

__all__ = ("LOG_LIMIT", "Log")

LOG_LIMIT: Final = 256 * 1024
"""Bytes of the file. A fuller one becomes `.1`, in place of the one before."""


class Log:
    """Lines on stderr, or in a file that stderr then goes to as well. Writing never fails.

    Args:
        path: The file; None for stderr as it is.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.check()

    def line(self, text: str) -> None:
        """Write one line: when, who, what."""
        words = f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z} {os.getpid()} {' '.join(text.split())}\n"
        with suppress(OSError):
            os.write(2, words.encode("utf-8", "backslashreplace"))

    def check(self) -> None:
        """Set the file aside where it is full, and follow it where another service did so."""
        if self._path is None:
            return
        with suppress(OSError):
            with suppress(FileNotFoundError):
                found = os.lstat(self._path)
                if stat.S_ISREG(found.st_mode) and found.st_size > LOG_LIMIT:
                    self._path.replace(self._path.with_name(self._path.name + ".1"))
                elif os.path.samestat(found, os.fstat(2)):
                    return
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self._path, flags, 0o600)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    os.dup2(descriptor, 2)
            finally:
                os.close(descriptor)
