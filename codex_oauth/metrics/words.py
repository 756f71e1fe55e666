"""Numbers and foreign words, made fit to be read: by a person, on a screen, in a page."""

from __future__ import annotations

import math
import unicodedata

__all__ = ("count", "percent", "span", "tokens", "visible")


def visible(text: str, longest: int) -> str:
    """Foreign text in one line: what cannot be seen, or turns the direction of what follows, as its code point."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(_seen(character) for character in cut)


def _seen(character: str) -> str:
    if character in "\n\t":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"\\u{{{ord(character):x}}}"
    return character


def count(number: int) -> str:
    """A whole number, in groups of three digits."""
    return f"{number:,}"


def tokens(number: int) -> str:
    """A count of tokens, in three digits and a letter: 950, 12.3k, 4.56M."""
    if number < 1_000:
        return str(number)
    for letter, size in (("k", 10**3), ("M", 10**6), ("G", 10**9), ("T", 10**12)):
        if number < 999.5 * size or letter == "T":
            value = number / size
            return f"{value:.{max(0, 2 - int(math.log10(value)))}f}{letter}"
    raise AssertionError


def percent(part: float | None) -> str:
    """A part of one, in percent with one decimal; a dash where there is none. Not all is never 100 %."""
    if part is None:
        return "-"
    return f"{min(part * 100, 99.9) if part < 1 else 100:.1f}".removesuffix(".0") + "%"


def span(milliseconds: float | None) -> str:
    """A length of time: 850 ms, 1.42 s, 12.3 s, 95 s; a dash where there is none."""
    if milliseconds is None:
        return "-"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.{2 if seconds < 9.995 else 1 if seconds < 99.95 else 0}f} s"
