"""The policy files that the user trusts, each as it was when the user looked at it.

A file's real path and the SHA-256 of its content, in a file of this package's own. Another content is not trusted: a
pull, a checkout or an agent may have put it there.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.records import record

__all__ = ("TrustedFile", "TrustedFiles", "content_hash")

_PATIENCE: Final = 10.0
"""Seconds to wait for another process that writes the list; it takes milliseconds."""


def content_hash(content: bytes) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    import hashlib  # two milliseconds, for the few repositories that have such a file

    return hashlib.sha256(content).hexdigest()


@record()
class TrustedFile:
    """What was trusted.

    Attributes:
        sha256: The content's hash.
        since: When: RFC 3339, UTC. Empty if it is not known.
    """

    sha256: str
    since: str


class TrustedFiles:
    """The list in the state folder. It is read when it is first asked, and again by each change."""

    def __init__(self, settings: Settings) -> None:
        self.path: Final = settings.state_dir / "gate" / "trusted.json"
        self._known: Mapping[str, TrustedFile] | None = None

    def trusts(self, file: str | os.PathLike[str], content: bytes) -> bool:
        """Whether this very content was trusted in this place. With a list that cannot be relied on, nothing is."""
        found = self.of(file)
        return found is not None and found.sha256 == content_hash(content)

    def of(self, file: str | os.PathLike[str]) -> TrustedFile | None:
        """What was trusted in this place; None where nothing was."""
        if self._known is None:
            try:
                self._known = self.all()
            except ConfigurationError:
                self._known = {}
        return self._known.get(_key(file))

    def all(self) -> Mapping[str, TrustedFile]:
        """Everything that is trusted, by real path.

        Raises:
            ConfigurationError: The list is damaged, or others can write it.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                raw = file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigurationError(f"{self.path}: cannot be read: {error.strerror}") from error
        others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if sys.platform != "win32" and (status.st_uid != os.geteuid() or others):
            raise ConfigurationError(f"{self.path}: not only you can write it, so nothing in it counts; remove it")
        try:
            files: Any = json.loads(raw)["files"]
            return {
                path: TrustedFile(str(entry["sha256"]), str(entry.get("since", "")))
                for path, entry in cast("dict[str, dict[str, Any]]", files).items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ConfigurationError(f"{self.path}: damaged, so nothing in it counts; remove it") from None

    def add(self, file: str | os.PathLike[str], content: bytes) -> TrustedFile:
        """Trust this content in this place, instead of any other that was trusted there.

        Raises:
            ConfigurationError: The list is damaged or cannot be written.
        """
        from datetime import UTC, datetime

        entry = TrustedFile(content_hash(content), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        with self._changing() as files:
            files[_key(file)] = entry
        return entry

    def remove(self, file: str | os.PathLike[str]) -> bool:
        """Trust nothing in this place. Returns whether something was.

        Raises:
            ConfigurationError: The list is damaged or cannot be written.
        """
        with self._changing() as files:
            return files.pop(_key(file), None) is not None

    @contextmanager
    def _changing(self) -> Generator[dict[str, TrustedFile]]:
        from filelock import FileLock, Timeout

        try:
            for folder in (self.path.parent.parent, self.path.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=_PATIENCE, mode=0o600):
                files = dict(self.all())
                before = dict(files)
                yield files
                if files != before:
                    self._write(files)
                self._known = files
        except Timeout:
            raise ConfigurationError(f"{self.path}: another process has been writing it; try again") from None
        except OSError as error:
            raise ConfigurationError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _write(self, files: Mapping[str, TrustedFile]) -> None:
        import tempfile

        value = {"files": {path: {"sha256": entry.sha256, "since": entry.since} for path, entry in files.items()}}
        # Made with 0600.
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        new = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        except BaseException:
            new.unlink()
            raise


def _key(file: str | os.PathLike[str]) -> str:
    # A path may hold bytes that are no text in any encoding; JSON holds the stand-ins that Python has for them.
    return os.path.normcase(os.path.realpath(file))
