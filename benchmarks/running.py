"""One whole process, measured: its time, the CPU time of everything that it started, and its memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ("Command", "Run", "adopt_orphans", "children_of", "run", "run_watched")

_PATIENCE: Final = 60.0
"""Seconds for one process, and for what it leaves behind."""

_SUBREAPER: Final = 36
"""PR_SET_CHILD_SUBREAPER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to measure.

    Attributes:
        argv: Program and arguments.
        env: The whole environment.
        cwd: Its folder.
        stdin: What it is given.
        answer: What has to be in its output, or the run counts for nothing; empty for a program that answers nothing.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    stdin: bytes = b""
    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class Run:
    """What a process took.

    Attributes:
        seconds: From before its start to its end.
        answered: To the first byte of its output; None where it writes nothing.
        cpu: User and system time of it and of everything it started, what outlived it too.
        left: Seconds that something it started went on after its end; 0 where nothing did.
    """

    seconds: float
    answered: float | None
    cpu: float
    left: float


def adopt_orphans() -> None:
    """Become the parent of what measured processes leave behind, so that it can be waited for. Linux only."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def run(command: Command, known: frozenset[int] = frozenset()) -> Run:
    """Run it once, and wait until nothing of it is left.

    Args:
        command: The process.
        known: Children of this process that have nothing to do with it.

    Raises:
        RuntimeError: It failed, or did not answer what it should.
    """
    with tempfile.TemporaryFile() as stderr:
        began = time.perf_counter()
        process = _start(command, stderr)
        assert process.stdout is not None
        late = threading.Timer(_PATIENCE, process.kill)
        late.start()
        pieces: list[bytes] = []
        answered = None
        while piece := os.read(process.stdout.fileno(), 65_536):
            answered = answered or time.perf_counter() - began
            pieces.append(piece)
        used = _wait(process)
        ended = time.perf_counter()
        late.cancel()
        process.stdout.close()
        cpu, left = _reap_orphans(known)
        _check(command, process, b"".join(pieces), stderr)
    return Run(seconds=ended - began, answered=answered, cpu=used + cpu, left=left)


def run_watched(command: Command, known: frozenset[int] = frozenset()) -> dict[str, Any]:
    """Run it once and look at the memory of all that it starts, every few milliseconds. Not for timing.

    Returns:
        KiB: `client`, the most that the process itself had, and `codex`, the largest of the codex processes below it.
        Helpers that live for some milliseconds are left out: a process that has not begun its own program yet shows
        its parent's memory. Empty where the system does not say.
    """
    from benchmarks.workers.measuring import memory_of

    peaks: dict[int, int] = {}
    names: dict[int, str] = {}
    with tempfile.TemporaryFile() as stderr, tempfile.TemporaryFile() as stdout:
        process = _start(command, stderr, stdout)
        top = process.pid
        while process.poll() is None:
            for pid in (top, *_descendants(top)):
                with suppress(OSError):
                    names[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
                    peaks[pid] = max(peaks.get(pid, 0), memory_of(pid).get("peak", 0))
            time.sleep(0.002)
        _reap_orphans(known)
        stdout.seek(0)
        _check(command, process, stdout.read(), stderr)
    if not peaks:
        return {}
    below = [peak for pid, peak in peaks.items() if pid != top and names[pid].startswith("codex")]
    return {"client": peaks.get(top, 0), "codex": max(below, default=0)}


def children_of(pid: int) -> list[int]:
    """The pids of a process's children; none where the system does not say."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def _descendants(pid: int) -> list[int]:
    found = children_of(pid)
    return found + [below for child in found for below in _descendants(child)]


def _start(command: Command, stderr: Any, stdout: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command.argv,
        stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=dict(command.env),
        cwd=command.cwd,
    )
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(command.stdin)
        with suppress(BrokenPipeError):
            process.stdin.close()
    return process


def _wait(process: subprocess.Popen[bytes]) -> float:
    """Reap it, for the CPU time that it and those it waited for have used."""
    if sys.platform == "win32":
        process.wait(_PATIENCE)
        return 0.0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _reap_orphans(known: frozenset[int]) -> tuple[float, float]:
    """Wait for what was left behind: it would take the next subject's time. Its CPU time, and how long it took."""
    if sys.platform != "linux":
        return 0.0, 0.0
    began = time.perf_counter()
    used = 0.0
    while orphans := [pid for pid in children_of(os.getpid()) if pid not in known]:
        for pid in orphans:
            if time.perf_counter() - began > _PATIENCE:
                os.kill(pid, signal.SIGKILL)
            done, _, usage = os.wait4(pid, os.WNOHANG)
            if done:
                used += usage.ru_utime + usage.ru_stime
        time.sleep(0.001)
    took = time.perf_counter() - began
    return used, took if used else 0.0


def _check(command: Command, process: subprocess.Popen[bytes], stdout: bytes, stderr: Any) -> None:
    if process.returncode == 0 and command.answer in stdout:
        return
    stderr.seek(0)
    words = stderr.read()[-2000:].decode("utf-8", "replace")
    raise RuntimeError(f"{_shown(command.argv)} ended with {process.returncode} and said {stdout[-500:]!r}\n{words}")


def _shown(argv: Sequence[str]) -> str:
    return " ".join(argv[:4])
