"""A terminal for a command: a pty that stdin, stdout and stderr are."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shown:
    """What a person saw, and how the command ended."""

    text: str
    returncode: int


def run_in_terminal(environ: dict[str, str], folder: Path, *arguments: str, columns: int = 80) -> Shown:
    """`python -m codex_oauth …` with a terminal of its own, to its end."""
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "codex_oauth", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environ, "TERM": "xterm-256color"},
            cwd=folder,
            start_new_session=True,
        )
        os.close(slave)
        slave = -1
        shown = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # Linux says so when the last one has closed it
                break
            if not piece:
                break
            shown += piece
        return Shown(shown.decode("utf-8", "replace").replace("\r\n", "\n"), process.wait(timeout=30))
    finally:
        os.close(master)
        if slave >= 0:
            os.close(slave)
