"""Where secrets are in a text, and the text without them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

__all__ = ("LIMIT", "MARKER", "UNREAD", "Lazy", "Span", "is_inert", "is_opaque", "lowered", "merged", "replaced")

Span: TypeAlias = tuple[int, int, str, str]
"""Start, end, kind of secret, and the variable that it is assigned to. One of no kind is the rest of the one before."""

MARKER: Final = r"\[secret: [a-z ]+\]"
"""What stands where a secret was, as an expression."""


class Lazy:
    """A regular expression, compiled when it is first needed: an import costs nothing, and most texts need few."""

    __slots__ = ("_compiled", "_flags", "_source")

    def __init__(self, source: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        self._source = source
        self._flags = flags
        self._compiled: re.Pattern[str] | None = None

    def __call__(self) -> re.Pattern[str]:
        """The compiled expression."""
        if self._compiled is None:
            self._compiled = re.compile(self._source, self._flags)
        return self._compiled


LIMIT: Final = 10_000
"""Places in a text that each way of finding secrets looks at. What comes behind them is hidden as a whole: a text that
has more was made to take time."""

UNREAD: Final = "unread text"
"""The kind of what is hidden without having been looked at."""

_INERT: Final = Lazy(r"(?:[\w.+/@:,-]++|(?<=\w)[!~]|%[0-9A-Fa-f]{2})*+=*+")
# Letters, digits, and what no shell acts upon inside a word. "!" and "~" act at a word's beginning only, "=" at the end
# is padding, and "%" with two digits is a character of a URL.
_RUN: Final = Lazy(r"[A-Za-z0-9]{12,}+")
_BASE64: Final = Lazy(r"(?=[^A-Z]*+[A-Z])(?=[^a-z]*+[a-z])(?=\D*+\d)[A-Za-z0-9+/]{32,}+={0,2}")


def is_opaque(value: str) -> bool:
    """Whether it looks made by chance: 16 characters or more, letters mixed with digits, and not words in a row."""
    if len(value) < 16:
        return False
    runs = _RUN().findall(value)
    return any(not run.isalpha() and not run.isdigit() for run in runs) or _BASE64().fullmatch(value) is not None


def is_inert(value: str) -> bool:
    """Whether it can be nothing but a word, or a part of one, to any shell, and is no path to a program."""
    if "/" in value and (value[0] in "/.~" or not is_opaque(value)):
        return False
    return _INERT().fullmatch(value) is not None


def lowered(text: str) -> str:
    """The text in lower case, each character in its place."""
    low = text.lower()
    # One capital letter, U+0130, would become two characters.
    return low if len(low) == len(text) else text.replace("\u0130", "I").lower()


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order, and those that overlap made one."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: span[:2]):
        if result and span[0] < result[-1][1]:
            start, end, kind, variable = result[-1]
            result[-1] = (start, max(end, span[1]), kind or span[2], variable or span[3])
        else:
            result.append(span)
    return result


def replaced(text: str, spans: Iterable[Span], marker: str = "[secret: {}]") -> str:
    """The text with the marker in each one's place."""
    parts: list[str] = []
    at = 0
    for start, end, kind, _ in spans:
        parts += (text[at:start], marker.format(kind) if kind else "")
        at = end
    return "".join((*parts, text[at:]))
