"""Payloads that wait for their server, in a folder: a file for each, named by when it came."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, NamedTuple

from codex_oauth.metrics.writer import append_line, held

__all__ = ("MOST_BYTES", "Spool", "SpoolFull", "SpoolState")

MOST_BYTES: Final = 256 * 1024 * 1024
"""How much may wait, in bytes. What comes then is not taken, and noted in `lost.jsonl`."""

_MOST_REFUSED: Final = 32 * 1024 * 1024
"""How large `rejected.jsonl` may grow before it is set aside as `.1`."""

_MOST_LOST: Final = 1024 * 1024
_ABANDONED: Final = 60.0
"""Seconds after which a file that is not whole was left by a process that is gone."""

_WAITING: Final = ".json"
_UNFINISHED: Final = ".part"
_SERIAL: Final = itertools.count()


class SpoolFull(OSError):
    """No more may wait."""


class SpoolState(NamedTuple):
    """What is in a spool.

    Attributes:
        waiting: Payloads that wait for the server.
        bytes: Their size.
        rejected: Payloads that the server refused; those of the last two files.
        lost: Payloads that came while the spool was full; those of the last two files.
    """

    waiting: int
    bytes: int
    rejected: int
    lost: int


class Spool:
    """A folder of payloads. Many processes may add to it; one at a time takes from it.

    Args:
        folder: The folder, made with the first payload: readable by its owner only, as is all that is in it.
        most_bytes: How much may wait.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._last = 0

    @property
    def rejected(self) -> Path:
        """The file of the payloads that the server refused, with what it said of them."""
        return self.folder / "rejected.jsonl"

    def add(self, request_id: str, payload: bytes) -> None:
        """Have a payload wait, behind those that came before.

        Raises:
            SpoolFull: It is not taken.
            OSError: It could not be written.
        """
        if sum(map(_size, self._names())) + len(payload) > self._most_bytes:
            self._note_lost(request_id)
            raise SpoolFull(errno.ENOSPC, f"the spool {self.folder} is full")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The clock may be set back; what this process adds keeps its order.
        self._last = max(self._last + 1, time.time_ns())
        name = f"{self._last:020d}-{os.getpid()}-{next(_SERIAL)}-{len(payload)}"
        unfinished = self.folder / (name + _UNFINISHED)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(payload)
            unfinished.rename(self.folder / (name + _WAITING))
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise

    def waiting(self) -> list[Path]:
        """What waits, the oldest first."""
        return [self.folder / name for name in sorted(self._names())]

    def _names(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            return [entry.name for entry in entries if entry.name.endswith(_WAITING)]
        return []

    @contextlib.contextmanager
    def taking(self) -> Generator[bool]:
        """Whether this is the one that takes from the spool, within the block.

        Raises:
            OSError: The folder cannot be used.
        """
        with held(self.folder / "drain.lock") as alone:
            if alone:
                self._clear()
            yield alone

    def reject(self, path: Path, status: int, words: str) -> bool:
        """Set a payload aside that the server refused; whether it is kept."""
        try:
            payload: Any = json.loads(path.read_bytes())
        except (OSError, ValueError):
            payload = None
        line = {"time": time.time(), "status": status, "answer": words, "payload": payload}
        kept = append_line(self.rejected, _line(line), limit=_MOST_REFUSED)
        path.unlink(missing_ok=True)
        return kept

    def state(self) -> SpoolState:
        """What is in it now."""
        waiting = self._names()
        return SpoolState(
            len(waiting), sum(map(_size, waiting)), _lines(self.rejected), _lines(self.folder / "lost.jsonl")
        )

    def _note_lost(self, request_id: str) -> None:
        line = {"time": time.time(), "request_id": request_id, "why": "the spool was full"}
        append_line(self.folder / "lost.jsonl", _line(line), limit=_MOST_LOST)

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                if path.name.endswith(_UNFINISHED) and path.stat().st_mtime < time.time() - _ABANDONED:
                    path.unlink()


def _size(name: str) -> int:
    """How large a payload is, by its file's name: many thousands may wait, and each new one asks for all of them."""
    size = name.removesuffix(_WAITING).rpartition("-")[2]
    return int(size) if size.isdecimal() else 0


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def _lines(path: Path) -> int:
    count = 0
    for file in (path.with_name(path.name + ".1"), path):
        with contextlib.suppress(OSError), file.open("rb") as opened:
            count += sum(1 for line in opened if not line.isspace())
    return count
