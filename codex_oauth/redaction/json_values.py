"""A JSON value without its secrets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias, cast

from codex_oauth.redaction.headers import authorization_at, cookies_at
from codex_oauth.redaction.names import kind_of_key
from codex_oauth.redaction.spans import MARKER, Lazy, Span, merged, replaced
from codex_oauth.redaction.texts import ROUNDS, Trace, find
from codex_oauth.redaction.values import Reading, stays

__all__ = ("redact_value",)

_DEEPEST: Final = 100
_TOO_DEEP: Final = "[left out: nested too deeply]"
_BETWEEN: Final = "\x1f"
"""Joins the words of a command that was given as a list: a space to the patterns, and in no text."""
_NAMES: Final = ("name", "key", "header")
_VALUES: Final = frozenset({"value", "values", "val", "content", "data"})
_HEADER: Final = Lazy(r"(?i:authorization|cookie|[A-Za-z]\w*-[\w-]*)")
_SCHEME: Final = Lazy(r"[A-Za-z][\w-]*+ \S+")
_SHOWN: Final = Lazy(rf"(?:[A-Za-z][\w-]*+ |[\w.%*!-]++=){MARKER}")
"""What is left where only the credentials of a header were replaced."""

_Kind: TypeAlias = tuple[str, bool]


def redact_value(value: Any) -> tuple[Any, int, bool]:
    """A JSON value without its secrets, how many were replaced, and whether syntax may have gone with them.

    Every string is redacted as `redact` does it, keys too. In addition, a value is a secret by its key (`password`,
    `api_key`, `clientSecret`, `X-Auth-Token`…), by the name beside it (`{"name": "Authorization", "value": …}`), or by
    the option in front of it (`["--password", …]`). The value that was given is not changed. What lies deeper than 100
    levels is left out, which counts as hidden syntax.
    """
    walk = _Walk()
    result = walk.value(value, None, 0)
    walk.trace.conclude()
    return result, walk.trace.count, walk.trace.hid_syntax


class _Walk:
    """One pass over a value, and what it has met so far."""

    __slots__ = ("trace",)

    def __init__(self) -> None:
        self.trace = Trace()

    def value(self, value: Any, kind: _Kind | None, depth: int, *, every: bool = False) -> Any:
        """The value.

        Args:
            value: As it was given.
            kind: What secret it is by its name.
            depth: Levels above it.
            every: Whether each of its members is a secret of that kind, whatever its own name.
        """
        if isinstance(value, str):
            return self._text(value, kind)
        if isinstance(value, dict | list | tuple) and depth > _DEEPEST:
            self.trace.hid_syntax = True
            return _TOO_DEEP
        if isinstance(value, dict):
            return self._members(cast("dict[str, Any]", value), kind, depth + 1, every=every)
        if isinstance(value, list | tuple):
            return self._items(cast("Sequence[Any]", value), kind, depth + 1)
        if kind and kind[0] == "password" and isinstance(value, int | float) and not isinstance(value, bool):
            self.trace.count += 1
            return f"[secret: {kind[0]}]"
        return value

    def _text(self, text: str, kind: _Kind | None) -> str:
        spans = _named(text, kind) if kind else []
        if spans:
            self.trace.see(text, spans, named=True)
            return replaced(text, spans)
        return self.trace.redacted(text)

    def _members(self, members: dict[str, Any], kind: _Kind | None, depth: int, *, every: bool) -> dict[str, Any]:
        folded = {key.lower(): value for key, value in members.items()}
        names = (folded.get(name) for name in _NAMES)
        beside = next((kind_of_key(Trace().redacted(name)) for name in names if isinstance(name, str)), None)
        result: dict[str, Any] = {}
        times: dict[str, int] = {}
        for key, value in members.items():
            shown = self._text(key, None)
            own = kind_of_key(shown)
            if key.lower() in _VALUES:
                own = own or beside or kind
            elif every and isinstance(value, str):
                own = own or kind
            unique = shown
            while unique in result:
                # Two secrets as keys: neither value may hide the other's. Counted, for there may be very many.
                times[shown] = times.get(shown, 1) + 1
                unique = f"{shown} ({times[shown]})"
            result[unique] = self.value(value, own, depth, every=shown[-1:] in {"s", "S"})
        return result

    def _items(self, items: Sequence[Any], kind: _Kind | None, depth: int) -> list[Any]:
        words = [item for item in items if isinstance(item, str)]
        if kind or len(words) < 2 or len(words) < len(items) or any(_BETWEEN in word for word in words):
            return [self.value(item, kind, depth) for item in items]
        return self._words(words)

    def _words(self, words: list[str]) -> list[str]:
        """Strings that may be the words of one command, and are then read as one."""
        for _ in range(ROUNDS):
            text = _BETWEEN.join(words)
            spans = merged([*find(text), *_behind_names(words)])
            self.trace.see(text, spans)
            if not spans:
                break
            words = list(_apart(words, spans))
        return words


def _behind_names(words: list[str]) -> Iterator[Span]:
    """The words that are secrets by the word in front of them: by an option, or by a header's name."""
    at = 0
    before = ""
    for word in words:
        option = before.startswith("-") and not word.startswith("-")
        kind = kind_of_key(before.lstrip("-")) if option or (len(words) == 2 and _HEADER().fullmatch(before)) else None
        for start, end, name, _ in _named(word, kind) if kind else ():
            yield at + start, at + end, name, ""
        at += len(word) + 1
        before = word


def _apart(words: list[str], spans: list[Span]) -> Iterator[str]:
    """The words without what the spans cover in all of them together."""
    at = 0
    left = deque(spans)
    for word in words:
        end = at + len(word)
        own: list[Span] = []
        while left and left[0][0] < end:
            start, stop, kind, variable = left.popleft()
            own.append((max(start - at, 0), min(stop, end) - at, kind, variable))
            if stop > end + 1:
                left.appendleft((end + 1, stop, kind, variable))
                break
        yield replaced(word, own)
        at = end + 1


def _named(text: str, kind: _Kind) -> list[Span]:
    """What is secret in a text that is one by its name."""
    name, vague = kind
    if _SHOWN().fullmatch(text):
        return []
    spans = cookies_at(text, 0)[0] if name == "cookie" else []
    if not spans and stays(text, name, Reading.CHANCE if vague else Reading.WORD):
        return []
    if not spans and _SCHEME().fullmatch(text):
        spans = authorization_at(text, 0, Reading.WORD)[0]
    # What a scheme or a cookie's name does not account for is no less secret.
    return spans if len(spans) == 1 and spans[0][1] == len(text) else [(0, len(text), name, "")]
