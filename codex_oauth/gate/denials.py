"""How often a session was denied: an agent that keeps running into the same wall is a matter for the person.

A file for each session holds a letter for each verdict. A letter is appended in one write, so that requests at the same
moment need no lock, and a process that is killed leaves nothing half-done.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from codex_oauth.thin.key import digest
from codex_oauth.thin.place import make_folder

__all__ = ("IN_ALL", "IN_A_ROW", "Denials")

IN_A_ROW: Final = 3
"""Denials after which the next one goes to the person, unless something was allowed or asked in between."""

IN_ALL: Final = 20
"""Denials in a session after which every further one goes to the person."""

_KEPT: Final = 7 * 24 * 3600
"""Seconds that a session's file is kept after its last verdict."""

_LONGEST: Final = 1024 * 1024
_DENIED, _OTHER = b"d", b"."


class Denials:
    """One session's count.

    Args:
        folder: Where the files are; made if need be.
        session: The host's name for the session; None where it has none, and then nothing is counted.
    """

    def __init__(self, folder: Path, session: str | None) -> None:
        self._folder = folder
        # The name is the host's: it may be anything, and is nobody's business in a folder's listing.
        self._file = folder / digest(session.encode("utf-8", "replace")) if session else None

    def too_many(self) -> str | None:
        """Why the next denial is the person's to decide; None while it is not."""
        if self._file is None:
            return None
        try:
            descriptor = self._opened(os.O_RDONLY)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            verdicts = file.read(_LONGEST)
        in_a_row = len(verdicts) - len(verdicts.rstrip(_DENIED))
        if in_a_row >= IN_A_ROW:
            return f"{in_a_row} requests in a row were denied."
        in_all = verdicts.count(_DENIED)
        return f"{in_all} requests of this session were denied." if in_all >= IN_ALL else None

    def count(self, *, denied: bool) -> None:
        """Remember a verdict. That it cannot be remembered changes nothing about it."""
        if self._file is None:
            return
        with suppress(OSError):
            if not self._file.exists():
                if not denied:
                    return  # most sessions have no denial, and need no file
                make_folder(str(self._folder))
                self._forget_old()
            descriptor = self._opened(os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                os.write(descriptor, _DENIED if denied else _OTHER)
            finally:
                os.close(descriptor)

    def _opened(self, flags: int) -> int:
        assert self._file is not None
        # Something else may stand in its place, such as a pipe that nobody reads, or a link to somebody else's file.
        descriptor = os.open(self._file, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("not a regular file")
        return descriptor

    def _forget_old(self) -> None:
        before = time.time() - _KEPT
        for entry in self._folder.iterdir():
            with suppress(OSError):
                if entry.lstat().st_mtime < before:
                    entry.unlink()
