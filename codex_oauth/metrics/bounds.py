"""What came from elsewhere, cut down to what a line may hold: names without control characters, values with an end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final, cast

__all__ = ("bounded", "ends", "name")

_DEPTH: Final = 8
"""Containers within containers that are kept."""

_KEY: Final = 200
"""Characters of a member's name."""

_NUMBER: Final = 2**63
"""Larger ones are left out: printing one of a million digits takes long, or is refused."""

_VALUES: Final = 10
"""Values in all, as a multiple of the members of one container: fifty in each of eight levels would have no end."""


def ends(text: str, longest: int) -> str:
    """The text itself, or its head and its tail, with what stands between them counted."""
    if len(text) <= longest:
        return text
    half = max(0, longest - 40) // 2
    return f"{text[:half]} […{len(text) - 2 * half} characters left out…] {text[len(text) - half :]}"


def name(text: object, longest: int) -> str:
    """A name of whatever letters, without control characters and line ends; its head, where it is too long."""
    # A name is short. What is far longer need not be looked at whole.
    clean = "".join(filter(str.isprintable, str(text)[: 4 * longest])).strip()
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def bounded(value: Any, *, longest: int, members: int) -> Any:
    """A value that JSON can hold, with at most so many members in one container, and strings that are no longer.

    Where something is left out, a note in its place says so.
    """
    left = _VALUES * members

    def cut(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return ends(value, longest)
        if isinstance(value, int):
            return value if -_NUMBER <= value < _NUMBER else "[…a large number…]"
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if not isinstance(value, Mapping | list | tuple):
            return "[…left out: no JSON…]"
        if depth > _DEPTH:
            return "[…left out: nested too deeply…]"
        if isinstance(value, Mapping):
            return mapping(cast("Mapping[Any, Any]", value), depth)
        return array(cast("Sequence[Any]", value), depth)

    def mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        taken = 0
        for key, item in islice(value.items(), _room(value, members)):
            if left <= 0:
                break
            kept[ends(str(key), min(longest, _KEY))] = cut(item, depth + 1)
            taken += 1
        if taken < len(value):
            kept["…"] = _more(len(value) - taken)
        return kept

    def array(value: Sequence[Any], depth: int) -> list[Any]:
        kept: list[Any] = []
        for item in islice(value, _room(value, members)):
            if left <= 0:
                break
            kept.append(cut(item, depth + 1))
        return kept if len(kept) == len(value) else [*kept, _more(len(value) - len(kept))]

    return cut(value, 1)


def _room(container: Mapping[Any, Any] | Sequence[Any], members: int) -> int:
    # The note about the rest is a member too.
    return members if len(container) <= members else members - 1


def _more(count: int) -> str:
    return f"[…{count} more left out…]"
