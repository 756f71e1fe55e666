"""What runs on this machine, as /proc tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ("Process", "processes")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this user.

    Attributes:
        pid: Its id.
        command: Its command, as one line.
        environ: The environment that it was started with.
    """

    pid: int
    command: str
    environ: Mapping[str, str] = field(repr=False)


def processes() -> Iterator[Process]:
    """Every process whose environment may be read; those that have ended and wait to be reaped have none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # One that has just ended, or somebody else's.
            with suppress(OSError):
                variables = (entry / "environ").read_bytes().decode("utf-8", "replace").split("\0")
                command = (entry / "cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ").strip()
                yield Process(int(entry.name), command, dict(part.split("=", 1) for part in variables if "=" in part))
