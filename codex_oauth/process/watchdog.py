"""A small shell that ends a process group which nobody else can end any more.

It is for two moments: this process is gone, and this process may not wait any longer for a child that is slow to go (it
takes over). Both times the child has seen the end of its stdin.

The kernel's own way, PR_SET_PDEATHSIG, sends its signal at once. codex 0.163 has no handler for SIGTERM yet while it
refreshes an expired token at its start, and loses the new one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from codex_oauth.thin.child import KILL_GRACE, WATCHDOG

__all__ = ("KILL_GRACE", "Watchdog", "reap", "reap_later")

_unreaped: Final[list[subprocess.Popen[bytes]]] = []
# Processes that end after whoever started them stopped waiting. The list is looked at whenever a new one starts, so
# that at most a few zombies exist for a while; at the end of this process the system reaps them.


def reap_later(popen: subprocess.Popen[bytes]) -> None:
    """Remember a process that is still to be reaped."""
    _unreaped.append(popen)


def reap() -> None:
    """Reap those of the remembered processes that have ended."""
    _unreaped[:] = [popen for popen in _unreaped if popen.poll() is None]


class Watchdog:
    """Ends the process group `pgid` once this process closes the pipe between them, or dies."""

    def __init__(self, pgid: int, grace: int = KILL_GRACE) -> None:
        assert sys.platform != "win32"
        reader, self._writer = os.pipe()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", WATCHDOG, "codex-oauth-watchdog", str(pgid), str(grace)],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath},
                cwd="/",
                # A session of its own: a terminal's Ctrl-C and hang-up must not reach it.
                start_new_session=True,
            )
        except OSError:
            os.close(self._writer)
            raise
        finally:
            os.close(reader)

    def take_over(self) -> None:
        """Let it end the group now, in its own time."""
        os.close(self._writer)
        reap_later(self._shell)

    def dismiss(self) -> None:
        """The group is gone: the watchdog goes too."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._writer)
