"""Start the service on demand: once, by whoever finds none, while all others wait for it."""

from __future__ import annotations

import fcntl
import os
import sys
import time

from codex_oauth.thin.child import closings
from codex_oauth.thin.options import WHERE
from codex_oauth.thin.place import make_folder, own_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("COLD_AT_ONCE", "ColdPlace", "StartLock", "start_service")

COLD_AT_ONCE = 8
"""App-servers of single calls that one user's hooks have at once: each takes some 150 MB."""

_LOOK_AGAIN = 0.03


class StartLock:
    """Held by who starts the service, and then by the service itself as long as it lives.

    Args:
        socket: The service's socket. Its folder is made if need be.

    Raises:
        OSError: The lock's file cannot be opened.
        Untrusted: The folder is not this user's own.
    """

    def __init__(self, socket: str) -> None:
        folder = os.path.dirname(socket)
        make_folder(folder)
        own_folder(folder)
        self._descriptor = os.open(f"{socket}.start", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def acquire(self) -> bool:
        """Take it, if nobody has it."""
        return _locked(self._descriptor)

    def inherited(self) -> int:
        """Its descriptor, for the service to have."""
        return self._descriptor


class ColdPlace:
    """One of the places for calls with an app-server of their own. Given back when this process has ended, and whoever
    inherits its descriptor.

    Args:
        folder: Where the places are. It is made if need be.

    Attributes:
        descriptor: The place's, once it is taken.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, folder: str) -> None:
        make_folder(folder)
        self._folder = folder
        self.descriptor = -1

    def take(self, until: float) -> bool:
        """Wait for a place until that moment of `time.monotonic()`; False where none came."""
        first = os.getpid() % COLD_AT_ONCE
        while True:
            for number in range(COLD_AT_ONCE):
                path = f"{self._folder}/cold-{(first + number) % COLD_AT_ONCE}.lock"
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                if _locked(descriptor):
                    self.descriptor = descriptor
                    return True
                os.close(descriptor)
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK_AGAIN)


def start_service(lock: StartLock, options: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Start the service in the background, without waiting for it. It holds the lock from then on.

    Raises:
        OSError, NotImplementedError: The system would not.
    """
    words = [word for name in WHERE if name in options for word in (name, options[name])]
    # As an installed hook is started: no module of this folder or of a PYTHONPATH takes this package's place.
    argv = [sys.executable, "-E", "-P", "-m", "codex_oauth", "serve", "--on-demand", *words]
    held = 9 if lock.inherited() != 9 else 10
    os.posix_spawn(
        sys.executable,
        argv,
        dict(environ),
        file_actions=[
            *closings(),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
            # Unlike the original, a duplicate stays open in the new program.
            (os.POSIX_SPAWN_DUP2, lock.inherited(), held),
        ],
        setsid=True,
    )


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
