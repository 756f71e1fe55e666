"""A host's settings file: read with care, and replaced in one step with a copy of what was there beside it."""

from __future__ import annotations

import difflib
import json
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from codex_oauth.errors import ConfigurationError

__all__ = ("SettingsFile", "backup_of", "difference", "read_settings", "remove_settings", "write_settings")

_UNCHANGED: Final = "Nothing was changed"
_BOM: Final = b"\xef\xbb\xbf"
_NONE: Final = "/dev/null"


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A settings file as it was read.

    Attributes:
        path: Where the host looks for it.
        real: Where it is, with links followed.
        raw: Its bytes; None where there is none yet.
        text: Its words; empty where there is none yet.
        value: What the words say: an object.
        mode: Its permissions; None where there is none yet.
    """

    path: Path
    real: Path
    raw: bytes | None = field(repr=False)
    text: str = field(repr=False)
    value: dict[str, Any] = field(repr=False)
    mode: int | None = None

    def wrong(self, what: str, place: int | None = None) -> ConfigurationError:
        """An error about this file, with the line of a place in its text."""
        line = "" if place is None else f":{self.text.count(chr(10), 0, place) + 1}"
        return ConfigurationError(f"{self.path}{line}: {what}. {_UNCHANGED}")


def read_settings(path: Path) -> SettingsFile:
    """Read a settings file. One that does not exist, or has nothing in it, is an empty object.

    Raises:
        ConfigurationError: It cannot be read, or is not a JSON object; the message says where and what to do.
    """
    real = Path(os.path.realpath(path))
    try:
        status = real.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no file"
            raise ConfigurationError(f"{path}: is {kind}; a settings file belongs there. {_UNCHANGED}")
        raw = real.read_bytes()
    except FileNotFoundError:
        return SettingsFile(path, real, None, "", {})
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}. {_UNCHANGED}") from error
    return _parsed(SettingsFile(path, real, raw, "", {}, stat.S_IMODE(status.st_mode)))


def _parsed(file: SettingsFile) -> SettingsFile:
    path, raw = file.path, file.raw or b""
    if raw.startswith(_BOM):
        raise file.wrong("begins with a byte order mark, which is not JSON; save it as UTF-8 without one", 0)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: is not UTF-8; save it as UTF-8. {_UNCHANGED}") from None
    file = SettingsFile(path, file.real, file.raw, text, {}, file.mode)
    if not text.strip(" \t\r\n"):
        return file
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].lstrip()
        if rest.startswith(("//", "/*", "#")):
            raise file.wrong("comments are not JSON; take them out", error.pos) from None
        what = f"is not JSON: {error.msg} at column {error.colno}; mend it"
        raise file.wrong(what, error.pos) from None
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _ConstantError) else "it is nested too deeply"
        raise file.wrong(f"is not JSON: {what}") from None
    if not isinstance(value, dict):
        raise file.wrong("is JSON, but not an object, {…}; settings are one", 0)
    return SettingsFile(path, file.real, file.raw, text, cast("dict[str, Any]", value), file.mode)


class _ConstantError(ValueError):
    pass


def _refuse(word: str) -> Any:
    raise _ConstantError(f"{word} is no number in it")


def difference(file: SettingsFile, text: str) -> Sequence[str]:
    """What would change, as the lines of a unified diff. Without text, the file would be taken away."""
    names = (_NONE if file.raw is None else str(file.path), str(file.path) if text else _NONE)
    return list(difflib.unified_diff(_lines(file.text), _lines(text), *names, lineterm=""))


def _lines(text: str) -> list[str]:
    # Not splitlines(), which also ends a line where JSON does not.
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def write_settings(file: SettingsFile, text: str) -> Path | None:
    """Put `text` in the place of what was read, in one step, with the old permissions and behind the same link.

    Two copies are kept: the first that was ever made, and that of the last change.

    Returns:
        The copy of what was there, beside it; None where there was nothing.

    Raises:
        ConfigurationError: Somebody has changed the file since it was read, or it cannot be written.
    """
    if file.mode is not None and not file.mode & 0o222:
        # Its folder would let it be replaced all the same: whoever made it so does not want that.
        raise file.wrong("is read-only; make it writable, or change it where it comes from")
    made: list[Path] = []
    try:
        file.real.parent.mkdir(parents=True, exist_ok=True)
        # A name that nobody else has: another one at the same moment, or one that was killed, is not in the way.
        new = file.real.with_name(f".{file.real.name}.{os.urandom(4).hex()}.new")
        _create(new, text.encode("utf-8"), file)
        made.append(new)
        backup, kept = _keep(file, made)
        if _bytes(file.real) != file.raw:
            raise ConfigurationError(
                f"{file.path}: was changed by somebody else meanwhile. {_UNCHANGED}; run the command again"
            )
        if backup is not None and kept is not None:
            kept.replace(backup)
            made.remove(kept)
        new.replace(file.real)
    except OSError as error:
        _take_back(made)
        raise ConfigurationError(f"{file.path}: cannot be written: {error.strerror}. {_UNCHANGED}") from error
    except BaseException:
        _take_back(made)
        raise
    return backup


def remove_settings(file: SettingsFile) -> None:
    """Take the file away, as it was read.

    Raises:
        ConfigurationError: Somebody has changed the file since it was read, or it cannot be taken away.
    """
    if file.mode is not None and not file.mode & 0o222:
        raise file.wrong("is read-only; make it writable, or change it where it comes from")
    try:
        if _bytes(file.real) != file.raw:
            raise ConfigurationError(
                f"{file.path}: was changed by somebody else meanwhile. {_UNCHANGED}; run the command again"
            )
        file.real.unlink()
    except OSError as error:
        raise ConfigurationError(f"{file.path}: cannot be taken away: {error.strerror}. {_UNCHANGED}") from error


def backup_of(file: SettingsFile) -> Path:
    """The place of the first copy: what was there before anything was changed."""
    return file.path.with_name(f"{file.path.name}.codex-oauth.bak")


def _take_back(made: list[Path]) -> None:
    for path in made:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _keep(file: SettingsFile, made: list[Path]) -> tuple[Path | None, Path | None]:
    """The copy, and where it is kept until it takes the place of an older one; None for one that is in its place."""
    if file.raw is None:
        return None, None
    first = backup_of(file)
    with suppress(FileExistsError):
        _create(first, file.raw, file)
        made.append(first)
        return first, None
    with suppress(OSError):
        if first.read_bytes() == file.raw:
            return first, None
    last = first.with_name(f"{first.name}.1")
    kept = first.with_name(f".{first.name}.{os.urandom(4).hex()}.new")
    _create(kept, file.raw, file)
    made.append(kept)
    return last, kept


def _create(path: Path, content: bytes, like: SettingsFile) -> None:
    """A new file with the permissions and the owner of another, or with the usual ones where that does not exist."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666 if like.mode is None else like.mode & 0o700)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            if like.mode is not None and sys.platform != "win32":
                # Nobody but root may give a file away; in a home of one's own there is nothing to give.
                with suppress(OSError):
                    status = like.real.stat()
                    os.fchown(stream.fileno(), status.st_uid, status.st_gid)
                os.fchmod(stream.fileno(), like.mode)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
