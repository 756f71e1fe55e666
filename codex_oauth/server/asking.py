"""A service asked from outside: whether it is there, how it is, and to end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.server.peers import peer_of
from codex_oauth.thin.place import Untrusted, own_socket
from codex_oauth.thin.wire import head_of, received
from codex_oauth.version import __version__

__all__ = ("DRAIN_PATIENCE", "Found", "find_service", "stop_service")

DRAIN_PATIENCE: Final = 35.0
"""Seconds that a service which ends gives to the calls that run: the usual deadline of a call, and a little more."""

_PATIENCE: Final = 5.0
"""Seconds for an answer. It takes 2 ms, and none comes from a process that is stopped."""

_LAST_PATIENCE: Final = 15.0
"""Seconds between SIGTERM and SIGKILL: the app-server may be in the middle of a token refresh, for which it gets 12."""


@dataclass(frozen=True, slots=True)
class Found:
    """A service that is there.

    Attributes:
        pid: Its process, by the kernel's word where it gives one.
        status: What it says about itself; None where it did not answer in time.
    """

    pid: int | None
    status: dict[str, Any] | None


def find_service(path: str) -> Found | None:
    """The service that listens at `path`; None where nobody does.

    Raises:
        ConfigurationError: What is there is not this user's.
    """
    return _ask(path, "GET", "/v1/status")


def stop_service(path: str) -> Literal["none", "ended", "killed"]:
    """Have the service at `path` end, and wait for that: first asked, then told, then killed.

    Raises:
        ConfigurationError: What is there is not this user's, or cannot be ended.
    """
    found = _ask(path, "POST", "/v1/stop")
    if found is None:
        return "none"
    if found.pid is None:
        raise ConfigurationError(f"the service at {path} does not say which process it is")
    with _Process(found.pid) as process:
        if found.status is not None and process.gone(DRAIN_PATIENCE + _PATIENCE):
            return "ended"
        process.send(signal.SIGTERM)
        process.send(signal.SIGCONT)  # one that is stopped would never hear of it
        if process.gone(_LAST_PATIENCE):
            return "ended"
        process.send(signal.SIGKILL)
        if process.gone(_PATIENCE):
            return "killed"
    raise ConfigurationError(f"process {found.pid}, the service, does not end")


def _ask(path: str, method: str, target: str) -> Found | None:
    try:
        own_socket(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Untrusted as error:
        raise ConfigurationError(str(error)) from error
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(path)
            peer = peer_of(connection)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror or 'no connection'}") from error
        if peer is not None and not peer.is_me:
            raise ConfigurationError(f"{path} is answered by another user")
        status = None
        with suppress(OSError, ValueError):
            connection.sendall(head_of(method, target, __version__, "", 0, 0))
            status = _json(connection)
    pid = peer.pid if peer is not None else None
    if pid is None and status is not None and isinstance(status.get("pid"), int):
        pid = cast("int", status["pid"])
    return Found(pid, status)


def _json(connection: socket.socket) -> dict[str, Any] | None:
    data = b""
    end = time.monotonic() + _PATIENCE
    while piece := connection.recv(65_536):
        data += piece
        if time.monotonic() > end:
            return None
    answer = received(data)
    if answer is None or answer[0] != 200:
        return None
    value: object = json.loads(answer[2])
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


class _Process:
    """A process that is not this one's child."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = False
        self._handle: int | None = None
        if sys.platform == "linux":
            try:
                # A number may be another process's by the time it is used; a handle never is.
                self._handle = os.pidfd_open(pid)
            except ProcessLookupError:
                self._ended = True
            except OSError:
                pass  # a kernel without them

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._ended:
            return
        with suppress(ProcessLookupError, PermissionError):
            if self._handle is not None and sys.platform == "linux":
                signal.pidfd_send_signal(self._handle, number)
            else:
                os.kill(self._pid, number)

    def gone(self, patience: float) -> bool:
        """Whether it ends in time."""
        if self._ended:
            return True
        if self._handle is not None:
            return bool(select.select([self._handle], [], [], patience)[0])
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                os.kill(self._pid, 0)
            except (ProcessLookupError, PermissionError):
                return True  # gone, or its number is another user's process by now
            time.sleep(0.01)
        return False
