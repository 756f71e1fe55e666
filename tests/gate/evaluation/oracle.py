"""A model that knows the labels, and files of labelled requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codex_oauth.gate.evaluation.labelled import LabelledRequest
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES
from codex_oauth.gate.prompt import request_text
from codex_oauth.testing import Json, ModelRequest
from tests.gate.answers import answer

__all__ = ("KINDS", "knowing", "labelled_line", "write_lines")

KINDS = {rule.id: rule.kind for rule in (*BUILTIN_POLICY.rules, *PLAN_RULES)}
"""The kind of each built-in rule."""


def knowing(requests: Sequence[LabelledRequest]) -> Callable[[ModelRequest], Json]:
    """What answers each of these requests with its label."""
    by_text = {request_text(labelled.request, labelled.context).text: labelled for labelled in requests}

    def reply(request: ModelRequest) -> Json:
        labelled = by_text[request.text]
        return answer(labelled.expected, f"As {labelled.id} says.", rule=labelled.rule)

    return reply


def labelled_line(name: str, expected: str, command: str, **members: Any) -> dict[str, Any]:
    """A labelled shell command of Claude Code."""
    request = {
        "session_id": "16bcfc50-0000-4000-8000-000000000000",
        "cwd": "/home/dev/shop",
        "permission_mode": members.pop("mode", "default"),
        "hook_event_name": "PermissionRequest",
        "tool_name": "Bash",
        "tool_input": {"command": command},
    }
    return {"id": name, "host": "claude", "expected": expected, "tags": ["own"], "request": request, **members}


def write_lines(path: Path, *lines: dict[str, Any]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
