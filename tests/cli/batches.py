"""What the tests of `batch` share: questions in a file, and what the results say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from codex_oauth.testing import Hang, ModelRequest, Reply, Text

SCHEMA = {"type": "object", "properties": {"prime": {"type": "boolean"}}, "required": ["prime"]}


def write_questions(path: Path, items: Iterable[Any]) -> str:
    """A file with an item in each line."""
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return str(path)


def numbered(count: int) -> list[dict[str, Any]]:
    """Items `q0`, `q1`, …, that ask for `number 0`, `number 1`, …"""
    return [{"id": f"q{number}", "prompt": f"number {number}"} for number in range(count)]


def results(path: Path) -> list[dict[str, Any]]:
    """The lines of an output, each of them whole."""
    content = path.read_bytes()
    assert not content or content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def answered(path: Path) -> dict[str, str]:
    """The text of each answer by its id; no id has two."""
    found: dict[str, str] = {}
    for result in results(path):
        if result["error"] is None:
            assert result["id"] not in found
            found[result["id"]] = result["text"]
    return found


def echo_but(odd: Callable[[int], Reply | None]) -> Callable[[ModelRequest], Reply]:
    """A model that answers as the stand-in does, but for the numbers that have another reply."""

    def answer(request: ModelRequest) -> Reply:
        reply = odd(int(request.text.split()[-1]))
        return Text(f"You said: {request.text}") if reply is None else reply

    return answer


def hang_at(number: int) -> Callable[[ModelRequest], Reply]:
    """A model that does not answer this one."""
    return echo_but(lambda asked: Hang() if asked == number else None)
