"""Foreign text made short and sendable, so that what was left out is seen to be left out."""

from __future__ import annotations

from typing import Final

__all__ = ("excerpt", "line_of", "sendable")

_GAP: Final = " […] "
_WORD: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.~%@:&"
_WINDOW: Final = 8
"""How many times the length that is wanted is looked at, so that a line is not made of megabytes."""


def sendable(text: str) -> str:
    """The text without what UTF-8 cannot carry, and without the mark that stands for such bytes."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\N{REPLACEMENT CHARACTER}", "?")


def excerpt(text: str, limit: int) -> str:
    """Its head and its tail, together at most `limit` characters.

    A word that the gap would cut is left out whole: half a key would be a secret that nobody recognizes any more.
    """
    if len(text) <= limit:
        return text
    half = (limit - len(_GAP)) // 2
    head, tail = text[:half], text[-half:]
    if text[half] in _WORD:
        head = head.rstrip(_WORD)
    if text[-half - 1] in _WORD:
        tail = tail.lstrip(_WORD)
    return f"{head.rstrip()}{_GAP}{tail.lstrip()}".strip()


def line_of(text: str, limit: int) -> str:
    """The same in one line."""
    reach = _WINDOW * limit
    if len(text) > 2 * reach:
        text = f"{text[:reach]}{_GAP}{text[-reach:]}"
    return excerpt(" ".join(text.split()), limit)
