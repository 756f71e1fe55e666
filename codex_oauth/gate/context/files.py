"""Small looks into files that somebody else may have made: nothing here waits, reads without end, or raises."""

from __future__ import annotations

import os
import stat
import sys
from typing import Final

__all__ = ("Tail", "is_far", "read_start", "read_tail")

_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
_SHARES: Final = ("//", "\\\\")
_MOUNTS: Final = ("/afs/", "/Network/", "/net/")
_NO_FILES: Final = ("/proc", "/dev", "/sys")


class Tail:
    """The two ends of a file.

    Attributes:
        start: What it begins with.
        end: Its last lines, each of them whole unless it is the very last.
    """

    __slots__ = ("end", "start")

    def __init__(self, start: bytes, end: bytes) -> None:
        self.start = start
        self.end = end


def is_far(path: str) -> bool:
    """Whether merely looking at it could reach for another machine: a network share, or an automatic mount."""
    if sys.platform == "win32":
        return path.startswith(_SHARES)
    return f"/{path.lstrip('/')}".startswith(_MOUNTS)


def read_start(path: str, limit: int) -> bytes | None:
    """The first `limit` bytes of a regular file; None where there is no such file to read."""
    try:
        opened = _opened(path)
        if opened is None:
            return None
        with os.fdopen(opened[0], "rb", buffering=0) as file:
            # What says that it is empty, as the files of /proc do, is left alone.
            return file.read(min(limit, opened[1].st_size)) or b""
    except (OSError, ValueError):
        return None


def read_tail(path: str, *, end: int, start: int) -> Tail | None:
    """The ends of a regular file of this user's own that grows by lines.

    Args:
        path: The file; a link is followed, but not to where there are no files, such as `/proc`.
        end: Bytes of its end that are looked at. The line that this cuts through is left out.
        start: Bytes of its beginning.

    Returns:
        None where there is no such file to read.
    """
    try:
        real = os.path.realpath(path)
        if any(real == place or real.startswith(f"{place}/") for place in _NO_FILES):
            return None
        opened = _opened(real, getattr(os, "O_NOFOLLOW", 0))
        if opened is None:
            return None
        descriptor, status = opened
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if sys.platform != "win32" and status.st_uid != os.geteuid():
                return None
            head = file.read(min(start, status.st_size)) or b""
            # One byte more, to see whether a line begins exactly there.
            begin = max(0, status.st_size - end - 1)
            file.seek(begin)
            tail = file.read(min(end + 1, status.st_size)) or b""
    except (OSError, ValueError):
        return None
    return Tail(head, tail.partition(b"\n")[2] if begin else tail)


def _opened(path: str, flags: int = 0) -> tuple[int, os.stat_result] | None:
    # Looked at before it is opened, since opening alone can have effects on a device; and after, since it may be
    # another by then.
    if is_far(path) or not stat.S_ISREG(os.stat(path).st_mode):
        return None
    descriptor = os.open(path, _READ | flags)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status
    os.close(descriptor)
    return None
