"""Who is on the other side of a unix socket: the user and the process, as the kernel says."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Final, NamedTuple

__all__ = ("Peer", "peer_of")

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
