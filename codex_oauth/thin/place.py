"""Where the service's socket and the launch records lie, and whether that place may be trusted."""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "Untrusted",
    "anchored",
    "here",
    "launch_path",
    "make_folder",
    "own_folder",
    "own_socket",
    "read_own",
    "runtime_dir",
    "socket_path",
    "state_dir",
    "write_own",
)

_NAMED = (
    *("CODEX_OAUTH_HOME", "CODEX_OAUTH_CONFIG", "CODEX_OAUTH_METRICS", "CODEX_OAUTH_RECORD"),
    *("CODEX_HOME", "CLAUDE_CONFIG_DIR", "HOME"),
)

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


def anchored(environ: Mapping[str, str]) -> bool:
    """Whether every variable that names a place names the same one from each folder: what is shared by calls from
    everywhere can go by no other."""
    values = [environ.get(name, "") for name in _NAMED]
    return all(value.startswith(("/", "~")) or value in ("", "off", "on") for value in values)


def here() -> str:
    """The folder that this process runs in; empty where it is gone, or may not be known."""
    try:
        return os.getcwd()
    except OSError:
        return ""


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


def make_folder(path: str) -> None:
    """Make a folder, and what is missing above it, for this user alone, whatever the umask.

    Raises:
        OSError: It cannot be made.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above not in ("", path):
        make_folder(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return  # by another process, just now


def read_own(path: str, most: int) -> bytes | None:
    """A file of this user's that nobody else can have written, in a folder of the same kind; None for whatever else,
    and for one of more than so many bytes."""
    try:
        own_folder(os.path.dirname(path))
        # A pipe in its place would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
                return None
            data = os.read(descriptor, most + 1)
        finally:
            os.close(descriptor)
    except (OSError, Untrusted):
        return None
    return data if len(data) <= most else None


def write_own(path: str, data: bytes) -> None:
    """Write such a file, in one piece: whoever reads it meanwhile reads the old one.

    Raises:
        OSError: It cannot be written.
    """
    make_folder(os.path.dirname(path))
    new = f"{path}.{os.getpid()}.new"
    if os.path.lexists(new):
        os.unlink(new)  # of a process that was killed
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
