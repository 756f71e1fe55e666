"""One call's metrics: a line of `schemas/metrics-entry.schema.json`."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

__all__ = ("MetricsEntry", "Outcome", "Phases", "Tokens")

Outcome: TypeAlias = Literal["ok", "error", "cancelled"]

OTHER = "other"
"""What is written in the place of a string that is not an identifier."""

# A word such as `gpt-6.1-sol`, `org/model`, `model:tag` or `usage_limit_reached`. A user may type anything where a
# model's name belongs: what could be an e-mail address (no @), a path (one slash, and not in front), a sentence (no
# space) or a key (no long run of letters and digits) is not written at all, for a part of it would still be somebody's.
_IDENTIFIER = re.compile(r"(?!.*[A-Za-z0-9]{25})[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)?(:[\w.+-]+)?", re.ASCII)
_LONGEST = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Phases:
    """When each phase was reached, in milliseconds since the call began; None for what was not."""

    spawn: float | None = None
    initialize: float | None = None
    account: float | None = None
    thread: float | None = None
    first_event: float | None = None
    first_text: float | None = None
    completed: float | None = None
    total: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """The tokens of a call, as the app-server counts them; None where it did not say."""

    input: int | None = None
    cached: int | None = None
    output: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsEntry:
    """What one call took, and how it ended.

    There is no place in it for a prompt, a reply, a token or an address: every string is a short identifier, and
    becomes `other` if it does not look like one.

    Attributes:
        command: What was asked for, such as `complete`, `classify`, `stream`, or `api`.
        package_version: The version of this package.
        outcome: How the call ended.
        error: The error's code, where it ended in one.
        model_requested: The model that the caller named.
        model: The model that answered.
        effort: The reasoning effort.
        phases: When each phase was reached.
        tokens: What was used.
        account: The kind of account that paid, such as `chatgpt`.
        plan: Its plan.
        codex_version: The version of the codex binary.
        repaired: Whether the reply needed a repair turn.
        warm: Whether the app-server was already running.
        retries: How often the call was tried again.
        time: When the call ended; now, if not given.
    """

    command: str
    package_version: str
    outcome: Outcome
    error: str | None = None
    model_requested: str | None = None
    model: str | None = None
    effort: str | None = None
    phases: Phases = field(default_factory=Phases)
    tokens: Tokens = field(default_factory=Tokens)
    account: str | None = None
    plan: str | None = None
    codex_version: str | None = None
    repaired: bool = False
    warm: bool = False
    retries: int = 0
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> str:
        """Give the entry as JSON: ASCII, on one line, without its end."""
        values: dict[str, Any] = {"time": _timestamp(self.time)}
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            if isinstance(value, str):
                value = _identifier(value)
            elif isinstance(value, Phases):
                value = {name: _milliseconds(reached) for name, reached in dataclasses.asdict(value).items()}
            elif isinstance(value, Tokens):
                value = dataclasses.asdict(value)
            values.setdefault(spec.name, value)
        return json.dumps(values, separators=(",", ":"), allow_nan=False)


def _identifier(text: str) -> str:
    return text if len(text) <= _LONGEST and _IDENTIFIER.fullmatch(text) else OTHER


def _milliseconds(value: float | None) -> float | None:
    # JSON has no NaN; and what is before the call began was measured wrongly.
    return round(value, 1) if value is not None and math.isfinite(value) and value >= 0 else None


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
