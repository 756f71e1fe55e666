"""A client's program: a process with the client's own Python or Node, which is told what to do line by line."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

__all__ = ("Program", "ScenarioError", "program")

_PATIENCE: Final = 30.0


class ScenarioError(AssertionError):
    """A scenario has ended with an exception that it does not expect. The message is its traceback."""


class Program:
    """A program that is running.

    Args:
        process: It, with pipes for stdin and stdout.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, scenario: str, **given: Any) -> Any:
        """Have it do one thing, and wait for what came of it.

        Args:
            scenario: The name of one of the functions in its file.
            given: Its arguments.

        Raises:
            ScenarioError: It raised something, or has ended, or was not done after half a minute.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # A program that hangs is ended, which is seen below.
        patience = threading.Timer(_PATIENCE, self._process.kill)
        patience.start()
        try:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps([scenario, given]) + "\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            patience.cancel()
        if not line:
            raise ScenarioError(f"{scenario}: the program ended with status {self._process.wait(_PATIENCE)}")
        answer = json.loads(line)
        if "raised" in answer:
            raise ScenarioError(f"{scenario}:\n{answer['raised']}")
        return answer["result"]


@contextmanager
def program(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> Generator[Program]:
    """Run one, while the block lasts. What it says on stderr is for whoever reads the test's output."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=folder, encoding="utf-8"
    ) as process:
        try:
            yield Program(process)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(_PATIENCE) == 0
        finally:
            process.kill()
