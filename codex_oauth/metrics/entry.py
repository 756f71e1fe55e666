"""One call's metrics: a line of `schemas/metrics-entry.schema.json`."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.metrics.bounds import bounded, ends, name
from codex_oauth.records import as_values, field, names, record

__all__ = ("MAX_LINE", "GateFields", "MetricsEntry", "Outcome", "Phases", "Served", "Tokens")

Outcome: TypeAlias = Literal["ok", "error", "cancelled"]
Served: TypeAlias = Literal["process", "service"]

MAX_LINE: Final = 16 * 1024
"""Bytes of a line, its end among them."""

OTHER = "other"
"""What is written in the place of a string that is not an identifier."""

UNKNOWN = "unknown"
"""What is written in the place of a tool's name where there is none: the host's input could not be read, say."""

# A word such as `gpt-6.1-sol`, `org/model`, `model:tag` or `usage_limit_reached`. A user may type anything where a
# model's name belongs: what could be an e-mail address (no @), a path (one slash, and not in front), a sentence (no
# space) or a key (no long run of letters and digits) is not written at all, for a part of it would still be somebody's.
_IDENTIFIER = re.compile(r"(?!.*[A-Za-z0-9]{25})[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)?(:[\w.+-]+)?", re.ASCII)
_LONGEST = 64

_POLICY = re.compile(r"[0-9a-f]{12}", re.ASCII)
_SOURCE = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_HOSTS = frozenset({"claude", "codex"})
_VERDICTS = frozenset({"allow", "deny", "ask"})
_NAME = 128
_FOLDER = 500

_INPUT_SIZES: Final = ((2_000, 50), (500, 20), (100, 8))
"""Characters of a string and members of a container in a tool's input: the first that make the line short enough."""


@record(kw_only=True)
class Phases:
    """When each phase was reached, in milliseconds since the call began; None for what was not.

    Only a permission request has the first three, and it began as early as its process can tell.

    Attributes:
        read: The host's request was read.
        policy: The policies and what is known besides the request were read.
        asked: It was clear what the model is to be asked.

    The others are a `Timing`'s attributes.
    """

    read: float | None = None
    policy: float | None = None
    asked: float | None = None
    queued: float | None = None
    spawn: float | None = None
    initialize: float | None = None
    account: float | None = None
    thread: float | None = None
    first_event: float | None = None
    first_text: float | None = None
    completed: float | None = None
    total: float | None = None


@record(kw_only=True)
class Tokens:
    """The tokens of a call, as the app-server counts them; None where it did not say."""

    input: int | None = None
    cached: int | None = None
    output: int | None = None
    reasoning: int | None = None


@record(kw_only=True)
class GateFields:
    """What was asked of the gate, and its verdict.

    What it holds is bounded as it is written: a name to 128 characters, without control characters; a string of the
    input to 2,000, with its head and its tail; a container to 50 members; 8 containers within each other. It is bounded
    further where the line would still be longer than `MAX_LINE`.

    Attributes:
        session: The host's name for the conversation.
        tool: The tool's name, such as `Bash` or `mcp__server__tool`; empty where it could not be read.
        host: Which host asked; None for a request given by hand.
        mode: The host's permission mode.
        verdict: What the host was told; `error` where it got no answer.
        source: What made it so, such as `model`, `truncated` or `failure`. `rule` is a request that no model was asked
            about, such as a question to the person.
        forced: Whether it is another than the model's own word.
        rule: The id of the rule that decided.
        policy: The policy's fingerprint, 12 hexadecimal digits; None where there was no policy yet.
        input: The tool's input. It must come redacted: nothing is looked for in it here.
        cwd: Where it would have run; at most 500 characters are kept.
    """

    session: str | None = None
    tool: str
    host: Literal["claude", "codex"] | None = None
    mode: str | None = None
    verdict: Literal["allow", "deny", "ask", "error"]
    source: str
    forced: bool = False
    rule: str | None = None
    policy: str | None = None
    input: Any = field(default=None, repr=False)
    cwd: str | None = field(default=None, repr=False)

    def to_json(self, *, longest: int = 2_000, members: int = 50) -> dict[str, Any]:
        """The member `gate` of an entry, its input with strings of at most `longest` characters, and at most `members`
        members in a container; without the input where that is none."""
        left_out = "[…left out: too long…]"
        return {
            "session": _name(self.session),
            "tool": _name(self.tool) or UNKNOWN,
            "host": self.host if self.host in _HOSTS else None,
            "mode": _name(self.mode),
            "verdict": self.verdict if self.verdict in _VERDICTS else "error",
            "source": self.source if _SOURCE.fullmatch(self.source) else OTHER,
            "forced": bool(self.forced),
            "rule": _name(self.rule),
            "policy": self.policy if self.policy is not None and _POLICY.fullmatch(self.policy) else None,
            "input": bounded(self.input, longest=longest, members=members) if members else left_out,
            "cwd": None if self.cwd is None else ends(self.cwd, _FOLDER),
        }


@record(kw_only=True)
class MetricsEntry:
    """What one call took, and how it ended.

    There is no place in it for a prompt, a reply, a token or an address: every string is a short identifier, and
    becomes `other` if it does not look like one. Only `gate` may hold more, and that comes redacted.

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
        served: Who made the call: `process`, the one that was asked; `service`, the warm service.
        cached: Whether no call was made, since the same request had a verdict a short time ago.
        shared: Whether the call was one that somebody else had begun with the same question. Its tokens are on that
            one's line.
        gate: What was judged, where it was a permission request; None for any other call.
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
    served: Served = "process"
    cached: bool = False
    shared: bool = False
    gate: GateFields | None = None
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> str:
        """Give the entry as JSON: ASCII, on one line, without its end; with that, at most `MAX_LINE` bytes."""
        values: dict[str, Any] = {"time": _timestamp(self.time)}
        for member in names(self):
            value = getattr(self, member)
            if isinstance(value, str):
                value = _identifier(value)
            elif isinstance(value, Phases):
                value = {phase: _milliseconds(reached) for phase, reached in as_values(value).items()}
            elif isinstance(value, Tokens):
                value = as_values(value)
            values.setdefault(member, value)
        if self.gate is None:
            return _dumped(values)
        for longest, members in _INPUT_SIZES:
            values["gate"] = self.gate.to_json(longest=longest, members=members)
            # Characters are counted as they are written: one that is not ASCII takes six bytes or twelve.
            if len(line := _dumped(values)) < MAX_LINE:
                return line
        values["gate"] = self.gate.to_json(members=0)
        return _dumped(values)


def _dumped(values: dict[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


def _name(text: str | None) -> str | None:
    return None if text is None else name(text, _NAME) or None


def _identifier(text: str) -> str:
    return text if len(text) <= _LONGEST and _IDENTIFIER.fullmatch(text) else OTHER


def _milliseconds(value: float | None) -> float | None:
    # JSON has no NaN; and what is before the call began was measured wrongly.
    return round(value, 1) if value is not None and math.isfinite(value) and value >= 0 else None


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
