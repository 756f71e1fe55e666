"""A terminal for a command: a pty that stdin, stdout and stderr are, and a person who reads and types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PATIENCE: Final = 60.0
"""Seconds that a person waits for anything; a command takes less than one."""

_WITH_A_TERMINAL: Final = """if True:
    import fcntl, os, sys, termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal, and a password can be asked for
    os.execv(sys.argv[1], sys.argv[1:])
"""
_ESCAPE: Final = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    """What a person saw, and how the command ended."""

    text: str
    returncode: int

    @property
    def plain(self) -> str:
        """The text without colours, and without the moves of a spinner."""
        return plain(self.text)


def plain(text: str) -> str:
    """What was shown, without the sequences that colour it or move about in it."""
    return _ESCAPE.sub("", text)


class Terminal:
    """`python -m codex_oauth …` with a terminal of its own. Leaving the block ends it, if it has not ended."""

    def __init__(
        self,
        environ: dict[str, str],
        folder: Path,
        *arguments: str,
        columns: int = 80,
        command: tuple[str, ...] = (sys.executable, "-m", "codex_oauth"),
    ) -> None:
        self._master, slave = pty.openpty()
        self._shown = b""
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            self._process = subprocess.Popen(
                [sys.executable, "-ISc", _WITH_A_TERMINAL, *command, *arguments],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env={**environ, "TERM": "xterm-256color"},
                cwd=folder,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """What was shown so far."""
        return self._shown.decode("utf-8", "replace").replace("\r\n", "\n")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read until the pattern is on the screen."""
        end = time.monotonic() + PATIENCE
        while (found := re.search(pattern, plain(self.text))) is None:
            if not self._read(end):
                raise EOFError(f"the command ended without showing {pattern!r}:\n{self.text}")
        return found

    def type(self, text: str) -> None:
        """Press keys; `\\n` is the return key, `\\x03` Ctrl-C, `\\x04` Ctrl-D."""
        os.write(self._master, text.encode())

    def interrupt_prompt(self) -> Shown:
        """Press Ctrl-C at a prompt, and once more if that was just before Python began to read."""
        for _ in range(5):
            self.type("\x03")
            try:
                while self._read(time.monotonic() + PATIENCE / 10):
                    pass
                break
            except TimeoutError:
                continue
        return self.end()

    def end(self) -> Shown:
        """Read until the command has ended."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        return Shown(self.text, self._process.wait(timeout=PATIENCE))

    def _read(self, end: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError(f"nothing more is shown after:\n{self.text}")
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # Linux says so when the last one has closed it
            return False
        self._shown += piece
        return bool(piece)


def run_in_terminal(environ: dict[str, str], folder: Path, *arguments: str, columns: int = 80) -> Shown:
    """`python -m codex_oauth …` with a terminal of its own, to its end, while nobody types."""
    with Terminal(environ, folder, *arguments, columns=columns) as terminal:
        return terminal.end()
