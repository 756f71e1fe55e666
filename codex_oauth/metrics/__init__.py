"""What each call took: one JSON line per call in a file that stays small, with nothing of its content."""

from __future__ import annotations

from codex_oauth.metrics.entry import MetricsEntry, Outcome, Phases, Tokens
from codex_oauth.metrics.writer import LIMIT, append, read

__all__ = ("LIMIT", "MetricsEntry", "Outcome", "Phases", "Tokens", "append", "read")
