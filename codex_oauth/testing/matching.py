"""Whether a request is the one that was recorded: by what it says, whatever its ids are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from .messages import ModelRequest

__all__ = ["Said", "asked", "common", "difference", "recorded"]

Item: TypeAlias = Mapping[str, Any]
Said: TypeAlias = tuple[tuple[str, str], ...]
"""What a model was told, in order: what each thing is, such as `user` or `call of read_file`, and its text."""

_MARK = re.compile(r"\[secret: [^\]]*\]|\[account\]")
"""What stands in a recorded text for something that was taken out of it."""

_EXCERPT = 60
_IMAGE = "[image]"


def asked(request: ModelRequest) -> Said:
    """What a request tells the model. The tools, the model and its settings are no part of it."""
    told = request.body.get("instructions")
    return tuple(_said(str(told) if told else None, request.context))


def recorded(record: Mapping[str, Any]) -> Said:
    """What the request of a record told the model."""
    return tuple(_said(record["instructions"], record["input"]))


def common(expected: Said, said: Said) -> int:
    """How many things at the beginning of both are alike."""
    for at, (one, other) in enumerate(zip(expected, said, strict=False)):
        if not _alike(one, other):
            return at
    return min(len(expected), len(said))


def difference(expected: Said, said: Said) -> str:
    """The first difference between what was recorded and what was asked, in words."""
    at = common(expected, said)
    if at == len(expected):
        return f"nothing more was recorded after item {at}, but asked was {_shown(said[at])}"
    if at == len(said):
        return f"nothing more was asked after item {at}, but recorded is {_shown(expected[at])}"
    (kind, text), (other_kind, other) = expected[at], said[at]
    if kind != other_kind:
        return f"item {at + 1}: recorded is {_shown(expected[at])}, but asked was {_shown(said[at])}"
    place = next(
        (place for place, (one, two) in enumerate(zip(text, other, strict=False)) if one != two),
        min(len(text), len(other)),
    )
    return (
        f"item {at + 1} ({kind}), from character {place + 1}: recorded is {_excerpt(text, place)}, "
        f"but asked was {_excerpt(other, place)}"
    )


def _said(instructions: str | None, items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    if instructions:
        yield "developer", instructions
    calls: dict[object, tuple[int, str]] = {}
    for item in _in_order(items):
        kind = item.get("type", "message")
        match kind:
            case "message":
                role = str(item.get("role"))
                yield "developer" if role == "system" else role, _text(item.get("content"))
            case "function_call" | "custom_tool_call":
                name = str(item.get("name"))
                calls[item.get("call_id")] = len(calls) + 1, name
                yield f"call of {name}", _canonical(str(item.get("arguments") or item.get("input") or ""))
            case "function_call_output" | "custom_tool_call_output":
                number, name = calls.get(item.get("call_id"), (0, "nothing"))
                yield f"output of call {number}, of {name}", _text(item.get("output"))
            case "reasoning" | "additional_tools":
                pass  # the one is for the service alone, and the other is how codex tells it of tools
            case _:
                yield str(kind), ""


def _in_order(items: Sequence[Item]) -> Iterator[Item]:
    """The items, with outputs in a row in the order of their calls: tools that run at once end in any order."""
    calls: list[object] = []
    outputs: list[tuple[int, Item]] = []
    for item in items:
        call = item.get("call_id")
        if str(item.get("type")).endswith("call_output"):
            outputs.append((calls.index(call) if call in calls else len(calls), item))
            continue
        yield from (output for _, output in sorted(outputs, key=lambda one: one[0]))
        outputs.clear()
        if str(item.get("type")).endswith("_call"):
            calls.append(call)
        yield item
    yield from (output for _, output in sorted(outputs, key=lambda one: one[0]))


def _text(content: object) -> str:
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = cast("Sequence[Item]", content)
    # codex scales large images, so that what was sent and what is sent need not be the same bytes.
    return "".join(_IMAGE if part.get("type") == "input_image" else str(part.get("text") or "") for part in parts)


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments


def _alike(expected: tuple[str, str], said: tuple[str, str]) -> bool:
    if expected[0] != said[0]:
        return False
    if expected[1] == said[1]:
        return True
    if _MARK.search(expected[1]) is None:
        return False
    # JSON may have been laid out anew when something was taken out of it.
    return _fits(expected[1], said[1]) or _fits(_canonical(expected[1]), _canonical(said[1]))


def _fits(expected: str, said: str) -> bool:
    first, *pieces = _MARK.split(expected)
    # Of a key with several lines, the later ones are taken out without a mark.
    return said.startswith(first) and _follow([piece.lstrip("\n") for piece in pieces], said, len(first))


def _follow(pieces: Sequence[str], text: str, at: int) -> bool:
    """Whether these pieces of a text follow from a place on, with anything between them, and end it."""
    *middle, last = pieces
    for piece in middle:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return text.endswith(last) and len(text) - len(last) >= at


def _shown(told: tuple[str, str]) -> str:
    return f"{told[0]} {_excerpt(told[1], 0)}"


def _excerpt(text: str, place: int) -> str:
    start = max(0, place - _EXCERPT // 3)
    piece = text[start : start + _EXCERPT]
    return f"{'…' if start else ''}{piece!r}{'…' if start + _EXCERPT < len(text) else ''}"
