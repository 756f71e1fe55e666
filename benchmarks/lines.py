"""Processes that do what JSON lines say: one object in, one object out, until their stdin ends."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

__all__ = ("REPOSITORY", "Side", "serve")

REPOSITORY: Final = Path(__file__).resolve().parent.parent
"""The checkout, where `benchmarks` can be imported."""

_PATIENCE: Final = 600.0
"""Seconds for one answer: a round of the longest series takes some ten."""

_LAST_WORDS: Final = 20.0
"""Seconds for a process to end once its stdin has ended."""


def serve(answer: Callable[[str, dict[str, Any]], Mapping[str, Any]], lines: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each line, whose `do` says what is wanted."""
    for line in lines:
        wanted: dict[str, Any] = json.loads(line)
        answers.write(json.dumps(answer(wanted.pop("do"), wanted)).encode() + b"\n")
        answers.flush()


class Side:
    """A process beside this one. It ends with the block, or when this process does: its stdin is its life.

    Args:
        command: Program and arguments.
        env: Its environment; this process's own by default.
        cwd: Its folder.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = REPOSITORY) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(env) if env is not None else None, cwd=cwd
        )
        self.pid = self._process.pid

    @classmethod
    def module(cls, name: str, *arguments: str) -> Self:
        """A module of this package as a process."""
        return cls([sys.executable, "-m", f"benchmarks.{name}", *arguments])

    def ask(self, do: str, **line: Any) -> dict[str, Any]:
        """Send one line and wait for its answer.

        Raises:
            RuntimeError: The process has ended instead, or was ended because it did not answer for ten minutes.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Timer(_PATIENCE, self._process.kill)
        late.start()
        try:
            self._process.stdin.write(json.dumps({"do": do, **line}).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        finally:
            late.cancel()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} ended at {do!r}; its stderr is above")
        return json.loads(answer)

    def close(self) -> None:
        """Let it end, and wait until it has."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_LAST_WORDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
