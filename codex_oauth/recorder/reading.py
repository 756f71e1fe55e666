"""Records read back from a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from codex_oauth.metrics.writer import scan
from codex_oauth.recorder.record import VERSION
from codex_oauth.schema.depth import DEEPEST, unreadable

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
_MOST: Final = 2**63
_DEEPEST: Final = DEEPEST + 20
# Levels of a record: those of a schema, and what it stands in.


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
        all(isinstance(item, dict) and _has_parts(cast("Mapping[str, Any]", item)) for item in items)
        and all(_is_count(usage.get(name)) for name in _COUNTS)
        and _is_count(line.get("redacted") or 0)
        and isinstance(timing.get("ms"), int | float)
        and 0 <= timing["ms"] < _MOST
        and all(isinstance(timing.get(name), str) for name in ("began", "ended"))
        and not unreadable(line, _DEEPEST)
    )


def _has_parts(item: Mapping[str, Any]) -> bool:
    lists = [item.get("content"), item.get("summary")]
    if not isinstance(item.get("output"), str):
        lists.append(item.get("output"))
    return all(
        each is None or (isinstance(each, list) and all(isinstance(part, dict) for part in cast("list[object]", each)))
        for each in lists
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < _MOST
