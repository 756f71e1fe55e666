"""What comes in and what goes out, by descriptor: nothing of it is text here."""

from __future__ import annotations

import os
import sys
import time

__all__ = ("NoRequest", "hold_numbers", "read_request", "stdout_alone", "write_all", "write_words")

_MOST = 64 * 1024 * 1024
"""Bytes of a request. Hosts were measured to send whole files and patches; 5 MB is a large one."""

_PATIENCE = 20.0
"""Seconds for the host to write its request and close the pipe. Both write it at once."""


_BAD_DESCRIPTOR = 9
# EBADF, on every system.

_DEAF = 0.5
"""Seconds that words wait for a stderr that is full."""

_PIECE = 512
"""Bytes that whatever has room at all takes without blocking: the least that POSIX allows for a pipe's atomic write."""


class NoRequest(Exception):
    """There is no whole request on stdin; the message says why."""


def hold_numbers() -> bool:
    """Give the numbers of stdin, stdout and stderr something to stand for where they were closed: what is opened next
    would get them, and with them what is meant for others. Whether stdout was open."""
    there = True
    # The wrong way round, so that reading and writing fail as they did.
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)
            there = there and number != 1
    return there


def stdout_alone() -> int:
    """A descriptor of stdout for the answer. Whatever else is printed, by whomever, goes to stderr from now on: one
    stray line, and Codex passes over the answer."""
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def read_request(patience: float = _PATIENCE) -> bytes:
    """All of stdin.

    Args:
        patience: Seconds for it to end.

    Raises:
        NoRequest: It is closed, is a terminal, does not end, or is too long.
    """
    if os.isatty(0):
        raise NoRequest("a host runs this, with its request on stdin; to try a request, use: codex-oauth gate explain")
    pieces: list[bytes] = []
    size = 0
    deadline = time.monotonic() + patience
    while True:
        # Windows cannot say it of a pipe.
        if sys.platform != "win32" and not _ready(0, deadline - time.monotonic(), writing=False):
            raise NoRequest(f"the host did not end its request within {patience:g} s")
        try:
            piece = os.read(0, 1024 * 1024)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno == _BAD_DESCRIPTOR:
                raise NoRequest("stdin is closed, so there is no request") from None
            raise NoRequest(f"stdin cannot be read: {error.strerror}") from None
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > _MOST:
            raise NoRequest(f"the request is longer than {_MOST // 1024 // 1024} MiB")


def write_all(descriptor: int, data: bytes, patience: float = _PATIENCE) -> None:
    """Write all of it.

    Args:
        descriptor: Where to.
        data: What.
        patience: Seconds to wait for whoever has made it a descriptor that does not block, and does not read.

    Raises:
        OSError: It cannot be written.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            if not _ready(descriptor, patience, writing=True):
                raise


def write_words(data: bytes) -> None:
    """Write to stderr. Not needed by anybody: a stderr that is full or gone must not keep the answer back."""
    rest = memoryview(data)
    try:
        while rest and (sys.platform == "win32" or _ready(2, _DEAF, writing=True)):
            rest = rest[os.write(2, rest[:_PIECE]) :]
    except OSError:
        pass


def _ready(descriptor: int, seconds: float, *, writing: bool) -> bool:
    """Whether something can be read, or written, within that time; the end of it, and an error, count too."""
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if writing else select.POLLIN)
    return bool(poll.poll(max(seconds, 0) * 1000))
