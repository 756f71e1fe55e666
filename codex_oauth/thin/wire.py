"""What a client and the service say to each other: a command with its input, and what it would have written.

    POST /v1/run                        the body: what `encode_call` gives, then the command's input
    102 Processing, x-deadline: 30.0    at once, when the head and the call have come: it is alive, and answers within
                                        that many seconds, by the policy
    200 OK                              x-exit-status, x-stdout-length; the body: stdout, then stderr
    409 Conflict                        another version, key, binary or view of the files: not this client's service
    503 Service Unavailable             it has as much to do as it takes

A client that hears nothing at all within `ALIVE` seconds goes its own way, and so it does where the connection breaks.
"""

from __future__ import annotations

import os

__all__ = ("ALIVE", "LARGEST", "decode_call", "encode_call", "head_of", "received")

LARGEST = 256 * 1024
"""Bytes that the service takes. To look for secrets in a megabyte takes a second, in which all others would wait."""

ALIVE = 1.0
"""Seconds for the service's first word. It takes a millisecond, and longer where hundreds ask at once; a process that
is stopped never says it."""


def encode_call(*, cwd: str, path: str, project: str, words: list[str]) -> bytes:
    """The part of a request's body before the command's input.

    Args:
        cwd: The folder that the command would run in.
        path: PATH, by which the client would find its codex.
        project: The folder that Claude Code was started in; empty where it does not say.
        words: The command line after the program's name.
    """
    return os.fsencode("\0".join((cwd, path, project, *words)))


def decode_call(data: bytes) -> tuple[str, str, str, list[str]]:
    """The folder, PATH, the project's folder and the command line.

    Raises:
        ValueError: It is none.
    """
    cwd, path, project, *words = os.fsdecode(data).split("\0")
    return cwd, path, project, words


def head_of(method: str, target: str, version: str, key: str, call: int, length: int) -> bytes:
    """A request up to its body, as HTTP/1.1.

    Args:
        method: Such as `POST`.
        target: Such as `/v1/run`.
        version: This package's.
        key: Whose service is meant.
        call: Bytes of the body that `encode_call` gave.
        length: Bytes of the body.
    """
    return (
        f"{method} {target} HTTP/1.1\r\nhost: codex-oauth\r\nx-codex-oauth-version: {version}\r\n"
        f"x-codex-oauth-key: {key}\r\nx-meta-length: {call}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    ).encode("ascii")


def received(data: bytes) -> tuple[int, dict[str, str], bytes] | None:
    """A response's status, its headers in lower case, and what has come of the rest; None while its head is not
    there yet.

    Raises:
        ValueError: It is no response.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, status = first.partition(" ")
    if not protocol.startswith("HTTP/1.") or not status[:3].isdecimal():
        raise ValueError("not HTTP")
    headers = dict[str, str]()
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status[:3]), headers, rest
