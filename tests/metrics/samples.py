"""Lines of a metrics file for the tests: what they differ in is said, the rest is the same for all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from codex_oauth.metrics import GateFields, MetricsEntry, Phases, Tokens

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 7, 15, 18, 30, tzinfo=BERLIN)
"""A Wednesday."""

HOSTILE = (
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "\"'><svg onload=document.title='run'>",
    "</style><style>body{display:none}</style>",
    "-->&lt;b&gt;&amp;",
    "right\u202eto left\u2066 and\u200b \x1b[31mred\x07",
    "\ud800 alone",
    "]]><!--",
    "家🙂é",
    "x" * 3_000,
)
"""What somebody may put where a page or a terminal shows it."""


def request(
    verdict: Literal["allow", "deny", "ask", "error"] = "allow",
    command: str = "ls",
    *,
    time: datetime = NOW,
    ago: timedelta = timedelta(),
    tool: str = "Bash",
    source: str = "model",
    rule: str | None = "read-only",
    total: float | None = 1000.0,
    **more: Any,
) -> dict[str, Any]:
    """The line of a permission request."""
    entry = MetricsEntry(
        command=more.get("by", "hook"),
        package_version="0.1.0",
        outcome=more.get("outcome", "ok"),
        error=more.get("error"),
        time=time - ago,
        phases=Phases(total=total),
        tokens=Tokens(input=100, cached=40, output=10, reasoning=4),
        gate=GateFields(
            tool=tool,
            verdict=verdict,
            source=source,
            forced=source not in ("model", "rule"),
            rule=rule,
            host=more.get("host"),
            policy=more.get("policy", "0123456789ab"),
            input=more.get("tool_input", {"command": command, "description": "in other words each time"}),
        ),
    )
    return json.loads(entry.to_json())


def call(
    command: str = "complete", *, time: datetime = NOW, total: float | None = 500.0, **more: Any
) -> dict[str, Any]:
    """The line of another call, as it was written before there was a gate."""
    entry = MetricsEntry(
        command=command, package_version="0.1.0", outcome=more.pop("outcome", "ok"), time=time,
        phases=Phases(total=total), tokens=Tokens(input=7, cached=0, output=3, reasoning=0), **more,
    )  # fmt: skip
    line = json.loads(entry.to_json())
    del line["gate"]
    return line
