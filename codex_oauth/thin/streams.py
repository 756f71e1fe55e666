"""What comes in and what goes out, by descriptor: nothing of it is text here."""

from __future__ import annotations

import os
import sys
import time

__all__ = ("NoRequest", "read_request", "stdout_alone", "write_all", "write_words")

_MOST = 64 * 1024 * 1024
"""Bytes of a request. Hosts were measured to send whole files and patches; 5 MB is a large one."""

_PATIENCE = 20.0
"""Seconds for the host to write its request and close the pipe. Both write it at once."""


class NoRequest(Exception):
    """There is no whole request on stdin; the message says why."""


def stdout_alone() -> int:
    """A descriptor of stdout for the answer. Whatever else is printed, by whomever, goes to stderr from now on: one
    stray line, and Codex passes over the answer."""
    try:
        os.fstat(2)
    except OSError:
        # It was closed. What is opened next would get its number, and with it everybody's complaints.
        null = os.open(os.devnull, os.O_RDWR)
        if null != 2:
            os.dup2(null, 2)
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def read_request() -> bytes:
    """All of stdin.

    Raises:
        NoRequest: It is closed, is a terminal, does not end, or is too long.
    """
    try:
        terminal = os.isatty(0)
        os.fstat(0)
    except OSError:
        raise NoRequest("stdin is closed, so there is no request") from None
    if terminal:
        raise NoRequest("a host runs this, with its request on stdin; to try a request, use: codex-oauth gate explain")
    pieces: list[bytes] = []
    size = 0
    deadline = time.monotonic() + _PATIENCE
    while True:
        if not _ends_in_time(deadline - time.monotonic()):
            raise NoRequest(f"the host did not end its request within {_PATIENCE:.0f} s")
        try:
            piece = os.read(0, 1024 * 1024)
        except BlockingIOError:
            continue
        except OSError as error:
            raise NoRequest(f"stdin cannot be read: {error.strerror}") from None
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > _MOST:
            raise NoRequest(f"the request is longer than {_MOST // 1024 // 1024} MiB")


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it.

    Raises:
        OSError: It cannot be written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_words(data: bytes) -> None:
    """Write to stderr. Not needed by anybody: a stderr that is full or gone must not keep the answer back."""
    try:  # noqa: SIM105 - contextlib takes its time to import
        write_all(2, data)
    except OSError:
        pass


def _ends_in_time(seconds: float) -> bool:
    """Whether stdin has more, or its end, within that time. Windows cannot say it of a pipe."""
    if sys.platform == "win32":
        return True
    import select

    poll = select.poll()
    poll.register(0, select.POLLIN)
    return bool(poll.poll(max(seconds, 0) * 1000))
