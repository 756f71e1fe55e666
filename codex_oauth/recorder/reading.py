"""Records read back from a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from codex_oauth.metrics.writer import scan
from codex_oauth.recorder.record import VERSION

__all__ = ("RecordFile",)

_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "time": str,
    "request_id": str,
    "response_id": (str, type(None)),
    "thread_id": str,
    "turn_id": str,
    "number": int,
    "label": (str, type(None)),
    "project": (str, type(None)),
    "model": str,
    "effort": (str, type(None)),
    "instructions": (str, type(None)),
    "tools": list,
    "schema": (dict, type(None)),
    "input": list,
    "output": list,
    "usage": dict,
    "timing": dict,
    "account": dict,
    "codex_version": (str, type(None)),
    "package_version": str,
}
_COUNTS: Final = ("input", "cached", "output", "reasoning")


class RecordFile:
    """A file of records and the one that was set aside before it, the oldest record first.

    Args:
        path: The file.

    Attributes:
        path: The file.
        skipped: Lines that are no records, of those that were read so far: one that was cut off, say.
        newer: Records of a later version of their form, likewise; they are passed over too.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.skipped = 0
        self.newer = 0

    @property
    def files(self) -> list[Path]:
        """Those of the two that are there."""
        return [file for file in (self.path.with_name(self.path.name + ".1"), self.path) if file.exists()]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Read them, anew each time.

        Raises:
            OSError: A file is there and cannot be read.
        """
        self.skipped = self.newer = 0
        for line in scan(self.path):
            if line is None or not isinstance(line.get("version"), int):
                self.skipped += 1
            elif line["version"] > VERSION:
                self.newer += 1
            elif _is_record(line):
                yield line
            else:
                self.skipped += 1


def _is_record(line: Mapping[str, Any]) -> bool:
    if not all(name in line and isinstance(line[name], kind) for name, kind in _KINDS.items()):
        return False
    items = [*line["input"], *line["output"], *line["tools"]]
    usage, timing = line["usage"], line["timing"]
    return (
        all(isinstance(item, dict) for item in items)
        and all(isinstance(usage.get(name), int) for name in _COUNTS)
        and isinstance(timing.get("ms"), int | float)
        and all(isinstance(timing.get(name), str) for name in ("began", "ended"))
    )
