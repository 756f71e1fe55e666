"""The child process: started in a group of its own, its output drained, ended without losing a token or leaving an
orphan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import IO, Final

import anyio

from codex_oauth.errors import CodexNotFoundError, ProcessError, UnsupportedCodexError
from codex_oauth.process.command import CommandSpec
from codex_oauth.process.watchdog import KILL_GRACE, Watchdog, reap, reap_later

__all__ = ("Child", "spawn")

_STDERR_TAIL: Final = 16 * 1024
"""Bytes of stderr that are kept for error messages."""

_TERM_PATIENCE: Final = 1.0
"""Seconds between SIGTERM and SIGKILL, for a child that has not ended within its grace after the end of stdin."""

_LAST_WORDS: Final = 0.2
"""Seconds to wait, once stdout has ended, for the exit status and the end of stderr."""

_READ_SIZE: Final = 256 * 1024


class Child:
    """A running process with its three pipes, all non-blocking.

    Use `read`, `write` and `drain_stderr` from one task each; `stop` from anywhere, any number of times.
    """

    def __init__(self, popen: subprocess.Popen[bytes], *, grace: int, watchdog: Watchdog | None) -> None:
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._popen = popen
        self._grace = grace
        self._watchdog = watchdog
        self._stdin = popen.stdin
        self._stdout = popen.stdout
        self._stderr = popen.stderr
        self._drained = anyio.Event()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._stopping = anyio.Lock()
        self.pid = popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def stderr_tail(self) -> str:
        """The last 16 KiB of what it wrote to stderr."""
        return b"".join(self._tail).decode("utf-8", "replace")[-_STDERR_TAIL:]

    async def read(self) -> bytes:
        """The next bytes of stdout; empty at its end."""
        return await _read(self._stdout)

    async def write(self, data: bytes) -> None:
        """Write all of `data` to stdin.

        Raises:
            BrokenPipeError: The child no longer reads.
        """
        view = memoryview(data)
        while view:
            if self._stdin.closed:
                raise BrokenPipeError
            try:
                view = view[os.write(self._stdin.fileno(), view) :]
            except BlockingIOError:
                with suppress(anyio.ClosedResourceError):
                    await anyio.wait_writable(self._stdin.fileno())

    async def drain_stderr(self) -> None:
        """Read stderr until it ends, keeping the tail: a pipe that nobody reads would stop the child."""
        try:
            while chunk := await _read(self._stderr):
                self._tail.append(chunk)
                self._tail_size += len(chunk)
                while self._tail_size - len(self._tail[0]) >= _STDERR_TAIL:
                    self._tail_size -= len(self._tail.popleft())
        finally:
            self._drained.set()

    async def last_words(self) -> None:
        """Wait a moment for the exit status and the rest of stderr, which come just after the end of stdout."""
        with anyio.move_on_after(_LAST_WORDS):
            await _wait(self._popen)
            await self._drained.wait()

    def close_stdin(self) -> None:
        """Tell the child that nothing more will come: it ends by itself, after a token refresh in flight."""
        _close(self._stdin)

    async def gone_within(self, seconds: float) -> bool:
        """Whether it has ended by itself, waiting that long at most."""
        return await self._gone(seconds)

    def kill(self) -> None:
        """Kill it and its group at once. What it has not stored is lost: a token that it is refreshing, too."""
        self._kill()

    async def stop(self, *, patience: float | None = None) -> int | None:
        """End the process and everything in its group.

        Closes stdin: 0.163 and 0.169 end within 40 ms of that, turn or no turn, but for a token refresh in flight.
        Signals come after the grace that one may need, since SIGTERM, too, makes an app-server that is starting lose
        the new token. A caller with less patience leaves them to a watchdog. Shielded from cancellation and idempotent.

        Args:
            patience: Seconds that this may take; by default as long as the child may take.

        Returns:
            The exit code; None if a watchdog has taken over.
        """
        with anyio.CancelScope(shield=True):
            async with self._stopping:
                if self._stdout.closed:
                    return self.returncode
                patience = self._grace if patience is None else patience
                try:
                    return await self._stop(patience)
                finally:
                    self._close_pipes()

    async def _stop(self, patience: float) -> int | None:
        self.close_stdin()
        if not await self._gone(patience):
            if patience < self._grace and self._watchdog is not None:
                self._watchdog.take_over()
                self._watchdog = None
                return None
            self._signal(signal.SIGTERM)
            if not await self._gone(_TERM_PATIENCE):
                self._kill()
                await self._gone(self._grace)
        # The leader is gone; whatever it left in its group goes with it.
        self._kill()
        if self._watchdog is not None:
            self._watchdog.dismiss()
            self._watchdog = None
        return self.returncode

    async def _gone(self, timeout: float) -> bool:
        with anyio.move_on_after(max(timeout, 0)):
            await _wait(self._popen)
        return self._popen.poll() is not None

    def _signal(self, number: signal.Signals) -> None:
        if sys.platform == "win32":
            self._kill()
            return
        # PermissionError: on macOS, a group of which only the zombie is left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _kill(self) -> None:
        if sys.platform == "win32":
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(self.pid)], capture_output=True, check=False, timeout=KILL_GRACE
            )
        else:
            self._signal(signal.SIGKILL)

    def _close_pipes(self) -> None:
        for pipe in (self._stdin, self._stdout, self._stderr):
            _close(pipe)
        if self._popen.poll() is None:
            reap_later(self._popen)


def spawn(spec: CommandSpec) -> Child:
    """Start a process in a session and group of its own. Takes 1 to 2 ms and blocks for no longer.

    Raises:
        CodexNotFoundError: There is no such program.
        UnsupportedCodexError: It is not a program for this machine.
        ProcessError: The system refused for another reason.
    """
    reap()
    program = spec.argv[0]
    try:
        popen = subprocess.Popen(
            spec.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(spec.env),
            cwd=spec.cwd,
            bufsize=0,
            # Its own session, so that a terminal's Ctrl-C reaches us alone and we end it in order.
            start_new_session=True,
            pass_fds=spec.inherit,
        )
    except FileNotFoundError as error:
        raise CodexNotFoundError(f"{error.filename or program}: no such program or folder") from error
    except PermissionError as error:
        raise CodexNotFoundError(f"{program}: not executable") from error
    except OSError as error:
        kind = UnsupportedCodexError if error.strerror == "Exec format error" else ProcessError
        raise kind(f"{program}: cannot be started: {error.strerror}") from error
    for pipe in (popen.stdin, popen.stdout, popen.stderr):
        assert pipe is not None
        if sys.platform != "win32":
            os.set_blocking(pipe.fileno(), False)
    try:
        watchdog = Watchdog(popen.pid, spec.grace) if sys.platform != "win32" else None
    except OSError as error:
        popen.kill()
        popen.communicate()
        raise ProcessError(f"no watchdog for {program}: {error.strerror}") from error
    return Child(popen, grace=spec.grace, watchdog=watchdog)


async def _read(pipe: IO[bytes]) -> bytes:
    if sys.platform == "win32":
        # No readiness for pipes there: a thread waits.
        return await anyio.to_thread.run_sync(os.read, pipe.fileno(), _READ_SIZE, abandon_on_cancel=True)
    # Asked anew each time: once the pipe is closed, its number may be that of another child's pipe.
    while not pipe.closed:
        try:
            return os.read(pipe.fileno(), _READ_SIZE)
        except BlockingIOError:
            with suppress(anyio.ClosedResourceError):
                await anyio.wait_readable(pipe.fileno())
        except OSError:
            break
    return b""


def _close(pipe: IO[bytes]) -> None:
    if not pipe.closed:
        # Whoever waits for the pipe is told. Otherwise the event loop would go on to watch its number, which the next
        # child's pipe gets.
        anyio.notify_closing(pipe.fileno())
        pipe.close()


async def _wait(popen: subprocess.Popen[bytes]) -> None:
    opener: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if opener is not None:
        try:
            descriptor = opener(popen.pid)
        except OSError:
            pass
        else:
            try:
                await _readable_or_poll(popen, lambda: anyio.wait_readable(descriptor))
            finally:
                os.close(descriptor)
            return
    await _readable_or_poll(popen, lambda: anyio.sleep(0.005))


async def _readable_or_poll(popen: subprocess.Popen[bytes], pause: Callable[[], Awaitable[None]]) -> None:
    while popen.poll() is None:
        await pause()
