"""How both hosts run a hook.

As measured: Codex runs the hook's command by bash, with pipes for the three streams; Claude Code by sh, with sockets.
Both give it all of their environment and a session of its own, read until both streams have ended, and kill the whole
group when their patience is at its end.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from codex_oauth.gate import Host
from tests.gate.blackbox.host import Seen

__all__ = ("PATIENCE", "Running", "started")

PATIENCE: Final = 30.0
"""Seconds that a host waits for its hook here."""

_SHELLS: Final[Mapping[Host, str]] = {"claude": "sh", "codex": "bash"}


class Running:
    """A hook that runs.

    Attributes:
        process: The shell that the host started.
    """

    def __init__(self, process: subprocess.Popen[bytes], stdout: int, stderr: int) -> None:
        self.process = process
        self._stdout, self._stderr = stdout, stderr
        self._read = {stdout: bytearray(), stderr: bytearray()}
        self._open = [stdout, stderr]

    @property
    def pid(self) -> int:
        """The hook's process: some shells give it their own place, others wait for it."""
        pid = self.process.pid
        children = [child for child, parent in _parents().items() if parent == pid]
        is_shell = b"-c" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return children[0] if is_shell else pid

    def hang_up(self) -> None:
        """Read its stdout no more."""
        self._open.remove(self._stdout)
        os.close(self._stdout)

    def started(self) -> list[int]:
        """What it has started so far, and what that has: the ids of the processes."""
        parents = _parents()
        found = [self.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]

    def holds_a_stream(self, pid: int) -> bool:
        """Whether another process has any of the pipes of a Codex open."""
        ours = {os.fstat(stream).st_ino for stream in self._open}
        theirs: set[int] = set()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                theirs.add(entry.stat().st_ino)
        return bool(ours & theirs)

    def kill_group(self) -> None:
        """What a host does at its timeout."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def seen(self, patience: float = PATIENCE) -> Seen:
        """Read both streams to their ends, and the status.

        Raises:
            TimeoutError: Somebody still holds a stream after so many seconds.
        """
        end = time.monotonic() + patience
        with selectors.DefaultSelector() as selector:
            for stream in self._open:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(end - time.monotonic(), 0))
                if not ready:
                    raise TimeoutError(f"so far: {self._read}")
                for key, _ in ready:
                    try:
                        piece = os.read(key.fd, 65536)
                    except ConnectionResetError:
                        piece = b""
                    if piece:
                        self._read[key.fd] += piece
                    else:
                        selector.unregister(key.fd)
        status = self.process.wait(max(end - time.monotonic(), 1))
        return Seen(status, bytes(self._read[self._stdout]), self._read[self._stderr].decode())

    def close(self) -> None:
        """End what still runs, and read no more."""
        self.kill_group()
        self.process.wait()
        while self._open:
            os.close(self._open.pop())


@contextmanager
def started(host: Host, line: str, data: bytes | None, *, environ: Mapping[str, str], cwd: Path) -> Generator[Running]:
    """Start a hook as a host does, and end it with the block.

    Args:
        host: The host.
        line: The command, as it stands in the host's settings.
        data: What is written to its stdin; None to write nothing and never close it.
        environ: The host's environment.
        cwd: Where the host runs it.
    """
    shell = shutil.which(_SHELLS[host]) or "/bin/sh"
    (reader, stdin), (stdout, written), (stderr, told) = (_pair(host) for _ in range(3))
    process = subprocess.Popen(
        [shell, "-c", line], stdin=reader, stdout=written, stderr=told, env=environ, cwd=cwd, start_new_session=True
    )
    for descriptor in (reader, written, told):
        os.close(descriptor)
    running = Running(process, stdout, stderr)
    with os.fdopen(stdin, "wb", buffering=0) as file:
        writer = threading.Thread(target=_write, args=(file, data), daemon=True)
        if data is not None:
            writer.start()
        try:
            yield running
        finally:
            running.close()
            if data is not None:
                writer.join(5)


def _parents() -> dict[int, int]:
    """The parent of each process of this machine."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The name, in brackets, may itself hold blanks and brackets.
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def _pair(host: Host) -> tuple[int, int]:
    """A reading and a writing end."""
    if host == "codex":
        return os.pipe()
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def _write(file: IO[bytes], data: bytes) -> None:
    # A hook may end without having read all of it, or any.
    with suppress(BrokenPipeError, ConnectionResetError):
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
    file.close()
