"""What a host gives its hook and has of it: the bytes, the status, the line; and what the model had of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from codex_oauth.gate import Host
from codex_oauth.testing import ModelRequest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

__all__ = (
    "ALLOW",
    "DEFAULT_DENIAL",
    "HOSTS",
    "NOTHING",
    "Seen",
    "both_hosts",
    "denial",
    "in_turn",
    "no_verdict",
    "shown",
    "told",
)

HOSTS: Final[tuple[Host, ...]] = ("claude", "codex")

ALLOW: Final = b'{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"allow"}}}'
NOTHING: Final = b""
DEFAULT_DENIAL: Final = "Denied by the permission policy."

both_hosts = pytest.mark.parametrize("host", HOSTS)


def in_turn(cases: Mapping[str, Any] | Iterable[Any]) -> list[ParameterSet]:
    """Parameters that are a host and a case: the hosts take turns, where both read a case with the same code."""
    if not isinstance(cases, Mapping):
        cases = {str(case): case for case in cases}
    return [
        pytest.param(HOSTS[number % 2], case, id=f"{name}-{HOSTS[number % 2]}")
        for number, (name, case) in enumerate(cast("Mapping[str, Any]", cases).items())
    ]


def denial(message: str) -> bytes:
    """A denial, as both hosts read it."""
    return (
        b'{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny","message":'
        + json.dumps(message).encode()
        + b"}}}"
    )


def told(request: ModelRequest) -> str:
    """What the model was told by this program: everything but the person's side."""
    others = [item for item in request.context if item.get("role") != "user"]
    return "".join(part["text"] for item in others for part in item["content"])


def shown(request: ModelRequest) -> dict[str, Any]:
    """The request as the model was shown it: the data between the delimiters."""
    opening, closing = "<permission_request>\n", "\n</permission_request>"
    assert request.text.startswith(opening)
    assert request.text.endswith(closing)
    return json.loads(request.text[len(opening) : -len(closing)])


@dataclass(frozen=True, slots=True)
class Seen:
    """What a host has of its hook: the exit status, negative for a signal, and both streams to their ends."""

    status: int
    stdout: bytes
    stderr: str


def no_verdict(seen: Seen) -> str:
    """The class of the failure that a hook without a verdict told in its one line, and the person decides."""
    assert (seen.status, seen.stdout) == (1, NOTHING), seen
    start = "codex-oauth: no verdict, so the person decides: "
    assert seen.stderr.startswith(start), seen.stderr
    assert seen.stderr.endswith("\n")
    assert seen.stderr.count("\n") == 1, seen.stderr
    return seen.stderr.removeprefix(start).partition(": ")[0]
