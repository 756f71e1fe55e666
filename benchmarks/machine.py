"""What it was measured on, and what else that machine was doing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.running import children_of

__all__ = ("Load", "machine", "versions")

_PACKAGES = ("codex-oauth", "openai-codex", "openai-codex-cli-bin", "anyio", "pydantic", "click", "jsonschema")


def machine() -> dict[str, Any]:
    """Processor, memory, system."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "memory_gib": _memory(),
        "python": platform.python_version(),
    }


def versions(codex: Path) -> dict[str, str]:
    """Of what was measured, and of what it rests on."""
    found: dict[str, str] = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    printed = subprocess.run([str(codex), "--version"], capture_output=True, text=True, check=False).stdout
    if number := re.search(r"\d+\.\d+\.\d+\S*", printed):
        found["codex"] = number[0]
    return found


class Load:
    """Measures, while its block runs, how much of the machine others used.

    Attributes:
        found: `load_before` and `load_after`, the one-minute averages; `others_percent`, the share of all processors
            that went to processes that have nothing to do with this one, and `stolen_percent`, what the host of a
            virtual machine took. What the system does not say is left out.
    """

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._began, self._own, self._machine = time.monotonic(), _own_seconds(), _machine_seconds()
        with suppress(OSError, AttributeError):
            self.found["load_before"] = round(os.getloadavg()[0], 2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError, AttributeError):
            self.found["load_after"] = round(os.getloadavg()[0], 2)
        now = _machine_seconds()
        if now is not None and self._machine is not None:
            whole = (time.monotonic() - self._began) * (os.cpu_count() or 1)
            busy, stolen = (after - before for after, before in zip(now, self._machine, strict=True))
            others = max(busy - (_own_seconds() - self._own), 0.0)
            self.found["others_percent"] = round(100 * others / whole, 1)
            self.found["stolen_percent"] = round(100 * stolen / whole, 1)


def _own_seconds() -> float:
    """CPU seconds of this process and of everything that it has started."""
    if sys.platform == "win32":
        return 0.0
    import resource

    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage) + sum(map(_tree_seconds, children_of(os.getpid())))


def _tree_seconds(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # utime, stime, and those of the children that it has waited for.
    own = sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(_tree_seconds, children_of(pid)))


def _machine_seconds() -> tuple[float, float] | None:
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = (int(word) for word in words[:8])
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + interrupts + soft) / ticks, stolen / ticks


def _cpu() -> str:
    with suppress(OSError):
        if found := re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()):
            return found[1].strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    with suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None
