"""Records appended to a file of JSON Lines."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from codex_oauth.metrics.writer import append_line
from codex_oauth.recorder.record import line_of

__all__ = ("LIMIT", "FileSink")

LIMIT: Final = 64 * 1024 * 1024
"""How large the file may grow, in bytes, before it is set aside as `.1`, in place of the one before."""


class FileSink:
    """Appends each record as a line, as many processes at once may do.

    The file is made if need be, readable by its owner only, as is its folder. It must not be a link.

    Args:
        path: The file.
        limit: How large it may grow, in bytes. Two of that size are kept: a fuller one becomes `path` + `.1`.

    Attributes:
        path: The file.
    """

    def __init__(self, path: str | os.PathLike[str], *, limit: int = LIMIT) -> None:
        self.path = Path(os.path.abspath(os.path.expanduser(path)))
        self._limit = limit

    def write(self, record: Mapping[str, Any], /) -> None:
        """Append a record.

        Raises:
            OSError: It could not be written whole.
        """
        if not append_line(self.path, line_of(record), limit=self._limit):
            raise OSError(errno.EIO, f"{self.path} cannot be written")

    def close(self, timeout: float, /) -> None:
        """There is nothing to finish."""
