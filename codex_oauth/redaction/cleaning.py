"""Foreign words made fit for error texts and logs: no secrets, no addresses, nothing of the caller's own, one line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from codex_oauth.redaction.spans import Lazy, replaced
from codex_oauth.redaction.texts import find

__all__ = ("cleaned",)

_LOOSE: Final = Lazy(
    r"eyJ[\w-]{8,}(?:\.[\w-]+)*|\b(?:sk|rt|at)[-_][\w-]{8,}|(?i:bearer)\s+\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
# E-mail addresses; and beginnings of tokens that are taken for one on less evidence than in a request: a service may
# have cut them, and an error's text loses little by it.
_ESCAPE: Final = Lazy(r"\\(?:u([0-9a-fA-F]{4})|.)")
_GAPS: Final = Lazy(r"\0+")
_LONGEST: Final = 500
_REMOVED: Final = "[removed]"
_LAYERS: Final = 3
"""Escapes within escapes: JSON in JSON in an error is common."""
_QUOTE: Final = 12
"""Letters and digits in a row that count as a quotation. Fewer are shared by any two texts about the same thing."""
_TELLING: Final = 7
"""Characters: what was said and is no longer, such as "Hi", may stand in any message, and tells nothing."""


def cleaned(message: object, said: Iterable[str] = ()) -> str:
    """A foreign message as one line of at most 500 characters, without secrets and without quotations of `said`.

    A service may quote a prompt escaped, folded or in part, so quotations are looked for by their letters and digits.
    """
    text = " ".join(str(message)[: 4 * _LONGEST].split())
    said = [own for own in said if len(own) > _TELLING]
    for own in said:
        text = text.replace(own, _REMOVED)
    if said:
        text = _unquoted(_unescaped(text), [_folded(own) for own in said])
    text = _LOOSE().sub(_REMOVED, " ".join(text.split()))
    text = replaced(text, find(text), _REMOVED)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _unescaped(text: str) -> str:
    import html

    def plain(escape: re.Match[str]) -> str:
        if escape.group(1):
            return chr(int(escape.group(1), 16))
        return "\\" if escape.group() == r"\\" else " "

    for _ in range(_LAYERS):
        text = _ESCAPE().sub(plain, html.unescape(text))
    return text


def _folded(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _unquoted(text: str, said: list[str]) -> str:
    places = [place for place, character in enumerate(text) for _ in _folded(character)]
    folded = _folded(text)
    quoted: set[int] = set()
    for start in range(len(folded) - _QUOTE + 1):
        if any(folded[start : start + _QUOTE] in own for own in said):
            quoted.update(range(places[start], places[start + _QUOTE - 1] + 1))
    if not quoted:
        return text
    kept = "".join("\0" if place in quoted else character for place, character in enumerate(text))
    return _GAPS().sub(_REMOVED, kept)
