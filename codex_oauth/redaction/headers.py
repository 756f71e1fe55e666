"""What stands behind the names of headers: a scheme and credentials, or cookies."""

from __future__ import annotations

import re
from typing import Final

from codex_oauth.redaction.names import is_label
from codex_oauth.redaction.spans import Lazy, Span, is_opaque
from codex_oauth.redaction.values import Reading, extent, literals, stays

__all__ = ("authorization_at", "cookies_at", "credentials_at")

_OPENING: Final = Lazy(r"[bBrRuUfF]{0,2}\\{0,31}[\"']")
_SCHEME: Final = Lazy(r"([A-Za-z][\w-]{1,30})[ \t]+")
_KNOWN: Final = frozenset(
    ("apikey", "api-key", "basic", "bearer", "dpop", "key", "negotiate", "ntlm", "pat", "ssws", "token")
)
_SIGNED: Final = Lazy(r"\b(?:signature|response)=\"?([\w+/=-]+)", re.IGNORECASE)
_SIGNED_SCHEMES: Final = ("aws4", "digest", "hawk", "signature")
_PARAMETER: Final = Lazy(r"(?:realm|error|scope|charset)=", re.IGNORECASE)
_COOKIES: Final = Lazy(r"[\w.%*!-]++=([^\s;\"',&|<>$`()\\\[\]]++(?:;[ \t]*+[\w.%*!-]++=[^\s;\"',&|<>$`()\\\[\]]++)*+)")
_SPACE: Final = Lazy(r"[ \t]+")
_HEADER: Final = 1024


def authorization_at(text: str, at: int, reading: Reading) -> tuple[list[Span], int]:
    """The credentials of an `Authorization` header, and where to go on. The scheme stays.

    `reading` is how the place is read where neither quotes nor a scheme say that it is a header.
    """
    opening = _OPENING().match(text, at)
    if opening:
        at = opening.end()
    scheme = _SCHEME().match(text, at)
    if opening and text.startswith(opening.group()[-1], scheme.end() if scheme else at):
        return [], at
    if scheme is None:
        return _words(text, at, "credentials", Reading.WORD if opening else reading)
    name = scheme.group(1).lower()
    if name.startswith(_SIGNED_SCHEMES):
        line = text.find("\n", at, at + _HEADER)
        signed = _SIGNED().finditer(text, at, line if line >= 0 else at + _HEADER)
        return [(*found.span(1), "signature", "") for found in signed], scheme.end()
    spans, end = _words(text, scheme.end(), "token" if name == "bearer" else "credentials", Reading.WORD)
    if name in _KNOWN or any(is_opaque(text[start:stop]) for start, stop, *_ in spans):
        return spans, end
    return [], at


def credentials_at(text: str, at: int, scheme: str) -> tuple[list[Span], int]:
    """What stands behind a scheme, `bearer` or `basic`, that no header's name comes before."""
    space = _SPACE().match(text, at)
    if space is None:
        return [], at
    spans, end = _words(text, space.end(), "token" if scheme == "bearer" else "credentials", Reading.WORD)
    values = [text[start:stop] for start, stop, *_ in spans]
    if scheme == "basic":
        meant = any(_is_login(value) for value in values)
    else:
        meant = any(len(value) >= 8 and "://" not in value and any(map(str.isdigit, value)) for value in values)
    return (spans, end) if meant else ([], at)


def cookies_at(text: str, at: int) -> tuple[list[Span], int]:
    """The cookies at a place, and where to go on: from the first one's value to the last one's, with what is between.

    Whether the `;` between them is in quotes, and so no shell's, is not to be told from here.
    """
    if opening := _OPENING().match(text, at):
        at = opening.end()
    cookies = _COOKIES().match(text, at)
    return ([(*cookies.span(1), "cookie", "")], cookies.end()) if cookies else ([], at)


def _words(text: str, at: int, kind: str, reading: Reading) -> tuple[list[Span], int]:
    found, end = literals(text, at)
    after = text[end : end + 1]
    spans: list[Span] = [
        (*extent(text, literal), kind, "")
        for literal in found
        if not is_label(text[literal[0] : literal[1]])
        and not _PARAMETER().match(text, literal[0])
        and not stays(text[literal[0] : literal[1]], kind, reading, quoted=literal[2], after=after)
    ]
    return spans, max(end, spans[-1][1]) if spans else at


def _is_login(value: str) -> bool:
    from base64 import b64decode

    try:
        return b":" in b64decode(value + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        return False
