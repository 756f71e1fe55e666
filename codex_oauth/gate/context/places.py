"""Where a path really leads, found link by link, without going where a mere look would have effects."""

from __future__ import annotations

import json
import os
import sys
from typing import Final

from codex_oauth.gate.context.files import is_far
from codex_oauth.gate.context.shell_paths import ShellPath
from codex_oauth.gate.request import PermissionRequest

__all__ = ("UNKNOWN_FOLDER", "Places")

UNKNOWN_FOLDER: Final = "(relative to an unknown folder)"
"""What follows a relative path where nobody said what it is relative to."""

_LONGEST: Final = 300
_LONGEST_WRITTEN: Final = 140
_LONGEST_NAME: Final = 4_096
_MOST_LOOKS: Final = 1_000
"""How many parts of paths are looked up for one request: some microseconds each."""
_MOST_LINKS: Final = 40
_ODD: Final = frozenset(" \"'()")
_PRIVATE: Final = ("/proc/", "/dev/")
"""What is behind these depends on the process that looks."""


class Places:
    """Looks up the paths of one request.

    Attributes:
        certain: Whether a relative path starts from the request's own folder.
    """

    def __init__(self, request: PermissionRequest) -> None:
        folder = request.cwd if request.cwd and os.path.isabs(request.cwd) and not is_far(request.cwd) else None
        self.certain = folder is not None and request.host != "codex"
        self._folder = folder
        self._looks = _MOST_LOOKS
        self._links: dict[str, str | None] = {}

    def exists(self, name: str) -> bool:
        """Whether there is such a file, or such a link, in the request's folder."""
        if self._folder is None or not name or len(name) > _LONGEST_NAME or self._looks <= 0:
            return False
        above, base = os.path.split(os.path.join(self._folder, name))
        real = self.real(above)
        if real is None or is_far(f"{real}/") or not base:
            return False
        self._looks -= 1
        try:
            os.lstat(os.path.join(real, base))
        except (OSError, ValueError):
            return False
        return True

    def shown(self, path: ShellPath) -> str:
        """The path in words: as written, and where it leads."""
        written = _quoted(path.text)
        if not path.known or not path.local:
            return _short(written, _LONGEST)
        if path.tilde:
            full = os.path.expanduser("~") + path.text[1:]
        elif os.path.isabs(path.text):
            full = path.text
        elif path.here and self._folder is not None:
            full = os.path.join(self.real(self._folder) or self._folder, path.text)
        else:
            return f"{_short(written, _LONGEST - len(UNKNOWN_FOLDER) - 1)} {UNKNOWN_FOLDER}"
        real = self.real(full)
        # Where nothing but the folder was added, the reader knows as much.
        if real is None or (real == os.path.normpath(full) and not path.tilde and ".." not in path.text.split("/")):
            return _short(written, _LONGEST)
        written = _short(written, _LONGEST_WRITTEN)
        return f"{written} -> {_short(_quoted(real), _LONGEST - len(written) - 4)}"

    def real(self, path: str) -> str | None:
        """An absolute path without links and `..`; None if that cannot be known."""
        if is_far(path) or len(path) > _LONGEST_NAME:
            return None
        if sys.platform == "win32":
            try:
                return os.path.realpath(path)
            except (OSError, ValueError):
                return None
        done, links = "", 0
        parts = path.split("/")[::-1]
        while parts:
            part = parts.pop()
            if part == "..":
                done = done.rpartition("/")[0]
            if part in ("", ".", ".."):
                continue
            place = f"{done}/{part}"
            if place not in self._links:
                if self._looks <= 0:
                    return None
                self._links[place] = self._link(place)
            target = self._links[place]
            if target is None:
                done = place
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            if target.startswith("/"):
                done = ""
            parts.extend(reversed(target.split("/")))
        return done or "/"

    def _link(self, place: str) -> str | None:
        if is_far(place) or place.startswith(_PRIVATE):
            return None
        self._looks -= 1
        try:
            return os.readlink(place)
        except (OSError, ValueError):
            return None


def _quoted(text: str) -> str:
    plain = text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text
    if plain and _ODD.isdisjoint(text) and "->" not in text:
        return text
    return json.dumps(text[:_LONGEST_NAME], ensure_ascii=not plain)


def _short(text: str, limit: int) -> str:
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"
