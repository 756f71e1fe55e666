"""Where a TOML file says what: the parser tells values and no lines, and an error without a line is hard to mend."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias, cast

__all__ = ("KeyLines", "KeyPath")

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the top, and the places in lists of tables: `("rules", 0, "id")`."""

_CLOSES: Final = re.compile(r"[\]}]|\"\"\"|'''")
# A statement of several lines ends in a line with one of these.

_DEEPEST: Final = 8
_MOST: Final = 2_000_000
"""Characters parsed in all. A file that would take more is an absurd one; its problems are told without lines."""


class KeyLines:
    """The lines on which the statements of a valid TOML text begin, counted from 1.

    Nothing is done before the first question: a file without a problem costs nothing.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: dict[KeyPath, int] | None = None

    def of(self, path: KeyPath) -> int | None:
        """The line of a key, or of the innermost thing around it that has a line; None where nothing has."""
        if self._lines is None:
            self._lines = _key_lines(self._text)
        return next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), None)


def _key_lines(text: str) -> dict[KeyPath, int]:
    import tomllib

    lines = text.replace("\r\n", "\n").split("\n")
    found: dict[KeyPath, int] = {}
    tables: dict[KeyPath, int] = {}
    table: KeyPath = ()
    left = _MOST
    start = 0
    while start < len(lines):
        # A statement is the fewest lines that parse by themselves: an open string or list does not.
        end = start + 1
        while True:
            source = "\n".join(lines[start:end])
            left -= len(source)
            if left < 0:
                return found
            try:
                statement = tomllib.loads(source)
                break
            except (ValueError, RecursionError):
                closing = (number for number in range(end, len(lines)) if _CLOSES.search(lines[number]))
                end = next(closing, len(lines)) + 1
                if end > len(lines):
                    return found
        if lines[start].lstrip().startswith("["):
            table = _header(statement, tables, found, start + 1)
        else:
            _note(statement, table, found, start + 1)
        start = end
    return found


def _header(statement: dict[str, Any], tables: dict[KeyPath, int], found: dict[KeyPath, int], line: int) -> KeyPath:
    path: KeyPath = ()
    value: Any = statement
    while isinstance(value, dict) and value and len(path) < _DEEPEST:
        ((name, value),) = cast("dict[str, Any]", value).items()
        path += (name,)
        if isinstance(value, list):
            # [[…]] begins another table of the list.
            tables[path] = tables.get(path, -1) + 1
        found.setdefault(path, line)
        if path in tables:
            # [….name] goes on in the last table of that list.
            path += (tables[path],)
            found.setdefault(path, line)
    return path


def _note(value: Any, path: KeyPath, found: dict[KeyPath, int], line: int) -> None:
    if len(path) > _DEEPEST:
        return
    if path:
        found.setdefault(path, line)
    if isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            _note(item, (*path, name), found, line)
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value)):
            if isinstance(item, dict):
                _note(item, (*path, number), found, line)
