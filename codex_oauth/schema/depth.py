"""How deep a schema may be nested: codex reads no line that is nested deeper, and answers nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

__all__ = ("DEEPEST", "is_too_deep")

DEEPEST: Final = 100
"""Levels of objects and arrays. 0.163 hangs from 124 on: its JSON reader stops at 128, the message around a schema
included. An object within an object is two levels, and one more where it may be null."""


def is_too_deep(value: object, levels: int = DEEPEST) -> bool:
    """Whether a JSON value has more levels."""
    if isinstance(value, Mapping):
        inner = cast("Mapping[str, object]", value).values()
    elif isinstance(value, list | tuple):
        inner = cast("Sequence[object]", value)
    else:
        return False
    return levels == 0 or any(is_too_deep(one, levels - 1) for one in inner)
