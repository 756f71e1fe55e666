"""What stands where a secret would: how far it goes, and whether it is one or a name, a type, a placeholder."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, TypeAlias

from codex_oauth.redaction.names import is_label
from codex_oauth.redaction.spans import MARKER, Lazy, Span, is_opaque

__all__ = ("Literal", "Reading", "literals", "secret_at", "stays")

Literal: TypeAlias = tuple[int, int, bool]
"""Start and end of some text that stands for itself, and whether quotes are around it."""


class Reading(Enum):
    """How a place is read: what may stand there besides a secret."""

    WORD = auto()
    """An option's value or an environment variable's: whatever it is, it is meant."""
    PAIR = auto()
    """`name=value` in small letters: a setting, or an argument in a program."""
    ENTRY = auto()
    """`name: value`: a setting, or a type in a program."""
    CODE = auto()
    """`name = value`: a setting, or anything in a program."""
    CHANCE = auto()
    """Behind a name that is not telling enough: only what looks made by chance."""


_LONGEST: Final = 8192
"""Characters of a quoted value. What is longer is no secret, or is read like one without quotes."""
_PIECES: Final = 16
"""Quoted and unquoted parts that a shell would put together to a word."""
_NEAR: Final = 200

_OPENING: Final = Lazy(r"(?:[bBrRuUfF]{1,2}|[@$])?(\\{0,7})([\"'])")
_DOUBLE: Final = Lazy(r"(?:[^\"\\\n]|\\[^\n])*+(?=\")")
_WORD: Final = Lazy(
    r"(?:[\w.+/=@:%~!^*?-]|[^\x00-\x7f\s]|,(?![\s\"']|\Z)|(?<=\w)#|(?<=[^\s\"'=:,$])\$(?=\w)|\\[^\w\s\"'`$;|&<>()])++"
)
_CODE_WORD: Final = Lazy(r"(?:[\w.+/=@:%~!^*?-]|[^\x00-\x7f\s]|(?<=\w)#)++")
_DEFAULT: Final = Lazy(r"\$\{\w+:?[-=+](?=[^}\s$])")
"""A variable with words to use in its stead, such as `${NAME:-words}`."""

_PLACEHOLDER: Final = Lazy(
    r"[\W_]*|x[x _-]*|(?:your|insert|enter|put|replace|some)[ _-][a-z _-]*|<[^<>]*>|\{\{.*\}\}|[$#]?\{[^{}]*\}|"
    r"%\(?\w*\)?[sd]|%\w+%|\$env:\w+|(?>\$\w+|\$\{[^{}]*\}|\$?\{\{[^{}]*\}\}|[^\w\s])*+|"
    rf"{MARKER}|\[?(?:redacted|removed|hidden|masked|secret)\]?|"
    r"change[_-]?(?:me|it)|example|placeholder|todo|n/?a|none|null|nil|undefined|true|false|yes|no|on|off|"
    r"any|bool(?:ean)?|bytes|char|dict|float|int(?:eger)?|list|never|number|obj(?:ect)?|self|str(?:ing)?|text|this|"
    r"unknown|varchar|void|auto|default|env|omit|include|same-origin|inherit|read|write|required|optional|"
    r"(?:env|file|fd|vault|op|ssm|arn|gcp|sops|secretsmanager|keyring|ref\+\w+):\S*|(?:id|type|src)=\S*|@[\w./~-]*|"
    r"\.[*+?].*|!(?:vault|secret|ref|reference|sub|getatt|include|env|env_var|encrypted)\b.*"
)
_PATH: Final = Lazy(
    r"(?:~|\.{1,2})/[\w./+@-]*|"
    r"/(?:app|bin|config|data|dev|etc|home|lib|library|mnt|nix|opt|private|proc|root|run|sbin|secrets|snap|srv|tmp|usr|"
    r"users|var|volumes|workspaces?)/[\w./+@-]*|[a-z]:[\\/][\w.\\/ +@-]*|"
    r"[\w./-]+\.(?:json|ya?ml|toml|txt|pem|key|crt|cert|p12|pfx|env|cfg|conf|ini|py|sh|js|ts|md|asc|gpg|pub|csv|xml)"
)
_IDENTIFIER: Final = Lazy(r"[A-Za-z_]\w*+(?:(?:\.|::|->|\?\.)[A-Za-z_]\w*+)*+")
_NUMBER: Final = Lazy(r"[\d_.]+")
_MIXED: Final = Lazy(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=\D*\d)[A-Za-z0-9+/_=-]{16,}+")
_HEXADECIMAL: Final = Lazy(r"[0-9a-f-]+|[0-9A-F-]+")


def literals(text: str, at: int, *, code: bool = False) -> tuple[list[Literal], int]:
    """The literal parts of the word at a place, and where it ends. Of what is computed, nothing."""
    found: list[Literal] = []
    word = _CODE_WORD() if code else _WORD()
    for _ in range(_PIECES):
        if opening := _OPENING().match(text, at):
            if found and not found[-1][2] and _ends_quotes(text, at, opening.group(2)):
                break
            start = opening.end()
            closing = _closing(text, start, *opening.groups())
            if closing is None:
                rest = word.match(text, start)
                return ([*found, (start, rest.end(), False)], rest.end()) if rest else (found, start)
            default = _DEFAULT().match(text, start, closing)
            if default and text[closing - 1] == "}":
                found.append((default.end(), closing - 1, True))
            else:
                found.append((start, closing, True))
            at = closing + len(opening.group(1)) + 1
            if code:
                break
        elif default := _DEFAULT().match(text, at):
            if part := word.match(text, default.end()):
                found.append((*part.span(), False))
                at = part.end()
            break
        elif part := word.match(text, at):
            found.append((*part.span(), False))
            at = part.end()
        else:
            break
    return found, at


def _ends_quotes(text: str, at: int, quote: str) -> bool:
    """Whether the quote there closes what was opened before in its line, as far as can be told from nearby."""
    near = max(0, at - _NEAR)
    return text.count(quote, max(near, text.rfind("\n", near, at)), at) % 2 == 1


def _closing(text: str, start: int, escape: str, quote: str) -> int | None:
    """Where the quotes end, on the same line."""
    end = min(len(text), start + _LONGEST)
    if not escape and quote == '"':
        inner = _DOUBLE().match(text, start, end)
        return inner.end() if inner else None
    closing = text.find(escape + quote, start, end)
    # A quote that is escaped (once more) ends nothing to a program; to a shell it may. The longer text is the safe one:
    # it holds the shell's syntax, so that it cannot pass for a mere word.
    while closing > start and text[closing - 1] == "\\":
        closing = text.find(escape + quote, closing + 1, end)
    return None if closing < 0 or "\n" in text[start:closing] else closing


def stays(
    value: str, kind: str, reading: Reading, *, quoted: bool = True, after: str = "", ends_line: bool = True
) -> bool:
    """Whether a literal is no secret, but what may be seen in its place.

    Args:
        value: The literal.
        kind: What it would be.
        reading: How the place is read.
        quoted: Whether quotes are around it.
        after: The character that follows.
        ends_line: Whether nothing else follows in its line.
    """
    if value.startswith(("$(", "`")):
        return True  # a command: it is in sight, and so is what it prints
    if _PLACEHOLDER().fullmatch(value.lower()) or _PATH().fullmatch(value.lower()):
        return True
    if reading is Reading.CHANCE:
        return not any(not _HEXADECIMAL().fullmatch(run) for run in _MIXED().findall(value))
    identifier = not quoted and _IDENTIFIER().fullmatch(value) is not None
    plain = identifier and not any(character.isdigit() for character in value)
    if after in {"(", "["} and identifier and (plain or reading is not Reading.WORD):
        return True
    if reading is Reading.WORD:
        return False
    if is_label(value):
        return True
    if quoted:
        # A lexer's word, as in `token == "while"`.
        return reading is Reading.CODE and kind == "token" and value.isalpha() and value.islower() and len(value) <= 12
    if len(value) < 4 or (_NUMBER().fullmatch(value) and len(value) < 8 and kind != "password"):
        return True
    if plain and ("." in value or ":" in value or "->" in value or after in {")", ","}):
        return not is_opaque(value)
    if plain:
        return reading is Reading.CODE or (reading is Reading.ENTRY and (not ends_line or value[0].isupper()))
    return identifier and reading is Reading.CODE and is_label(value.rstrip("0123456789"))


def secret_at(text: str, at: int, kind: str, reading: Reading, variable: str = "") -> tuple[list[Span], int]:
    """The secret at a place, if there is one, and where to go on: behind it, or at the place."""
    found, end = literals(text, at, code=reading is not Reading.WORD)
    after = text[end : end + 1]
    ends_line = after in {"", "\n", "\r", '"', "'"}
    spans: list[Span] = [
        (start, stop, kind, variable)
        for start, stop, quoted in found
        if stop > start and not stays(text[start:stop], kind, reading, quoted=quoted, after=after, ends_line=ends_line)
    ]
    return spans, (end if spans else at)
