"""A JSON value without its secrets."""

from __future__ import annotations

from typing import Any, Final, cast

from codex_oauth.redaction.headers import authorization_at, cookies_at
from codex_oauth.redaction.names import kind_of_key
from codex_oauth.redaction.spans import Span, merged, replaced
from codex_oauth.redaction.texts import Trace, find
from codex_oauth.redaction.values import Reading, stays

__all__ = ("redact_value",)

_DEEPEST: Final = 100
_TOO_DEEP: Final = "[left out: nested too deeply]"
_BETWEEN: Final = "\x1f"
"""Joins the words of a command that was given as a list: a space to the patterns, and in no text."""
_NAMES: Final = ("name", "key", "header")
_VALUES: Final = frozenset({"value", "values", "val", "content", "data"})

_Kind = tuple[str, bool]


def redact_value(value: Any) -> tuple[Any, int, bool]:
    """A JSON value without its secrets, how many were replaced, and whether syntax may have gone with them.

    Every string is redacted as `redact` does it, keys too. In addition, a value is a secret by its key (`password`,
    `api_key`, `clientSecret`, `X-Auth-Token`…), by the name beside it (`{"name": "Authorization", "value": …}`), or by
    the option in front of it (`["--password", …]`). The value itself is not changed.
    """
    walk = _Walk()
    result = walk.value(value, None, 0)
    walk.trace.conclude()
    return result, walk.trace.count, walk.trace.hid_syntax


class _Walk:
    """One pass over a value, and what it has met so far."""

    def __init__(self) -> None:
        self.trace = Trace()

    def value(self, value: Any, kind: _Kind | None, depth: int) -> Any:
        """The value; `kind` is the secret that it is by its name."""
        if isinstance(value, str):
            return self._text(value, kind)
        if isinstance(value, dict | list) and depth > _DEEPEST:
            # What is left out might be executed.
            self.trace.hid_syntax = True
            return _TOO_DEEP
        if isinstance(value, dict):
            return self._members(cast("dict[str, Any]", value), kind, depth + 1)
        if isinstance(value, list | tuple):
            return self._items(cast("list[Any]", list(value)), kind, depth + 1)
        if kind and not kind[1] and isinstance(value, int | float) and not isinstance(value, bool):
            self.trace.count += 1
            return f"[secret: {kind[0]}]"
        return value

    def _text(self, text: str, kind: _Kind | None) -> str:
        spans = _named(text, kind) if kind else []
        if spans:
            self.trace.see(text, spans, named=True)
            return replaced(text, spans)
        spans = find(text)
        self.trace.see(text, spans)
        return replaced(text, spans)

    def _members(self, members: dict[str, Any], kind: _Kind | None, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        beside = next((kind_of_key(name) for key in _NAMES if isinstance(name := _folded(members).get(key), str)), None)
        for key, value in members.items():
            own = kind_of_key(key)
            if key.lower() in _VALUES:
                own = own or beside or kind
            shown = self._text(key, None)
            unique = shown
            again = 1
            while unique in result:
                # Two secrets as keys: neither value may hide the other.
                again += 1
                unique = f"{shown} ({again})"
            result[unique] = self.value(value, own, depth)
        return result

    def _items(self, items: list[Any], kind: _Kind | None, depth: int) -> list[Any]:
        words = [item for item in items if isinstance(item, str)]
        if kind or len(words) < 2 or len(words) < len(items) or any(_BETWEEN in word for word in words):
            return [self.value(item, kind, depth) for item in items]
        return self._words(words)

    def _words(self, words: list[str]) -> list[str]:
        text = _BETWEEN.join(words)
        found = find(text)
        at = 0
        starts: list[int] = []
        for place, word in enumerate(words):
            starts.append(at)
            option = (
                kind_of_key(words[place - 1].lstrip("-")) if place and _takes_value(words[place - 1], words) else None
            )
            if option and not word.startswith("-"):
                found += [(at + start, at + end, *rest) for start, end, *rest in _named(word, option)]
            at += len(word) + 1
        spans = merged(found)
        self.trace.see(text, spans)
        return [
            replaced(
                word,
                [
                    (max(begin - start, 0), min(end - start, len(word)), kind, name)
                    for begin, end, kind, name in spans
                    if begin < start + len(word) and end > start
                ],
            )
            for start, word in zip(starts, words, strict=True)
        ]


def _folded(members: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in members.items()}


def _takes_value(word: str, words: list[str]) -> bool:
    """Whether the next word of a list is the value to this one: an option's, or the second of a header's pair."""
    return word.startswith("-") or (len(words) == 2 and ("-" in word or word.lower() in {"authorization", "cookie"}))


def _named(text: str, kind: tuple[str, bool]) -> list[Span]:
    """What is secret in a text that is one by its name."""
    name, vague = kind
    if name == "cookie" and (cookies := cookies_at(text, 0)[0]):
        return cookies
    if stays(text, name, Reading.CHANCE if vague else Reading.WORD):
        return []
    scheme, _, rest = text.partition(" ")
    if rest and " " not in rest and scheme.isalpha() and (spans := authorization_at(text, 0)[0]):
        return spans
    return [(0, len(text), name, "")]
