"""The service's socket: one service on it at a time, and nothing in its place that is not this user's.

A lock beside the socket, held for as long as a service listens, decides who that is; the kernel lets go of it whatever
becomes of the process. The socket is made under another name and moved into place, so that one that is there has
somebody who listens, unless that somebody was killed. Only who holds the lock replaces it.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from codex_oauth.errors import ConfigurationError
from codex_oauth.thin.place import Untrusted, own_folder

__all__ = ("Listening", "Taken", "check_platform")

_BACKLOG: Final = 1024
# Connections that wait to be accepted; the system may allow fewer. 200 hooks at once are a busy agent's.

_LOCK_PATIENCE: Final = 0.5
"""Seconds to wait for the lock. A client that looks whether somebody has it holds it for a moment."""


_MAY_BE_INHERITED: Final = (9, 10)
# Where a client that starts the service leaves it the lock that other clients wait at: `codex_oauth.thin.start`.


class Taken(Exception):
    """Another service has the socket, or is about to."""


def check_platform() -> None:
    """Make sure that the service can run on this system.

    Raises:
        ConfigurationError: It cannot.
    """
    if sys.platform == "win32":
        raise ConfigurationError("the warm service needs unix sockets, which Windows does not give to Python yet")


class Listening:
    """Listens on `path` from `open` to `close`.

    Args:
        path: The socket's path; its folder is made if need be.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock: int | None = None
        self._start_lock = _inherited(f"{path}.start")
        self._socket: socket.socket | None = None
        self._made: tuple[int, int] | None = None

    @property
    def socket(self) -> socket.socket:
        """The listening socket. It does not block."""
        assert self._socket is not None
        return self._socket

    def open(self) -> None:
        """Take the place, and listen.

        Raises:
            Taken: Another service has it.
            ConfigurationError: Something else is there, or the folder is not this user's alone.
        """
        check_platform()
        folder = Path(self.path).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            own_folder(str(folder))
            self._take_lock()
            self.bind()
        except Untrusted as error:
            self.close()
            raise ConfigurationError(f"{error}; the service listens only where nobody else can") from error
        except OSError as error:
            self.close()
            raise ConfigurationError(f"{self.path}: cannot listen there: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def bind(self) -> None:
        """Listen on a new socket, in place of whatever socket of this user's is there.

        Raises:
            ConfigurationError: Something else is there.
            OSError: The system refuses.
        """
        self._check_place()
        new = Path(self.path.removesuffix(".sock") + ".new")
        new.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.bind(str(new))
            os.chmod(new, 0o600)
            made.listen(_BACKLOG)
            made.setblocking(False)
            found = os.lstat(new)
            new.rename(self.path)
        except OSError:
            made.close()
            raise
        old, self._socket = self._socket, made
        self._made = (found.st_dev, found.st_ino)
        if old is not None:
            old.close()

    def look(self) -> Literal["here", "gone", "taken"]:
        """Whether clients still find this service: it is there; it was deleted, and may be made anew; or the place is
        another's now, or the lock is."""
        if self._lock is None:
            return "taken"
        try:
            locked, held = os.lstat(f"{self.path}.lock"), os.fstat(self._lock)
            if (locked.st_dev, locked.st_ino) != (held.st_dev, held.st_ino):
                return "taken"
        except OSError:
            return "taken"  # who comes next makes a lock of its own
        try:
            found = os.lstat(self.path)
        except OSError:
            return "gone"
        return "here" if (found.st_dev, found.st_ino) == self._made else "taken"

    def withdraw(self) -> None:
        """Leave the place to the next service. Who has connected can still be accepted."""
        if self._made is not None and self.look() == "here":
            with suppress(OSError):
                Path(self.path).unlink()
        self._made = None
        for descriptor in (self._lock, self._start_lock):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._start_lock = None

    def close(self) -> None:
        """Leave the place, and stop listening."""
        self.withdraw()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _take_lock(self) -> None:
        import fcntl

        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        self._lock = descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigurationError(f"{self.path}.lock is not a file; move it away")
        end = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    os.close(descriptor)
                    self._lock = None
                    raise Taken(f"another service has {self.path}") from None
                time.sleep(0.02)
            else:
                return

    def _check_place(self) -> None:
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            what = "a link" if stat.S_ISLNK(found.st_mode) else "not a socket"
            raise ConfigurationError(f"{self.path} is {what}; move it away")
        if found.st_uid != os.geteuid():
            raise ConfigurationError(f"{self.path} belongs to another user; move it away")


def _inherited(path: str) -> int | None:
    """The descriptor of this file that whoever started this process has left it."""
    with suppress(OSError):
        wanted = os.lstat(path)
        for descriptor in _MAY_BE_INHERITED:
            with suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), wanted):
                    return descriptor
    return None
