"""Who is on the other side of a unix socket: the user and the process, as the kernel says."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Final, NamedTuple

__all__ = ("Peer", "peer_of", "sees_the_same_files")

_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1
_LOCAL_PEERPID: Final = 2
# macOS: <sys/un.h>. Python has no names for them.

_XUCRED_SIZE: Final = 76


class Peer(NamedTuple):
    """The other side, as it was when it connected or began to listen.

    Attributes:
        uid: Its effective user.
        pid: Its process; None where the system does not say.
    """

    uid: int
    pid: int | None

    @property
    def is_me(self) -> bool:
        """Whether it is this process's user. Root is not: it can become that user if it means to."""
        return self.uid == os.geteuid()


def peer_of(connection: socket.socket) -> Peer | None:
    """The other side of a connection; None where the system has no way to say.

    Raises:
        OSError: The connection is gone.
    """
    if hasattr(socket, "SO_PEERCRED"):
        pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return Peer(uid, pid)
    if sys.platform == "darwin":
        data = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE)
        pid = int.from_bytes(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4), sys.byteorder)
        return Peer(int.from_bytes(data[4:8], sys.byteorder), pid)
    return None


def sees_the_same_files(peer: Peer | None) -> bool:
    """Whether a path is the same place for the other side: not where it runs in a sandbox or a container that this
    process is not in (Linux). True where the system does not say."""
    if sys.platform != "linux" or peer is None:
        return True
    try:
        here = _view("self")
    except OSError:
        return True  # there is no /proc
    try:
        return _view(str(peer.pid)) == here
    except OSError:
        return False  # it has left, or may not be looked at from here: then it is elsewhere


def _view(process: str) -> tuple[str, int, int]:
    root = os.stat(f"/proc/{process}/root")
    return os.readlink(f"/proc/{process}/ns/mnt"), root.st_dev, root.st_ino
