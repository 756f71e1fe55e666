"""Start an app-server with nothing but the system's own call, and see to it that it ends."""

from __future__ import annotations

import os

from codex_oauth.thin.launch import Launch, child_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("KILL_GRACE", "WATCHDOG", "Started", "closings", "spawn_app_server", "spawn_watchdog")

KILL_GRACE = 12
"""Seconds between asking a child to end and killing it. A kill in the middle of a token refresh loses the rotated
token and with it the sign-in, so a child gets the time that a slow refresh request may take; it ends in some 20 ms
otherwise."""

WATCHDOG = """
cd /
read -r _
sleep 0.1 2>/dev/null
n=0
while kill -s 0 -- "-$1" 2>/dev/null && [ "$n" -lt "$2" ]; do sleep 1; n=$((n+1)); done
kill -s TERM -- "-$1" 2>/dev/null && sleep 1
kill -s KILL -- "-$1" 2>/dev/null
"""
"""A small shell that ends a process group once its stdin ends. `-s`, since dash takes `--` after nothing else; and not
every `sleep` knows a tenth of a second, which is enough for most groups to go by themselves."""


class Started:
    """An app-server's process id and the descriptors of its pipes, all this process's own. None of them blocks.

    Attributes:
        pid: It leads a session and a group of its own.
        stdin: To write to.
        stdout: To read from.
        stderr: The same.
        unsent: What its stdin did not take yet of what was written first.
    """

    __slots__ = ("pid", "stderr", "stdin", "stdout", "unsent")

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.unsent = b""


def closings() -> list[tuple[int, int]]:
    """What `posix_spawn` is to close in a new program, before anything else: whatever descriptors this one was given
    besides its standard streams. Whoever gave them waits for their end, and what is started here may live longer."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except (OSError, ValueError):
        return []
    found: list[tuple[int, int]] = []
    for number in numbers:
        try:
            if number > 2 and os.get_inheritable(number):
                found.append((os.POSIX_SPAWN_CLOSE, number))
        except OSError:
            continue  # it was that of the listing
    return found


def spawn_app_server(launch: Launch, environ: Mapping[str, str], place: int = -1) -> Started:
    """Start it. Takes half a millisecond.

    Args:
        launch: What to start.
        environ: The environment; most of it stays out.
        place: The descriptor of a `ColdPlace`, which is taken until it ends too: it has some 150 MB until then. None
            if negative.

    Raises:
        OSError, NotImplementedError: The system would not.
    """
    here = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    pipes: list[int] = []
    try:
        for _ in range(3):
            pipes += os.pipe()
        to_read, stdin, stdout, to_write, stderr, to_complain = pipes
        # posix_spawn has no folder of its own to begin in.
        os.chdir(launch.cwd)
        try:
            pid = os.posix_spawn(
                launch.argv[0],
                launch.argv,
                {**child_environment(environ), **launch.env},
                file_actions=[
                    *closings(),
                    (os.POSIX_SPAWN_DUP2, to_read, 0),
                    (os.POSIX_SPAWN_DUP2, to_write, 1),
                    (os.POSIX_SPAWN_DUP2, to_complain, 2),
                    # Unlike the original, a duplicate stays open in the new program.
                    *([(os.POSIX_SPAWN_DUP2, place, 3 if place != 3 else 4)] if place >= 0 else []),
                ],
                # Its own session, so that a terminal's Ctrl-C reaches us alone and we end it in order.
                setsid=True,
            )
        finally:
            os.fchdir(here)
    except BaseException:
        for descriptor in pipes:
            os.close(descriptor)
        raise
    finally:
        os.close(here)
    for descriptor in (to_read, to_write, to_complain):
        os.close(descriptor)
    for descriptor in (stdin, stdout, stderr):
        os.set_blocking(descriptor, False)
    return Started(pid, stdin, stdout, stderr)


def spawn_watchdog(pgid: int, grace: int) -> tuple[int, int]:
    """Start the shell that ends a group: its pid, and the descriptor whose end it waits for.

    Raises:
        OSError, NotImplementedError: The system would not.
    """
    reader, writer = os.pipe()
    try:
        pid = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", WATCHDOG, "codex-oauth-watchdog", str(pgid), str(grace)],
            {"PATH": os.defpath},
            file_actions=[
                *closings(),
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            # A session of its own: a terminal's Ctrl-C and hang-up must not reach it.
            setsid=True,
        )
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    return pid, writer
