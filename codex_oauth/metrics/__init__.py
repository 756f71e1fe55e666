"""What each call took: one JSON line per call in a file that stays small, with nothing of its content.

Only the gate's lines say what was asked for, without its secrets.
"""

from __future__ import annotations

from codex_oauth.metrics.entry import GateFields, MetricsEntry, Outcome, Phases, Served, Tokens
from codex_oauth.metrics.writer import LIMIT, append, read, scan

__all__ = ("LIMIT", "GateFields", "MetricsEntry", "Outcome", "Phases", "Served", "Tokens", "append", "read", "scan")
