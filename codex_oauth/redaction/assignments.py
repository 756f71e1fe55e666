"""Secrets that are told by the name in front of them: options, variables, settings, headers, JSON, YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from codex_oauth.redaction.headers import authorization_at, cookies_at, credentials_at
from codex_oauth.redaction.names import NAME, kind_of_name
from codex_oauth.redaction.spans import LIMIT, MARKER, UNREAD, Lazy, Span
from codex_oauth.redaction.values import Reading, secret_at, stays

__all__ = ("assignments",)

_QUOTE: Final = r"\\{0,31}[\"']"
_SPACE: Final = r"(?:\s|\\{1,31}[nrt]|(?<=[\nn])[+>-]){0,40}+"
"""White space, line breaks that are written out, and the signs of a diff or a quotation at the lines' beginnings."""
_SEPARATOR: Final = Lazy(
    rf"(?P<close>{_QUOTE})?(?P<bracket>\])?"
    r"(?:(?P<gap>[ \t]{0,16})(?P<sign>=>|[:=!]?={1,3}|:(?!:))(?P<wide>[ \t]{0,16})|"
    r"[ \t]{0,16}(?P<comma>,)\s{0,16}|(?P<tag>>)|(?P<space>[ \t\x1f]{1,16}))"
)
_VALUE_OF_PAIR: Final = Lazy(
    rf"(?:{_QUOTE})?{_SPACE},?{_SPACE}"
    rf"(?:{_QUOTE})?value(?:{_QUOTE})?[ \t]{{0,8}}[:=][ \t]{{0,8}}",
    re.IGNORECASE,
)
_NAME_OF_PAIR: Final = Lazy(rf"\b(?:name|key|header)(?:{_QUOTE})?[ \t]*[:=][ \t]*(?:{_QUOTE})?\Z")
_ANNOTATION: Final = Lazy(r"&?[A-Za-z_][\w.\[\]| ]{0,40}?[ \t]?=[ \t]?(?=[\"'])")
_BLOCK: Final = Lazy(r"[|>][+-]?\d?[ \t]*\n[+-]?[ \t]+")
_DEFAULT: Final = Lazy(r":?[-=+]")
_SETTING: Final = Lazy(r"(?:\bset(?:x|env|[ \t]+-\w+)(?:[ \t]+-\w+)*|\bconfig(?:ure)?[ \t]+set)[ \t]+\Z")
_NETRC: Final = Lazy(r"\b(?:machine\s+\S+|default)\s+(?:login\s+\S+\s+)?(?:account\s+\S+\s+)?\Z")
_ELEMENT: Final = Lazy(r"[^<>\n]{1,512}+(?=</)")
_FIRST: Final = Lazy(r"[(\[{][ \t]*\\{0,31}[\"']\Z")
_NO_VALUE: Final = Lazy(r"-|[\"'\\]+-|\d*[<>]")
"""What follows an option that takes no value: another one, or a redirection."""
_MARKER: Final = Lazy(MARKER)

_NAME_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789_.-"
_LONGEST_NAME: Final = 64
_LEAD: Final = 120
"""Characters in front of a name that are looked at."""


def assignments(text: str, low: str) -> Iterator[Span]:
    """What is assigned to a telling name. `low` is the text in lower case."""
    at = 0
    for _ in range(LIMIT):
        found = NAME().search(low, at)
        if found is None:
            return
        spans, at = _named(text, low, found)
        yield from spans
    yield at, len(text), UNREAD, ""


def _named(text: str, low: str, found: re.Match[str]) -> tuple[list[Span], int]:
    """The secrets that a name tells of, and where to go on."""
    start, end = found.span()
    core: str = found.group(1)
    lead = low[max(0, start - _LONGEST_NAME) : start]
    before = lead[len(lead.rstrip(_NAME_CHARACTERS)) :]
    begin = start - len(before)
    previous = text[begin - 1 : begin]
    if previous == "[" and (marker := _MARKER().match(text, begin - 1)):
        return [], marker.end()
    if previous == "\\" and before[:1] in {"n", "r", "t"}:
        # A line break that was written out, as in JSON within a text.
        before = before[1:]
        begin += 1
    if previous == "/" and text.startswith("://", begin - 3):
        return [], end  # a user's name
    if core in {"bearer", "basic"} and not before:
        return credentials_at(text, end, core)
    capital = text[start].isupper() and text[start - 1 : start].islower()
    shouted = text[start:end].isupper()
    named = kind_of_name(core, before, capital=capital, shouted=shouted)
    if named is None:
        return [], end
    kind, vague = named
    variable = text[begin:end]
    if previous == "{" and text[begin - 2 : begin - 1] == "$":
        default = _DEFAULT().match(text, end)
        return secret_at(text, default.end(), kind, Reading.WORD, variable) if default else ([], end)
    if (value := _VALUE_OF_PAIR().match(text, end)) and _NAME_OF_PAIR().search(low, max(0, begin - 40), begin):
        if core == "authorization":
            return authorization_at(text, value.end(), Reading.ENTRY)
        return secret_at(text, value.end(), kind, Reading.CHANCE if vague else Reading.ENTRY)
    separator = _SEPARATOR().match(text, end)
    if separator is None:
        return [], end
    at = separator.end()
    option = before.startswith("-") and not (previous in {"", "\n"} and before[1:2] != "-")
    # A single "-" at a line's beginning may be a diff's.
    if separator["tag"]:
        element = _ELEMENT().match(text, at) if previous in {"<", ":"} else None
        if element is None or stays(element.group(), kind, Reading.CHANCE if vague else Reading.ENTRY):
            return [], at
        return [(*element.span(), kind, "")], element.end()
    if separator["sign"]:
        if separator["bracket"] and text[begin - 2 : begin - 1] != "[":
            return [], at
        argument = previous in {"(", ","} or (previous in {" ", "\t"} and text[begin - 2 : begin - 1] == ",")
        prose = previous in {" ", "\t"} and text[begin - 2 : begin - 1].isalpha()
        meant = option or (shouted and not argument)
        return _assigned(text, separator, core, kind, vague=vague, meant=meant, variable=variable, prose=prose)
    if separator["comma"]:
        first = _FIRST().search(low, max(0, begin - 20), begin) is not None
        if not separator["close"] or not (first or option):
            return [], at
        return _listed(text, at, core, kind, option=option, shouted=shouted, header="-" in variable)
    if option:
        odd = len(separator["space"]) > 2 or (separator["close"] and text[at : at + 1] not in {'"', "'"})
        if odd or _NO_VALUE().match(text, at):
            return [], at
        return secret_at(text, at, kind, Reading.CHANCE if vague else Reading.WORD)
    ahead = max(0, begin - _LEAD)
    if _SETTING().search(low, ahead, begin) or (kind == "password" and _NETRC().search(low, ahead, begin)):
        return secret_at(text, at, kind, Reading.CHANCE if vague else Reading.WORD, variable)
    if (
        core.startswith(("password", "passphrase", "identified"))
        and not separator["close"]
        and text[at : at + 1] in {'"', "'"}
    ):
        return secret_at(text, at, kind, Reading.ENTRY)
    return [], at


def _assigned(
    text: str, separator: re.Match[str], core: str, kind: str, *, vague: bool, meant: bool, variable: str, prose: bool
) -> tuple[list[Span], int]:
    """What stands behind `=`, `:` and the like."""
    at = separator.end()
    sign = separator["sign"]
    if core == "authorization":
        return authorization_at(text, at, Reading.ENTRY if sign == ":" else Reading.CODE)
    if core == "cookie" and (cookies := cookies_at(text, at))[0]:
        return cookies
    if text.startswith("//", at):
        return [], at
    if sign == ":":
        if separator["gap"] and not separator["close"]:
            return [], at
        reading = Reading.CODE if prose or not (separator["wide"] or separator["close"]) else Reading.ENTRY
        if block := _BLOCK().match(text, at):
            at = block.end()
            reading = Reading.WORD
        elif annotation := _ANNOTATION().match(text, at):
            at = annotation.end()
            reading = Reading.CODE
    elif sign == "=" and not separator["gap"] and not separator["wide"]:
        reading = Reading.WORD if meant else Reading.PAIR
    else:
        reading = Reading.CODE
    return secret_at(text, at, kind, Reading.CHANCE if vague else reading, variable)


def _listed(
    text: str, at: int, core: str, kind: str, *, option: bool, shouted: bool, header: bool
) -> tuple[list[Span], int]:
    """What stands behind a comma: the second of two arguments, such as `("Authorization", "…")`."""
    if text[at : at + 1] not in {'"', "'", "\\"}:
        return [], at
    if core == "authorization":
        return authorization_at(text, at, Reading.CODE)
    if option:
        return ([], at) if _NO_VALUE().match(text, at) else secret_at(text, at, kind, Reading.WORD)
    spans, end = secret_at(text, at, kind, Reading.ENTRY if header or shouted else Reading.CHANCE)
    if shouted and all(not text[start:stop].isupper() for start, stop, *_ in spans):
        return spans, end
    if any(character.isdigit() for start, stop, *_ in spans for character in text[start:stop]):
        return spans, end
    return [], at  # a list of names
