"""The bearer token: made once, kept in a file that only this user can read."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from codex_oauth.errors import ConfigurationError

__all__ = ("FILE_NAME", "PREFIX", "bearer_token")

FILE_NAME: Final = "endpoint-token"
"""Its name in the state folder."""

PREFIX: Final = "codex-oauth-"
"""How every token begins, so that one that turns up somewhere is recognised."""

_SHORTEST: Final = 20
_LONGEST: Final = 4096


def bearer_token(path: Path) -> tuple[str, bool]:
    """The token in the file, and whether it was made just now.

    Args:
        path: The file. It is made, with its folder, where there is none.

    Raises:
        ConfigurationError: Somebody else may read or write the file, or it holds no token.
    """
    try:
        found = _read(path)
        if found is not None:
            return found, False
        made = _make(path)
        return (made, True) if made is not None else (_read(path) or "", False)
    except OSError as error:
        if path.is_symlink():
            raise ConfigurationError(f"{path}: a link; name the file itself") from error
        raise ConfigurationError(f"{path}: the token cannot be kept there: {error.strerror}") from error


def _read(path: Path) -> str | None:
    try:
        # A pipe in its place would be waited for, and a link may lead anywhere.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    try:
        _check(path, os.fstat(descriptor))
        token = os.read(descriptor, _LONGEST + 1).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if not _SHORTEST <= len(token) <= _LONGEST or not all("!" <= character <= "~" for character in token):
        raise ConfigurationError(
            f"{path}: must hold a token of at least {_SHORTEST} visible ASCII characters and nothing else; delete it, "
            "and a new one is made"
        )
    return token


def _check(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise ConfigurationError(f"{path}: not a regular file; move it away, and a new token is made")
    if sys.platform == "win32":
        return
    if about.st_uid != os.geteuid():
        raise ConfigurationError(f"{path}: belongs to another user; move it away, and a new token is made")
    if about.st_mode & 0o077:
        raise ConfigurationError(
            f"{path}: others may read or write it (mode {about.st_mode & 0o777:o}), so the token may be known: delete "
            "it, and a new one is made; chmod 600 keeps it"
        )


def _make(path: Path) -> str | None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = PREFIX + secrets.token_urlsafe(32)
    # Nobody finds it half-written: it comes into its place as a whole, and never in that of another one.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(token.encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(beside, path)
        except FileExistsError:
            return None
    finally:
        with suppress(OSError):
            beside.unlink()
    return token
