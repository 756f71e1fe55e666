"""What is remembered of a network: that it refuses WebSockets in a way that codex tries for six seconds to get past.

codex asks for one for each thread. A proxy that answers 426 costs nothing; one that answers 403 or drops the connection
costs 6 to 7 seconds (seven tries, 0.163 and 0.169) before codex sends the request as a POST, and the next thread's turn
waits as long again.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import Final

from codex_oauth.config import Settings

__all__ = ("REMEMBERED_FOR", "Network")

REMEMBERED_FOR: Final = 3600.0
"""Seconds after which it is tried again."""

_VARIABLES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


class Network:
    """The way from a home to the service, told by the home and the proxy's variables. What is remembered is an empty
    file, by its time.

    Args:
        settings: Whose home, and which variables.

    Attributes:
        file: There where it refuses WebSockets.
    """

    def __init__(self, settings: Settings) -> None:
        way = [str(settings.home), *(f"{name}={settings.inherited.get(name)}" for name in _VARIABLES)]
        # A proxy's address may hold a password.
        digest = hashlib.sha256("\0".join(way).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._folder = settings.state_dir / "networks"
        self.file = self._folder / f"{digest}-refuses-websockets"

    @property
    def refuses_websockets(self) -> bool:
        """Whether it has lately."""
        try:
            return abs(time.time() - os.stat(self.file).st_mtime) < REMEMBERED_FOR
        except OSError:
            return False

    def note(self) -> None:
        """It has refused one. What cannot be written is not remembered."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for old in self._folder.iterdir():
                if abs(time.time() - old.stat().st_mtime) > REMEMBERED_FOR:
                    old.unlink(missing_ok=True)
            self.file.touch(mode=0o600)
            os.utime(self.file)

    def forget(self) -> None:
        """It is to be tried again."""
        with suppress(OSError):
            self.file.unlink(missing_ok=True)
