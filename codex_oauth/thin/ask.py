"""Ask the service, if there is one."""

from __future__ import annotations

import _socket  # `socket` takes longer to import than the answer takes to come
import os
import sys
import time

from codex_oauth.thin.place import Untrusted, here, own_socket
from codex_oauth.thin.wire import ALIVE, encode_call, head_of, received
from codex_oauth.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Answer", "Late", "NoService", "ask")

_MARGIN = 1.0
"""Seconds after the time that the service has promised to answer in."""

_CONNECTING = 0.25
"""Seconds to connect, where its queue of connections is full."""

_LONGEST_HEAD = 65_536
_LARGEST = 16 * 1024 * 1024
"""Bytes of an answer: a verdict has a few hundred."""

_LONGEST_PROMISE = 86_400.0
"""Seconds, as the longest time limit that can be set."""


class NoService(Exception):
    """There is none that would answer.

    Attributes:
        there: Whether there is a socket that is answered: with "busy", "not yours", or not in time.
    """

    def __init__(self, why: str, *, there: bool) -> None:
        super().__init__(why)
        self.there = there


class Late(Exception):
    """The service has taken the request, and did not answer in the time that it promised.

    Attributes:
        seconds: That time.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


class Answer:
    """What the command would have done.

    Attributes:
        stdout: What it would have written.
        stderr: The same for stderr.
        status: Its exit status.
    """

    __slots__ = ("status", "stderr", "stdout")

    def __init__(self, stdout: bytes, stderr: bytes, status: int) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.status = status


def ask(socket: str, key: str, words: list[str], stdin: bytes, environ: Mapping[str, str]) -> Answer:
    """Have the service run a command.

    Args:
        socket: Its socket.
        key: Whose service it has to be.
        words: The command line after the program's name.
        stdin: The command's input.
        environ: The environment; its PATH is told, and CLAUDE_PROJECT_DIR.

    Raises:
        NoService: There is none, or none that would answer.
        Late: It did not answer in the time that it promised.
        Untrusted: Something is in the socket's place that is not this user's.
    """
    try:
        own_socket(socket)
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except (FileNotFoundError, NotADirectoryError):
        raise NoService("there is none", there=False) from None
    try:
        try:
            _connect(connection, socket)
        except (ConnectionRefusedError, FileNotFoundError):
            raise NoService("nobody listens", there=False) from None
        if _peer(connection) not in (None, os.getuid()):
            raise Untrusted(f"{socket} is answered by another user")
        project = environ.get("CLAUDE_PROJECT_DIR", "")
        call = encode_call(cwd=here(), path=environ.get("PATH", ""), project=project, words=words)
        head = head_of("POST", "/v1/run", __version__, key, len(call), len(call) + len(stdin))
        return _exchange(connection, head + call, stdin)
    except (OSError, ValueError, KeyError) as error:
        raise NoService(f"it broke off: {type(error).__name__}", there=True) from None
    finally:
        connection.close()


def _connect(connection: _socket.socket, socket: str) -> None:
    until = time.monotonic() + _CONNECTING
    connection.settimeout(_CONNECTING)
    while True:
        try:
            return connection.connect(socket)
        except BlockingIOError:
            # Linux does not wait for a place in the queue where there is a time limit.
            if time.monotonic() >= until:
                raise
            time.sleep(_CONNECTING / 50)


def _exchange(connection: _socket.socket, head: bytes, stdin: bytes) -> Answer:
    began = time.monotonic()
    promised: float | None = None
    connection.settimeout(ALIVE)
    connection.sendall(head + stdin)
    data = b""
    while True:
        found = received(data)
        if found is None:
            if len(data) > _LONGEST_HEAD:
                raise ValueError("a head without an end")
            data += _piece(connection, began, promised)
        elif found[0] >= 200:
            break
        else:
            promised = float(found[1].get("x-deadline", "30"))
            if not 0 < promised <= _LONGEST_PROMISE:
                raise ValueError("no time to wait for")
            data = found[2]
    status, headers, rest = found
    if status != 200:
        raise NoService(f"it answered with {status}", there=True)
    length, out, code = (int(headers[name]) for name in ("content-length", "x-stdout-length", "x-exit-status"))
    if not (0 <= out <= length <= _LARGEST and 0 <= code <= 255):
        raise ValueError("no answer of a command")
    pieces, missing = [rest], length - len(rest)
    while missing > 0:
        piece = _piece(connection, began, promised)
        pieces.append(piece)
        missing -= len(piece)
    body = b"".join(pieces)
    return Answer(body[:out], body[out:length], code)


def _piece(connection: _socket.socket, began: float, promised: float | None) -> bytes:
    left = began + (ALIVE if promised is None else promised + _MARGIN) - time.monotonic()
    try:
        connection.settimeout(max(left, 0.001))
        piece = connection.recv(262_144)
    except TimeoutError:
        if promised is None:
            raise NoService("it does not answer", there=True) from None
        raise Late(promised) from None
    if not piece:
        raise NoService("it broke off", there=True)
    return piece


def _peer(connection: _socket.socket) -> int | None:
    """The user on the other side; None where the system does not say."""
    option = getattr(_socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = connection.getsockopt(_socket.SOL_SOCKET, option, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder)
