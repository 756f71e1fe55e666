"""The access log: one JSON line for each request, without a word of what was asked or answered."""

from __future__ import annotations

import os
import re
import select
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from codex_oauth.errors import ConfigurationError
from codex_oauth.explaining import json_line

__all__ = ("MOST", "AccessLog", "agent_of")

MOST: Final = 16 * 1024 * 1024
"""Bytes of the file. A fuller one becomes `.1`, in place of the one before."""

_PRODUCT: Final = re.compile(r"([A-Za-z0-9._-]{1,32}(?:/[A-Za-z][A-Za-z0-9._-]{0,31})?)(?=[/\s]|$)")


class AccessLog:
    """Lines in a file, or on stderr. Writing never fails, and never waits: neither for a disk that is full, nor for
    whoever should read a pipe and does not. Lines are lost then.

    Args:
        path: The file; None for stderr.

    Raises:
        ConfigurationError: The file cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._descriptor = 2
        if path is not None:
            try:
                self._descriptor = _open(path)
            except OSError as error:
                raise ConfigurationError(f"{path}: the access log cannot be written there: {error.strerror}") from error

    def write(self, entry: Mapping[str, Any]) -> None:
        """Write one line."""
        line = json_line({name: value for name, value in entry.items() if value is not None}) + "\n"
        with suppress(OSError):
            if self._path is None and not _takes_more(self._descriptor):
                return
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace"))
            if self._path is not None and os.fstat(self._descriptor).st_size > MOST:
                self._set_aside(self._path)

    def close(self) -> None:
        """Write no more."""
        if self._path is not None:
            os.close(self._descriptor)

    def _set_aside(self, path: Path) -> None:
        # Another endpoint that writes here may have done it already, and this one could not open it anew.
        with suppress(FileNotFoundError):
            if path.lstat().st_ino == os.fstat(self._descriptor).st_ino:
                path.replace(path.with_name(path.name + ".1"))
        with suppress(ConfigurationError):
            old, self._descriptor = self._descriptor, _open(path)
            os.close(old)


def agent_of(header: bytes) -> str | None:
    """A client's own name from its User-Agent, such as `OpenAI/Python`, without a version or anything else."""
    found = _PRODUCT.match(header.decode("latin-1"))
    return found[1] if found else None


def _takes_more(descriptor: int) -> bool:
    """Whether a line can be written without waiting."""
    if sys.platform == "win32":
        return True  # it tells of sockets alone
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))  # an error, too: writing will say


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o600)
    if sys.platform != "win32" and not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigurationError(f"{path}: not a regular file")
    return descriptor
