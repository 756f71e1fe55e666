"""A coding agent's own process: JSON lines in both directions, every wait bounded, nothing left when it is closed."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.hosts.real.processes import Process, processes
from tests.scripted import eventually

__all__ = ("MARK", "PATIENCE", "HostProcess", "Message", "marked")

Message: TypeAlias = dict[str, Any]

PATIENCE: Final = 30.0
"""Seconds for a step that takes half a second: a machine may be busy with other tests."""

MARK: Final = "CODING_AGENT_OF_TEST"
"""A variable that the host has, and with it whatever it starts and what that starts, unless that takes it away."""


class HostProcess:
    """A host that is driven over stdin and stdout.

    Args:
        argv: The program and its arguments.
        environ: Its environment; `MARK` is added.
        cwd: The folder that it works in.
        log: Where its stderr goes.
    """

    def __init__(self, argv: Sequence[str], *, environ: Mapping[str, str], cwd: Path, log: Path) -> None:
        self._log = log
        self._received: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._seen: list[str] = []
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**environ, MARK: self.mark},
                cwd=cwd,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name="host-reader", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def send(self, message: Message) -> None:
        """Write one message."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def messages(self, until: Callable[[Message], bool], *, each: Callable[[Message], object]) -> Message:
        """Give every message that comes to `each`, and return the first one that is waited for.

        Raises:
            TimeoutError: It does not come within `PATIENCE`.
            EOFError: The host has ended.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                message = self._received.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"not within {PATIENCE:g} s; last seen: {self._seen[-12:]}") from None
            if message is None:
                raise EOFError(f"the host has ended: {self._log.read_text(errors='replace')[-2000:]}")
            self._seen.append(json.dumps(message)[:160])
            each(message)
            if until(message):
                return message

    def close(self) -> list[str]:
        """End it, and whatever it has left.

        Returns:
            The commands of processes that were still there some seconds after it.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        eventually(lambda: not marked(self.mark), 10)
        left = marked(self.mark)
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self._reader.join(10)
        self._process.stdout.close()
        return [process.command for process in left]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                self._received.put(json.loads(line))
        self._received.put(None)


def marked(mark: str) -> list[Process]:
    """The processes that a host has started, and those that they have started: all that were left the variable."""
    return [process for process in processes() if process.environ.get(MARK) == mark]
