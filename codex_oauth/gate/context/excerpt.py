"""Foreign text made short and sendable, so that what was left out is seen to be left out."""

from __future__ import annotations

from typing import Final

__all__ = ("excerpt", "line_of", "sendable")

_GAP: Final = " […] "
_WORD: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.~%@:&"
_REACH: Final = 8_000
"""Characters at either end that are looked at, so that a line is not made of megabytes: more than a long key has."""


def sendable(text: str) -> str:
    """The text without what UTF-8 cannot carry, and without the mark that stands for such bytes."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\N{REPLACEMENT CHARACTER}", "?")


def excerpt(text: str, limit: int) -> str:
    """Its head and its tail, together at most `limit` characters.

    Secrets go before anything is cut, and a word that the gap would cut goes whole: half a key is a secret that nobody
    recognizes any more. A text that is short enough stays as it is.
    """
    return text if len(text) <= limit else _cut(_without_secrets(text), limit)


def line_of(text: str, limit: int) -> str:
    """The same in one line."""
    if len(text) > limit:
        text = _without_secrets(text)
    return _cut(" ".join(text.split()), limit)


def _without_secrets(text: str) -> str:
    # Most texts are short, and it costs some milliseconds to be ready for this.
    from codex_oauth.redaction import redact

    if len(text) > 2 * _REACH:
        text = f"{text[:_REACH]}{_GAP}{text[-_REACH:]}"
    return redact(text).text


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = (limit - len(_GAP)) // 2
    head, tail = text[:half], text[-half:]
    if text[half] in _WORD:
        head = head.rstrip(_WORD)
    if text[-half - 1] in _WORD:
        tail = tail.lstrip(_WORD)
    return f"{head.rstrip()}{_GAP}{tail.lstrip()}".strip()
