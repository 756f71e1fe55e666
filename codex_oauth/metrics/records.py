"""Lines of the metrics file read back: what a report counts, and nothing that a line must not make it believe."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, tzinfo
from typing import Any, Final, Literal, TypeAlias, cast

from codex_oauth.metrics.bounds import bounded
from codex_oauth.metrics.entry import UNKNOWN, Phases

__all__ = ("GateRecord", "Record", "Verdict", "asked_for", "record")

Verdict: TypeAlias = Literal["allow", "deny", "ask", "error"]

_VERDICTS: Final = ("allow", "deny", "ask", "error")
_JUDGED: Final = frozenset({"model", "uncertain", "nobody"})
"""What may decide without the person: the model, or a word of the policy for what the model leaves open."""

_LARGEST: Final = 2**53
"""What is no longer exact in JSON was not counted by this package."""

_PHASES: Final = tuple(phase.name for phase in fields(Phases))
_TARGETS: Final = ("file_path", "notebook_path", "path", "pattern", "glob", "url", "query")
_WORDS_OF_ITS_OWN: Final = frozenset({"description", "justification"})
"""What the agent says about a call, each time in other words."""
_PATCHED: Final = re.compile(r"^\*\*\* (Add|Update|Delete) File: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GateRecord:
    """A permission request: its tool and what it was called with, the verdict, and what that rests on."""

    tool: str
    verdict: Verdict
    source: str
    forced: bool
    rule: str | None
    input: Any
    host: str | None = None

    @property
    def is_question(self) -> bool:
        """Whether no model was asked: a question to the person, say, which no policy could answer."""
        return self.source == "rule"

    @property
    def is_automated(self) -> bool:
        """Whether the policy decided without the person. A denial that stands in for a verdict is no decision."""
        return self.verdict in ("allow", "deny") and self.source in _JUDGED


@dataclass(frozen=True, slots=True)
class Record:
    """A line. Its time is in the zone that the report is made for; `total` and `phases` are in milliseconds."""

    time: datetime
    command: str
    outcome: str
    error: str | None
    total: float | None
    tokens: tuple[int, int, int, int]
    """Input, cached of it, output, reasoning of it."""
    gate: GateRecord | None
    phases: Mapping[str, float]
    warm: bool = False
    service: bool = False
    cached: bool = False
    shared: bool = False

    @property
    def failed(self) -> bool:
        """Whether it ended in an error, whatever the policy made of that."""
        gate = self.gate
        return self.outcome == "error" or (gate is not None and (gate.verdict == "error" or gate.source == "failure"))

    @property
    def is_request(self) -> bool:
        """Whether a host asked for it. What somebody had judged by hand is a call like any other."""
        return self.gate is not None and self.command == "hook"

    @property
    def has_steps(self) -> bool:
        """Whether all of its phases count from the same moment. In earlier versions' permission requests, all but
        `total` counted from the beginning of the call within it."""
        return self.gate is None or "asked" in self.phases


def record(line: Mapping[str, Any], zone: tzinfo | None = None) -> Record | None:
    """A line as a record; None if it is no entry's. A line of an earlier version has no `gate`.

    Args:
        line: The line's members.
        zone: The zone for its time; None for this machine's.
    """
    try:
        time = datetime.fromisoformat(line["time"])
        if time.tzinfo is None:
            return None
        time = time.astimezone(zone)
        command, outcome = line["command"], line["outcome"]
        gate = _gate(line.get("gate"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not isinstance(command, str) or outcome not in ("ok", "error", "cancelled"):
        return None
    reached, tokens = line.get("phases"), line.get("tokens")
    phases = _phases(cast("dict[str, Any]", reached)) if isinstance(reached, dict) else {}
    error = line.get("error")
    return Record(
        time,
        command,
        cast("str", outcome),
        error if isinstance(error, str) else None,
        phases.get("total"),
        _tokens(cast("dict[str, Any]", tokens)) if isinstance(tokens, dict) else (0, 0, 0, 0),
        gate,
        phases,
        line.get("warm") is True,
        line.get("served") == "service",
        line.get("cached") is True,
        line.get("shared") is True,
    )


def _phases(reached: Mapping[str, Any]) -> dict[str, float]:
    found = {name: _milliseconds(reached.get(name)) for name in _PHASES}
    return {name: at for name, at in found.items() if at is not None}


def _gate(value: object) -> GateRecord | None:
    if value is None:
        return None
    fields = cast("dict[str, Any]", value)
    tool, verdict, source, rule = fields["tool"], fields["verdict"], fields["source"], fields["rule"]
    if not (isinstance(tool, str) and isinstance(source, str) and isinstance(rule, str | None)):
        raise TypeError
    if verdict not in _VERDICTS:
        raise ValueError
    host = fields.get("host")
    return GateRecord(
        tool.strip() or UNKNOWN,
        verdict,
        source,
        fields["forced"] is True,
        rule,
        fields.get("input"),
        host if isinstance(host, str) else None,
    )


def _milliseconds(value: object) -> float | None:
    # NaN is never less than anything.
    return float(value) if isinstance(value, int | float) and 0 <= value < _LARGEST else None


def _tokens(tokens: Mapping[str, Any]) -> tuple[int, int, int, int]:
    def count(kind: str) -> int:
        value = tokens.get(kind)
        return value if isinstance(value, int) and 0 <= value < _LARGEST else 0

    return count("input"), count("cached"), count("output"), count("reasoning")


def asked_for(tool: str, value: object) -> str:
    """What a tool was called with, in one line: the command, the files of a patch, the path or the address; for an
    unknown tool, its arguments as JSON. Blanks in a row become one, and everything else stays as it is."""
    if isinstance(value, str):
        return " ".join(value.split())
    if not isinstance(value, dict):
        return "" if value is None else _json(value)
    fields = cast("dict[str, Any]", value)
    command = fields.get("command")
    if isinstance(command, list):
        command = shlex.join(map(str, cast("list[Any]", command)))
    if isinstance(command, str):
        if tool == "apply_patch" and (files := _PATCHED.findall(command)):
            return ", ".join(f"{action.lower()} {path.strip()}" for action, path in files)
        return " ".join(command.split())
    targets = [fields[name] for name in _TARGETS if isinstance(fields.get(name), str)]
    if targets and not tool.startswith("mcp__"):
        return " ".join(" ".join(target.split()) for target in targets)
    rest = {key: item for key, item in fields.items() if key not in _WORDS_OF_ITS_OWN}
    return _json(rest) if rest else ""


def _json(value: object) -> str:
    # Somebody may have put a line into the file that is nested too deeply to be written again.
    return json.dumps(bounded(value, longest=2_000, members=50), ensure_ascii=False)
