"""The output: one line for each result, added whole; what a kill cut off is mended when the file is opened again."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from codex_oauth.errors import ConfigurationError
from codex_oauth.types import as_object

__all__ = ("Recorded", "ResultsFile", "open_results")

_BEGINS: Final = b'{"id": '
# Of each line that is written here, so that a piece of one can be told from a piece of somebody else's file.

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a line says of an item.

    Attributes:
        line: The number of the item's line in the input at that time.
        key: The item's, as `Item.key`.
        digest: What was asked, as `Item.digest`.
        failure: The code of the failure; None for an answer.
        usage: Tokens of an answer: `input` and `output`.
    """

    line: int
    key: str
    digest: str
    failure: str | None
    usage: Mapping[str, int]

    @classmethod
    def of(cls, line: bytes) -> Self | None:
        """What a line says; None if it is no result."""
        try:
            members = as_object(json.loads(line)) if line.startswith(_BEGINS) else None
        except (ValueError, RecursionError):
            return None
        if members is None:
            return None
        name, number, digest, error = (members.get(part) for part in ("id", "line", "digest", "error"))
        failure = (as_object(error) or {}).get("code")
        if type(number) is not int or not isinstance(digest, str) or (error is not None) != isinstance(failure, str):
            return None
        key = f"#{number}" if name is None else json.dumps(name)
        usage = as_object(members.get("usage")) or {}
        counted = {part: count for part in ("input", "output") if type(count := usage.get(part)) is int}
        return cls(line=number, key=key, digest=digest, failure=failure, usage=counted)


class ResultsFile:
    """The open output, which no other run has open. Made by `open_results`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._unsynced = False

    def is_same_as(self, path: Path) -> bool:
        """Whether the other path leads to this very file."""
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._descriptor))
        except OSError:
            return False

    def read(self) -> Generator[Recorded]:
        """What is there. To be read to its end: a last line that is not whole is then cut off.

        Raises:
            ConfigurationError: Something in it is no result, so that it is another file than was meant.
        """
        end = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                recorded = Recorded.of(line)
                if recorded is not None:
                    if not line.endswith(b"\n"):
                        self._write(b"\n")  # an editor's doing
                    yield recorded
                elif not line.endswith(b"\n") and _may_be_cut(line):
                    self._truncate(end)
                elif not line.isspace():
                    raise ConfigurationError(
                        f"{self._path}: line {number} is no result of a batch; results are added to no other file"
                    )
                end += len(line)

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a result in one write.

        Raises:
            ConfigurationError: The file cannot be written; nothing of the line stays.
        """
        # Half a surrogate pair becomes the escape that JSON has for it.
        line = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        assert line.startswith(_BEGINS)
        self._write(line)

    def sync(self) -> None:
        """Have the system put on the disk what was added. It may take as long as the disk does."""
        if self._unsynced:
            self._unsynced = False
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                raise self._failure(error) from error

    def _write(self, data: bytes) -> None:
        try:
            size = os.fstat(self._descriptor).st_size
            if os.write(self._descriptor, data) != len(data):
                self._truncate(size)
                raise ConfigurationError(f"{self._path}: cannot be written: the disk is full")
        except OSError as error:
            raise self._failure(error) from error
        self._unsynced = True

    def _truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"{self._path}: cannot be written: {error.strerror}")


@contextmanager
def open_results(path: Path) -> Generator[ResultsFile]:
    """Open an output, or make it. Until the block is left, or this process ends, nobody else opens it here.

    Raises:
        ConfigurationError: It cannot be opened, or another run has it open.
    """
    try:
        descriptor = os.open(path, _FLAGS, 0o666)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigurationError(f"{path}: not a regular file; results are read again when a batch goes on")
        try:
            alone = _try_lock(descriptor)
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be locked: {error.strerror}") from error
        if not alone:
            raise ConfigurationError(f"{path}: another run is adding to it; wait for its end, or name another output")
        yield ResultsFile(path, descriptor)
    finally:
        os.close(descriptor)  # gives up the lock too


def _may_be_cut(line: bytes) -> bool:
    # After a loss of power, what was written and not yet on the disk may be zeros.
    start = line.rstrip(b"\0")
    if not start.startswith(_BEGINS):
        return _BEGINS.startswith(start)
    try:
        json.loads(start)
    except (ValueError, RecursionError):
        return True
    return False  # whole, and so the line of some other file


if sys.platform == "win32":
    import msvcrt

    _BEYOND: Final = 2**62
    # A locked byte cannot be read there, so it is one that no file has.

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _BEYOND, os.SEEK_SET)
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
