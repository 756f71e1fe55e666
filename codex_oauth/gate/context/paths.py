"""The files that a request would touch, as it writes them and as they are: behind a link may lie another place.

What a relative path is relative to is only said where it is certain. Claude Code tells the folder that its shell is in;
Codex tells the folder of the conversation, but runs commands in any folder that the model names, and a patch that the
model gave to a shell there arrives just like one that it gave to the tool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from codex_oauth.gate.context.places import Places
from codex_oauth.gate.context.shell_paths import ShellPath, local_path, shell_paths
from codex_oauth.gate.request import PermissionRequest

__all__ = ("referenced_paths",)

_MOST: Final = 40
_DEEPEST: Final = 5
_MOST_VALUES: Final = 500

_SHELL_TOOLS: Final = frozenset({"Bash"})
_PATH_FIELDS: Final = ("file_path", "notebook_path", "path", "local_path")
_PATTERN_FIELDS: Final = {"Glob": "pattern", "Grep": "glob"}
_PATCH: Final = "*** Begin Patch"
_HEADERS: Final = ("*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: ")
_MOST_HEADERS: Final = 1_000
_MOST_BLANKS: Final = 100
_LONGEST: Final = 5_000


def referenced_paths(request: PermissionRequest) -> tuple[str, ...]:
    """The paths that a request names, in the order in which it does.

    Each is given as written, and followed by ` -> ` and the real one where that is another than one would read: behind
    a link, or with `..` or `~`. A relative one that cannot be placed is followed by `UNKNOWN_FOLDER`. Patterns and
    variables stand as written. A name with blanks, quotes, parentheses or anything unprintable in it stands in JSON's
    quotes.

    Returns:
        At most 40, each of at most 300 characters; if there are more, the last says how many.
    """
    places = Places(request)
    shown = tuple(dict.fromkeys(places.shown(path) for path in _named(request, places) if path.text))
    if len(shown) <= _MOST:
        return shown
    # Those that lead elsewhere are the ones to see.
    first = set(sorted(shown, key=lambda text: " -> " not in text)[: _MOST - 1])
    return *(text for text in shown if text in first), f"… and {len(shown) - len(first)} more"


def _named(request: PermissionRequest, places: Places) -> Iterator[ShellPath]:
    given = request.tool_input
    command = given.get("command")
    if request.tool == "apply_patch":
        for value in (command, given.get("input"), given.get("patch")):
            if isinstance(value, str):
                for name in _patched(value):
                    yield ShellPath(name, here=places.certain)
    elif request.tool == "Bash":
        if isinstance(command, str):
            for found in shell_paths(command, places.exists):
                yield found if places.certain else found._replace(here=False)
            if _PATCH in command:
                for name in _patched(command):
                    yield ShellPath(name, here=False)
    elif request.tool.startswith("mcp__"):
        for text in _texts(given):
            path = local_path(text)
            if _looks_absolute(path) and "\n" not in path:
                # Whether a server knows what `~` stands for is its own affair.
                yield ShellPath(path, known=path[0] != "~")
    else:
        for name in _PATH_FIELDS:
            value = given.get(name)
            if isinstance(value, str):
                yield ShellPath(value, tilde=value == "~" or value.startswith("~/"), here=places.certain)
        pattern = given.get(_PATTERN_FIELDS.get(request.tool, ""))
        if isinstance(pattern, str):
            yield ShellPath(pattern, known=False)


def _patched(patch: str) -> Iterator[str]:
    """The files of a patch in Codex's own form, wherever in a text it stands."""
    place = patch.find("*** ")
    for _ in range(_MOST_HEADERS):
        if place < 0:
            return
        before = patch[max(0, place - _MOST_BLANKS) : place]
        if not before.rpartition("\n")[2].strip():
            line = patch[place : place + _LONGEST].partition("\n")[0]
            if line.startswith(_HEADERS):
                yield line.partition(": ")[2].strip()
        place = patch.find("*** ", place + 4)


def _looks_absolute(text: str) -> bool:
    if text.startswith("/"):
        return text[1:2] not in ("", "/")
    return text.startswith(("~/", "\\\\")) or (text[1:2] == ":" and text[:1].isalpha() and text[2:3] in ("/", "\\"))


def _texts(value: object) -> Iterator[str]:
    """The texts of a JSON value, those at the top first."""
    level: list[object] = [value]
    left = _MOST_VALUES
    for _ in range(_DEEPEST):
        below: list[object] = []
        for item in level[:left]:
            left -= 1
            if isinstance(item, str):
                yield item
            elif isinstance(item, Mapping):
                below.extend(cast("Mapping[str, object]", item).values())
            elif isinstance(item, list):
                below.extend(cast("list[object]", item))
        level = below
