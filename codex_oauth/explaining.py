"""Words for people and lines for programs, the same whether a terminal, a hook or the service writes them."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from codex_oauth.errors import CodexOAuthError, OutputValidationError, ProcessError, UsageLimitError

__all__ = ("explain", "json_line", "printable")

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text of foreign origin, fit for a terminal: without control characters, which could rewrite what is on the
    screen."""
    return _CONTROL.sub("�", text)


def json_line(value: Any) -> str:
    """A JSON value, with control characters of every kind escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def explain(error: CodexOAuthError) -> str:
    """An error as lines for stderr: what happened, what is known about it, and never content."""
    lines = [f"codex-oauth: {printable(error.message)}"]
    if isinstance(error, UsageLimitError) and error.resets_at is not None:
        from datetime import datetime

        when = datetime.fromtimestamp(error.resets_at).astimezone()
        lines.append(f"  the limit lifts at {when:%Y-%m-%d %H:%M %Z}")
    if isinstance(error, OutputValidationError) and len(error.errors) > 1:  # the message has the first one
        lines += [f"  {printable(line)}" for line in error.errors]
    if isinstance(error, ProcessError) and error.stderr_tail:
        from codex_oauth.redaction import cleaned

        lines += [f"  codex: {printable(cleaned(line))}" for line in error.stderr_tail.strip().splitlines()[-3:]]
    return "\n".join(lines)
