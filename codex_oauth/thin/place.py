"""Where the service's socket and the launch records lie, and whether that place may be trusted."""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Untrusted", "launch_path", "own_folder", "own_socket", "runtime_dir", "socket_path", "state_dir")

_LONGEST = 100
# Bytes of a socket's path: 104 is the least that a system allows, with the byte at its end.


class Untrusted(Exception):
    """What is in this place is not this user's own; the message says what it is."""


def state_dir(environ: Mapping[str, str]) -> str | None:
    """The state folder, as `config` finds it; None where only that can say."""
    base, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if sys.platform == "darwin":
        return f"{home}/Library/Application Support/codex-oauth" if home.startswith("/") else None
    if sys.platform != "linux":
        return None
    if not base.startswith("/"):
        if not home.startswith("/"):
            return None
        base = f"{home}/.local/state"
    return f"{base.rstrip('/')}/codex-oauth"


def launch_path(state: str, key: str) -> str:
    """The launch record of a key."""
    return f"{state}/launch/{key[:16]}"


def runtime_dir(environ: Mapping[str, str], state: str) -> str:
    """The folder of the sockets: in the runtime directory where the system has one, else in the state folder."""
    base = environ.get("XDG_RUNTIME_DIR", "")
    folder = f"{base.rstrip('/')}/codex-oauth" if base.startswith("/") and os.path.isdir(base) else f"{state}/run"
    if len(os.fsencode(folder)) + 22 > _LONGEST:
        folder = f"/tmp/codex-oauth-{os.getuid()}"  # noqa: S108 - a folder that `own_folder` finds to be this user's
    return folder


def socket_path(environ: Mapping[str, str], state: str, key: str) -> str:
    """Where the service of a key listens."""
    return f"{runtime_dir(environ, state)}/{key[:16]}.sock"


def own_folder(path: str) -> None:
    """Make sure that only this user can put anything into a folder.

    Raises:
        Untrusted: It is a link, somebody else's, or open to others.
        FileNotFoundError: It is not there.
    """
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise Untrusted(f"{path} is not a folder; move it away")
    if found.st_uid != os.getuid():
        raise Untrusted(f"{path} belongs to another user")
    if found.st_mode & 0o077:
        raise Untrusted(f"{path} is open to others: chmod 700 {path}")


def own_socket(path: str) -> None:
    """Make sure that a socket is one, and this user's.

    Raises:
        Untrusted: It is something else.
        FileNotFoundError: It is not there.
    """
    own_folder(os.path.dirname(path))
    found = os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode):
        raise Untrusted(f"{path} is not a socket; move it away")
    if found.st_uid != os.getuid():
        raise Untrusted(f"{path} belongs to another user")
