"""JSON changed as text: one value is put in or taken out, and everything else stays as it was typed.

Somebody's settings are theirs: written anew from their values, they would come back in another layout, and the
difference that is shown before writing would be the whole file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

__all__ = ("JSONPath", "Node", "RepeatedKeyError", "insert", "parse", "remove", "replace")

JSONPath: TypeAlias = Sequence[str | int]
"""Keys and places from the top, such as `("hooks", "PermissionRequest", 0)`."""

_TOKEN: Final = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^ \t\r\n{}\[\]:,"]+)', re.DOTALL)
_DEFAULT_INDENT: Final = "  "


class RepeatedKeyError(Exception):
    """An object has a key twice, and which of the two counts is the reader's guess.

    Attributes:
        key: The key.
        start: Where its second one begins, in characters.
    """

    def __init__(self, key: str, start: int) -> None:
        super().__init__(key)
        self.key = key
        self.start = start


@dataclass(frozen=True, slots=True)
class Node:
    """A value within a JSON text.

    Attributes:
        kind: `object`, `array`, or `scalar` for all that has no parts.
        start: Its first character.
        end: The character after its last one.
        parts: What is in it: key, where the part begins (an object's member at its key), and the value. An array's keys
            are places.
    """

    kind: Literal["array", "object", "scalar"]
    start: int
    end: int
    parts: tuple[tuple[str | int, int, Node], ...] = ()

    def at(self, path: JSONPath) -> Node:
        """The value at a path.

        Raises:
            RepeatedKeyError: An object on the way has the key twice.
            KeyError: There is no such value.
        """
        node = self
        for key in path:
            found = [(start, part) for name, start, part in node.parts if name == key and type(name) is type(key)]
            if not found:
                raise KeyError(key)
            if len(found) > 1:
                raise RepeatedKeyError(str(key), found[1][0])
            node = found[0][1]
        return node


def parse(text: str) -> Node:
    """Where everything stands in a text that `json.loads` accepts."""
    return _Scan(text).value()


def insert(text: str, path: JSONPath, key: str | None, value: Any) -> str:
    """The text with one more member or item at the end of the object or array at `path`.

    Args:
        text: Valid JSON.
        path: The object or array.
        key: The member's key; None for an array's item.
        value: What to put in.
    """
    top = parse(text)
    node = top.at(path)
    unit = _indent_unit(text, top)
    inline = _is_inline(text, node) if node.parts else _is_inline(text, top) and bool(top.parts)
    if inline:
        between = ", " if node.parts else ""
        new = between + _rendered(key, value, None, "")
        place = node.parts[-1][2].end if node.parts else node.start + 1
        return text[:place] + new + text[place if node.parts else node.end - 1 :]
    outer = _indent_of_line(text, node.start)
    inner = outer + unit
    if node.parts:
        own = _indent_of_line(text, node.parts[-1][1])
        inner = own if _begins_line(text, node.parts[-1][1]) else inner
        place = node.parts[-1][2].end
        new = ",\n" + inner + _rendered(key, value, unit, inner)
        return text[:place] + _newlines(text, new) + text[place:]
    new = "\n" + inner + _rendered(key, value, unit, inner) + "\n" + outer
    return text[: node.start + 1] + _newlines(text, new) + text[node.end - 1 :]


def replace(text: str, path: JSONPath, value: Any) -> str:
    """The text with another value at `path`."""
    top = parse(text)
    node = top.at(path)
    inline = _is_inline(text, top)
    new = _rendered(None, value, None if inline else _indent_unit(text, top), _indent_of_line(text, node.start))
    return text[: node.start] + _newlines(text, new) + text[node.end :]


def remove(text: str, path: JSONPath) -> str:
    """The text without the member or item at `path`, which is not empty."""
    top = parse(text)
    parent = top.at(path[:-1])
    top.at(path)
    index = next(index for index, (key, _, _) in enumerate(parent.parts) if key == path[-1])
    _, start, node = parent.parts[index]
    if len(parent.parts) == 1:
        return text[: parent.start + 1] + text[parent.end - 1 :]
    if index + 1 < len(parent.parts):
        return text[:start] + text[parent.parts[index + 1][1] :]
    return text[: parent.parts[index - 1][2].end] + text[node.end :]


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def _next(self) -> tuple[str, int, int]:
        found = _TOKEN.match(self._text, self._place)
        assert found is not None
        self._place = found.end()
        return found[1], found.start(1), found.end(1)

    def value(self) -> Node:
        word, start, end = self._next()
        if word not in ("{", "["):
            return Node("scalar", start, end)
        closing = "}" if word == "{" else "]"
        parts: list[tuple[str | int, int, Node]] = []
        while True:
            before = self._place
            word, begin, end = self._next()
            if word == closing:
                return Node("object" if closing == "}" else "array", start, end, tuple(parts))
            if word == ",":
                continue
            if closing == "}":
                key: str | int = json.loads(word)
                self._next()
            else:
                key = len(parts)
                self._place = before
            parts.append((key, begin, self.value()))


def _rendered(key: str | None, value: Any, unit: str | None, margin: str) -> str:
    written = json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", f"\n{margin}")
    return written if key is None else f"{json.dumps(key, ensure_ascii=False)}: {written}"


def _newlines(text: str, new: str) -> str:
    return new.replace("\n", "\r\n") if "\r\n" in text else new


def _is_inline(text: str, node: Node) -> bool:
    return "\n" not in text[node.start : node.end]


def _begins_line(text: str, place: int) -> bool:
    return not text[text.rfind("\n", 0, place) + 1 : place].strip()


def _indent_of_line(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _indent_unit(text: str, top: Node) -> str:
    for _, start, _ in top.parts:
        if _begins_line(text, start) and (indent := _indent_of_line(text, start)):
            return indent
    return _DEFAULT_INDENT
