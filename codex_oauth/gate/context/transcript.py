"""The end of the conversation, out of the file that the host keeps it in: what the person said, what the agent did.

Anything in that file may have been written by somebody who wants a verdict: it is shown as data, like the request.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Final, cast

from codex_oauth.gate.context import Transcript
from codex_oauth.gate.context.files import read_tail
from codex_oauth.gate.request import PermissionRequest

__all__ = ("recent_transcript",)

_END: Final = 256 * 1024
"""Bytes of the file's end that are looked at. A session's file grows to tens of megabytes, and what was said an hour
ago says little about this request."""
_START: Final = 64 * 1024
"""Bytes of its beginning: where Codex says whose conversation it is."""

_FIRST_WRITE: Final = 0.1
"""Seconds for Claude Code to make the file of a new session; 2.1.197 took 36 ms from the start of its first hook."""
_LOOK_AGAIN: Final = 0.004


def recent_transcript(request: PermissionRequest) -> Transcript | None:
    """The last words of the person and the last calls of the agent.

    Args:
        request: Names the host, whose format it is, and the file.

    Returns:
        At most 5 things that the person said, of 500 characters each, and at most 8 calls, of 200; a call says so if
        it failed or was refused, or if its result is not there yet. None where there is nothing to tell, or no such
        file of this user's own.
    """
    if request.host is None or not request.transcript_path:
        return None
    if request.host == "claude":
        _wait_for(request.transcript_path)
    tail = read_tail(request.transcript_path, end=_END, start=_START if request.host == "codex" else 0)
    if tail is None:
        return None
    if request.host == "codex":
        from codex_oauth.gate.context.transcript_codex import CodexLines

        lines = CodexLines(tail.start)
    else:
        from codex_oauth.gate.context.transcript_claude import ClaudeLines

        lines = ClaudeLines()
    for raw in reversed(tail.end.split(b"\n")):
        if not lines.wants(raw):
            continue
        line = _parsed(raw)
        if line is not None:
            lines.take(line)
            if lines.said.is_full:
                break
    user, tools = lines.in_order()
    return Transcript(user=user, tools=tools) if user or tools else None


def _wait_for(path: str) -> None:
    # A model that answers at once, and a hook that reads 20 ms after its start, are both quicker than Claude Code's
    # first write. Once the file is there, what the person said stands in it long before the model has a call to make.
    until = time.monotonic() + _FIRST_WRITE
    while os.path.isabs(path) and not os.path.lexists(path) and time.monotonic() < until:
        time.sleep(_LOOK_AGAIN)


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        # The last line may be half written yet.
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
