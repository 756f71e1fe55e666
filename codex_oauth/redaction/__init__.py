"""Secrets taken out of what leaves the machine or is kept: requests to a model, metrics, logs, error texts."""

from __future__ import annotations

from codex_oauth.redaction.cleaning import cleaned
from codex_oauth.redaction.json_values import redact_value
from codex_oauth.redaction.texts import Redacted, redact

__all__ = ("Redacted", "cleaned", "redact", "redact_value")
