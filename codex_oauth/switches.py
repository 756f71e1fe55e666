"""Words that turn something on or off, where a path could stand too."""

from __future__ import annotations

__all__ = ("switch_of",)

_ON = frozenset({"on", "true", "yes", "1"})
_OFF = frozenset({"off", "false", "no", "0"})


def switch_of(value: object) -> bool | None:
    """Whether a value says on or off; None for one that says neither, such as a path.

    Who writes `false` where a path may stand does not want a file of that name.
    """
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    return True if word in _ON else False if word in _OFF else None
