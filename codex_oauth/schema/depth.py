"""What codex reads no line with: it passes the whole message over, and answers nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

__all__ = ("DEEPEST", "unreadable")

DEEPEST: Final = 100
"""Levels of objects and arrays. 0.163 hangs from 124 on: its JSON reader stops at 128, the message around a schema
included. An object within an object is two levels, and one more where it may be null."""

_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1
# Whole numbers that its JSON reader has a type for.


def unreadable(value: object, levels: int = DEEPEST) -> str:
    """What of a JSON value codex does not read, as the end of a sentence; empty where it reads all of it."""
    if isinstance(value, Mapping):
        inner = cast("Mapping[str, object]", value).values()
    elif isinstance(value, list | tuple):
        inner = cast("Sequence[object]", value)
    else:
        outside = isinstance(value, int) and not _LEAST <= value <= _MOST
        return "holds a whole number of more than 64 bits" if outside else ""
    if levels == 0:
        return f"is nested more than {DEEPEST} levels deep"
    return next((problem for one in inner if (problem := unreadable(one, levels - 1))), "")
