"""A model response's record: an object of `schemas/recorded-response.schema.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from codex_oauth.recorder.content import Content
from codex_oauth.records import as_values
from codex_oauth.types import ModelResponse
from codex_oauth.version import __version__

__all__ = ("VERSION", "line_of", "record_of", "timestamp")

VERSION: Final = 1
"""The version of the form that records have. A record of a later one may mean something else."""


def record_of(
    response: ModelResponse,
    *,
    label: str | None = None,
    codex_version: str | None = None,
    project: str | None = None,
    redact: bool = True,
    images: bool = False,
) -> dict[str, Any]:
    """The record of a response.

    Of the account, its kind and plan alone are in it. The content that the service encrypts for itself is left out, and
    so is what codex adds to items for itself.

    Args:
        response: The response.
        label: What the call is.
        codex_version: The app-server's version.
        project: A name that the caller has given.
        redact: Whether secrets in texts are replaced.
        images: Whether images are kept; a digest and the size stand for each otherwise.
    """
    content = Content(redact=redact, images=images, email=response.account.email)
    # Where the service's id is not told, one that is the same whenever this response is recorded.
    request_id = response.response_id or f"{response.thread_id}/{response.turn_id}/{response.number}"
    return {
        "version": VERSION,
        "time": timestamp(response.ended),
        "request_id": request_id,
        "response_id": response.response_id,
        "thread_id": response.thread_id,
        "turn_id": response.turn_id,
        "number": response.number,
        "label": label or None,
        "project": project,
        "model": response.model,
        "effort": response.effort,
        "instructions": None if response.instructions is None else content.text(response.instructions),
        "tools": [content.declaration(tool) for tool in response.tools],
        "schema": None if response.schema is None else content.declaration(response.schema),
        "input": [content.item(item) for item in response.input],
        "output": [content.item(item) for item in response.output],
        "usage": as_values(response.usage),
        "timing": {
            "began": timestamp(response.began),
            "ended": timestamp(response.ended),
            "ms": _milliseconds(response.ended - response.began),
        },
        "account": {"kind": response.account.kind, "plan": response.account.plan},
        "codex_version": codex_version,
        "package_version": __version__,
        "exact": response.exact,
        "redacted": content.replaced if redact else None,
    }


def line_of(record: Mapping[str, Any]) -> bytes:
    """A record as a line of a file: ASCII, so that no character of a text ends a line for any program."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def timestamp(seconds: float) -> str:
    """A time in seconds since 1970, as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(seconds: float) -> float:
    # The clock of the day may be set back meanwhile.
    return round(max(0.0, seconds) * 1000, 1) if math.isfinite(seconds) else 0.0
