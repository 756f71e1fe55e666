"""The file that the entries go to: appended by many processes at once, and never more than two generations of it.

Writers take turns under a lock in a file of its own beside the data, which is never renamed. Each opens the data file
after it has the lock, so that nobody holds on to a generation that has been set aside.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from codex_oauth.metrics.entry import MetricsEntry

__all__ = ("LIMIT", "append", "append_line", "held", "read", "scan")

LIMIT = 2 * 1024 * 1024
"""How large the file may grow, in bytes, before it is set aside as `.1`."""

PATIENCE = 0.05
"""How many seconds to wait for the other writers. One that is stopped while it holds the lock must not stop a call."""

# A link is not followed, since it may be somebody else's; a FIFO in the file's place must not block.
_WHERE_THEY_EXIST = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | _WHERE_THEY_EXIST


def append(path: str | os.PathLike[str], entry: MetricsEntry, *, limit: int = LIMIT) -> bool:
    """Add an entry to the file, which is made if need be: readable by its owner only, as is its folder.

    Nothing that is wrong with the file raises an exception, because metrics must not fail the call that they measure.

    Args:
        path: The file. It must not be a link.
        entry: What to add.
        limit: How large the file may grow; a fuller one becomes `path` + `.1`, in place of the one before.

    Returns:
        Whether the entry was written.
    """
    try:
        return append_line(path, entry.to_json().encode("ascii") + b"\n", limit=limit)
    except ValueError:  # what the entry holds is no JSON
        return False


def append_line(path: str | os.PathLike[str], line: bytes, *, limit: int) -> bool:
    """Add a line of any kind to a file in the same way.

    Args:
        path: The file. It must not be a link.
        line: The line, with its end.
        limit: How large the file may grow.

    Returns:
        Whether it was written whole.
    """
    try:
        file = Path(path)
        if _is_something_else(file):
            return False
        with _turn(file) as alone:
            return _append(file, line, limit, alone=alone)
    except (OSError, ValueError):  # a ValueError for a path that no file can have
        return False


@contextlib.contextmanager
def held(path: str | os.PathLike[str]) -> Generator[bool]:
    """Hold the lock in a file of its own within the block, if nobody has it. It does not wait.

    Returns:
        Whether this is the one that holds it.

    Raises:
        OSError: The file cannot be made.
    """
    with _opened(Path(path)) as descriptor:
        yield _try_lock(descriptor)  # closing the descriptor, or the process's end, gives the lock back


def read(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Read the entries of both generations, the oldest first. A line that is not an entry's JSON is passed over.

    Raises:
        OSError: A file is there and cannot be read.
    """
    return (entry for entry in scan(path) if entry is not None)


def scan(path: str | os.PathLike[str]) -> Iterator[dict[str, Any] | None]:
    """The same, with None for each line that is passed over. An empty line counts for nothing.

    Raises:
        OSError: A file is there and cannot be read.
    """
    with contextlib.ExitStack() as stack:
        for file in _generations(Path(path), stack):
            for line in file:
                if line.isspace():
                    continue
                try:
                    value: object = json.loads(line)
                except (ValueError, RecursionError):
                    value = None
                yield cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _rotated(file: Path) -> Path:
    return file.with_name(file.name + ".1")


def _is_something_else(file: Path) -> bool:
    # Asked before the lock's file is made, so that none is left beside a device.
    try:
        return not stat.S_ISREG(file.lstat().st_mode)
    except FileNotFoundError:
        return False


def _append(file: Path, line: bytes, limit: int, *, alone: bool) -> bool:
    # Two that rename at once would drop a generation too many: who is not alone goes over the limit instead, within
    # bounds, and leaves the renaming to the next that is.
    room = limit if alone else 2 * limit
    for _ in range(2):
        with _opened(file) as descriptor:
            size = os.fstat(descriptor).st_size
            if not size or size + len(line) <= room:
                # A write that was cut off, by a full disk or a loss of power, stays a bad line of its own.
                whole = not size or _last_byte(descriptor) == b"\n"
                data = line if whole else b"\n" + line
                return os.write(descriptor, data) == len(data)
        if not alone:
            break
        file.replace(_rotated(file))  # closed by now: Windows renames no open file
    return False


@contextlib.contextmanager
def _opened(file: Path) -> Generator[int]:
    try:
        descriptor = os.open(file, _FLAGS, 0o600)
    except FileNotFoundError:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, _FLAGS, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def _last_byte(descriptor: int) -> bytes:
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1)


@contextlib.contextmanager
def _turn(file: Path) -> Generator[bool]:
    """Wait for this process's turn. False if it did not come: the file may then be added to, but not renamed."""
    deadline = time.monotonic() + PATIENCE
    with _opened(file.with_name(file.name + ".lock")) as descriptor:
        while not (alone := _try_lock(descriptor)) and time.monotonic() < deadline:
            time.sleep(0.001)
        yield alone  # closing the descriptor, or the process's end, gives the lock back


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _generations(file: Path, stack: contextlib.ExitStack) -> list[BinaryIO]:
    while True:
        files: list[BinaryIO] = []
        for path in (_rotated(file), file):
            with contextlib.suppress(FileNotFoundError):
                files.append(stack.enter_context(path.open("rb")))
        # If the file was set aside between the two, what it held is in neither: look again.
        opened = {os.fstat(opened.fileno()).st_ino for opened in files}
        with contextlib.suppress(FileNotFoundError):
            if _rotated(file).stat().st_ino not in opened:
                continue
        return files
