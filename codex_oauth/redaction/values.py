"""What stands where a secret would: how far it goes, and whether it is one or a name, a type, a placeholder."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, TypeAlias

from codex_oauth.redaction.names import is_label
from codex_oauth.redaction.spans import MARKER, Lazy, Span

__all__ = ("Literal", "Reading", "extent", "literals", "secret_at", "stays")

Literal: TypeAlias = tuple[int, int, bool]
"""Start and end of some text that stands for itself, and whether quotes are around it. One without quotes may go on:
`extent` says how far."""


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
_ENOUGH: Final = 256
"""Characters that tell whether something is a secret. No more are read until it is one: names may stand within."""
_NEAR: Final = 200
"""Characters in front of a quote that tell whether it opens or closes."""

_OPENING: Final = Lazy(r"(?:[bBrRuUfF]{1,2}|[@$])?(\\{0,31})([\"'])")
_DOUBLE: Final = Lazy(r"(?:[^\"\\\n]++|\\[^\n])*+(?=\")")
_WORD: Final = Lazy(
    r"(?:[\w.+/=@:%~!^*?-]++|[^\x00-\x7f\s]|,(?![\s\"']|\Z)|(?<=\w)#|(?<=[^\s\"'=:,$])\$(?=\w)|\\[^\w\s\"'`$;|&<>()])++"
)
_CODE_WORD: Final = Lazy(r"(?:[\w.+/=@:%~!^*?-]++|[^\x00-\x7f\s]|(?<=\w)#)++")
_DEFAULT: Final = Lazy(r"\$\{\w+:?[-=+](?=[^}\s$])")
"""A variable with words to use in its stead, such as `${NAME:-words}`."""

_PLACEHOLDER: Final = Lazy(
    r"[\W_]*|x[x _-]*|(?:your|insert|enter|put|replace|some)[ _-][a-z _-]*|<[^<>]*>|\{\{.*\}\}|[$#]?\{[^{}]*\}|"
    r"%\(?\w*\)?[sd]|%\w+%|\$env:\w+|(?>\$\w+|\$\{[^{}]*\}|\$?\{\{[^{}]*\}\}|%\(?\w*\)?[sd]|[^\w\s])*+|"
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
_SEPARATED: Final = Lazy(r"\.|::|->|\?\.")
_NUMBER: Final = Lazy(r"0x[0-9A-Fa-f]+|[\d_.]+")
_COLOUR: Final = Lazy(r"#[0-9A-Fa-f]{3,8}")
_EXPRESSION: Final = Lazy(r"\\[wdsWDSb]|\[\^|\(\?|a-z")
_FIELD: Final = Lazy(r"\$?\{+[^{}]*\}+")
_WORDS: Final = 5
"""Spaces in a sentence that is too long for a passphrase."""
_RUN: Final = Lazy(r"[A-Za-z0-9+/_=-]{16,}+")
_SMALL: Final = Lazy("[a-z]")
_CAPITAL: Final = Lazy("[A-Z]")
_DIGIT: Final = Lazy("[0-9]")


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
                rest = word.match(text, start, start + _ENOUGH)
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
            if part := word.match(text, default.end(), default.end() + _ENOUGH):
                found.append((*part.span(), False))
                at = part.end()
            break
        elif part := word.match(text, at, at + _ENOUGH):
            found.append((*part.span(), False))
            at = part.end()
            if at - part.start() == _ENOUGH:
                break
        else:
            break
    return found, at


def extent(text: str, literal: Literal) -> tuple[int, int]:
    """Where a literal starts and ends."""
    start, end, quoted = literal
    if not quoted and end - start == _ENOUGH and (rest := _WORD().match(text, end)):
        return start, rest.end()
    return start, end


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
    if _PLACEHOLDER().fullmatch(value.lower().rstrip("/")) or _PATH().fullmatch(value.lower()):
        return True
    identifier = not quoted and _IDENTIFIER().fullmatch(value) is not None
    if identifier and after in {"(", "["} and (reading is not Reading.WORD or not any(map(str.isdigit, value))):
        return True
    if reading is Reading.CHANCE:
        if identifier and not any(map(str.isdigit, _SEPARATED().split(value, maxsplit=1)[0])):
            return True
        # Hashes and identifiers made of words are not of small letters, capitals and digits at once.
        return not any(
            _SMALL().search(run) and _CAPITAL().search(run) and _DIGIT().search(run) for run in _RUN().findall(value)
        )
    if reading is Reading.WORD:
        return False
    if is_label(value) or (kind == "key" and "key" in value.lower() and _IDENTIFIER().fullmatch(value)):
        return True
    return _is_text(value, kind, reading) if quoted else _is_code(value, kind, reading, after, ends_line)


def _is_text(value: str, kind: str, reading: Reading) -> bool:
    """Whether what is in quotes is a lexer's word, a colour, an expression, a template or a sentence."""
    if kind == "token" and (
        _COLOUR().fullmatch(value) or (reading is Reading.CODE and value.isalpha() and value.islower())
    ):
        return True
    if value.count(" ") >= (_WORDS if kind == "password" else 2) or _EXPRESSION().search(value):
        return True
    rest, fields = _FIELD().subn("", value)
    return fields > 0 and not any(map(str.isdigit, rest))


def _is_code(value: str, kind: str, reading: Reading, after: str, ends_line: bool) -> bool:
    """Whether what has no quotes is a name, a type or a number in a program."""
    value = value.rstrip(":,;")
    if len(value) < 4 or value[0] == ":" or (_NUMBER().fullmatch(value) and len(value) < 8 and kind != "password"):
        return True
    if not _IDENTIFIER().fullmatch(value):
        return False
    first = _SEPARATED().split(value, maxsplit=1)[0]
    plain = not any(map(str.isdigit, value))
    if first != value or (plain and after in {")", ","}):
        return plain or not any(map(str.isdigit, first))
    if plain:
        return reading is Reading.CODE or (reading is Reading.ENTRY and (not ends_line or value[0].isupper()))
    return reading is Reading.CODE and is_label(value.rstrip("0123456789"))


def secret_at(text: str, at: int, kind: str, reading: Reading, variable: str = "") -> tuple[list[Span], int]:
    """The secret at a place, if there is one, and where to go on: behind it, or at the place."""
    found, end = literals(text, at, code=reading is not Reading.WORD)
    after = text[end : end + 1]
    ends_line = after in {"", "\n", "\r", '"', "'"}
    spans: list[Span] = [
        (*extent(text, literal), kind, variable)
        for literal in found
        if not stays(text[literal[0] : literal[1]], kind, reading, quoted=literal[2], after=after, ends_line=ends_line)
    ]
    return spans, (max(end, spans[-1][1]) if spans else at)
