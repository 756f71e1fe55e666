"""What went wrong with recording: counted, and said once."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter

__all__ = ("Trouble",)


class Trouble:
    """Counts what went wrong by its kind, and says the first of each kind in the log `codex_oauth.recorder`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter[str]()

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind of thing went wrong."""
        with self._lock:
            return dict(self._counts)

    def note(self, kind: str, words: str, error: Exception | None = None) -> None:
        """Count one more.

        Args:
            kind: What it counts as.
            words: What is said of the first of them. Never content.
            error: What was raised. Its message may hold content, so only the system's own words are said, or its class.
        """
        with self._lock:
            self._counts[kind] += 1
            if self._counts[kind] > 1:
                return
        why = (error.strerror if isinstance(error, OSError) else None) or (type(error).__name__ if error else None)
        # A program may have made its log raise what goes wrong with it.
        with contextlib.suppress(Exception):
            import logging

            logging.getLogger("codex_oauth.recorder").warning("%s", f"{words}: {why}" if why else words)
