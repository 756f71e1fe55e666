"""The hook within a host's settings: found, put in, brought up to date, taken out. Text in, text out."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from codex_oauth.hosts.hook_command import Host, runs_hook
from codex_oauth.hosts.json_text import RepeatedKeyError, insert, parse, remove, replace
from codex_oauth.hosts.settings_file import SettingsFile

__all__ = ("CODEX_KEYS", "EVENT", "Change", "Placed", "Wanted", "hooks_in", "with_hook", "without_hook")

EVENT: Final = "PermissionRequest"
STATUS_MESSAGE: Final = "codex-oauth: judging the request"

CODEX_KEYS: Final = frozenset({"hooks", "description"})
"""What Codex takes at the top of its `hooks.json`: with any other key there, it passes over the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The hook that is to be there.

    Attributes:
        host: Whose settings they are.
        command: What the host runs.
        timeout: Seconds that the host waits for it.
    """

    host: Host
    command: str
    timeout: int

    @property
    def entry(self) -> dict[str, Any]:
        """It, as the settings hold it."""
        entry: dict[str, Any] = {"type": "command", "command": self.command, "timeout": self.timeout}
        return entry | {"statusMessage": STATUS_MESSAGE} if self.host == "codex" else entry


@dataclass(frozen=True, slots=True)
class Placed:
    """A hook for permission requests within the settings.

    Attributes:
        group: The place of its group.
        index: Its place in the group.
        matcher: The group's pattern for tools; empty for all of them.
        entry: What the settings say of it.
        ours: `own` for this package's hook, `wrapped` for a command that runs it among other things, None for another.
    """

    group: int
    index: int
    matcher: str
    entry: dict[str, Any] = field(repr=False)
    ours: Literal["own", "wrapped"] | None

    @property
    def command(self) -> str:
        """What is run; empty for a hook of another kind."""
        command = self.entry.get("command")
        return command if isinstance(command, str) else ""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a settings file.

    Attributes:
        text: Its words from then on.
        what: In a word: `added`, `updated`, `removed` or `none`.
        shifts: Whether hooks of others change their places. Codex trusts a hook at its place.
        wrapped: Command lines of the user's own that run the hook, and are left alone.
    """

    text: str = field(repr=False)
    what: Literal["added", "none", "removed", "updated"]
    shifts: bool = False
    wrapped: tuple[str, ...] = ()


def hooks_in(file: SettingsFile, host: Host) -> list[Placed]:
    """The hooks for permission requests, in order.

    Raises:
        ConfigurationError: The hooks do not have the shape that the host takes.
    """
    with _located(file):
        _each_once(file, (), [key for key in file.value if key == "hooks"])
        hooks = file.value.get("hooks", {})
        _demand(isinstance(hooks, dict), file, ("hooks",), "'hooks' is not an object, {…}")
        _each_once(file, ("hooks",), [key for key in hooks if key == EVENT])
        where = f"hooks.{EVENT}"
        groups = cast("dict[str, Any]", hooks).get(EVENT, [])
        _demand(isinstance(groups, list), file, ("hooks", EVENT), f"'{where}' is not a list, […]")
        placed: list[Placed] = []
        for number, group in enumerate(cast("list[Any]", groups)):
            path = ("hooks", EVENT, number)
            _demand(isinstance(group, dict), file, path, f"'{where}[{number}]' is not an object, {{…}}")
            members = cast("dict[str, Any]", group)
            entries = members.get("hooks", [])
            _demand(isinstance(entries, list), file, path, f"'{where}[{number}].hooks' is not a list, […]")
            _each_once(file, path, members)
            matcher = members.get("matcher")
            for index, entry in enumerate(cast("list[Any]", entries)):
                _demand(isinstance(entry, dict), file, path, f"'{where}[{number}].hooks[{index}]' is not an object")
                _each_once(file, (*path, "hooks", index), entry)
                ours = runs_hook(entry.get("command"), host)
                placed.append(Placed(number, index, matcher if isinstance(matcher, str) else "", entry, ours))
        return placed


def with_hook(file: SettingsFile, wanted: Wanted) -> Change:
    """The settings with the hook in them, once: as the last one where it is new, else where it was.

    Raises:
        ConfigurationError: The settings are not such that it can be put in, or would have an effect there.
    """
    if wanted.host == "codex":
        _refuse_foreign_keys(file)
    placed = hooks_in(file, wanted.host)
    wrapped = tuple(hook.command for hook in placed if hook.ours == "wrapped")
    if wrapped:
        raise file.wrong(
            f"a command line of your own runs the hook already: {wrapped[0]}. Change it there, or take it out first"
        )
    own = [hook for hook in placed if hook.ours == "own"]
    if not own:
        return _checked(file, Change(_appended(file, wanted), "added"), wanted.host)
    text = _updated(file.text, own[0], wanted)
    for hook in reversed(own[1:]):
        text = _taken_out(text, hook)
    what = "none" if text == file.text else "updated"
    return _checked(file, Change(text, what, shifts=_shifts(placed, own[1:])), wanted.host)


def without_hook(file: SettingsFile, host: Host) -> Change:
    """The settings without the hook, and without what would be left empty by that.

    Raises:
        ConfigurationError: The settings do not have the shape that the host takes.
    """
    placed = hooks_in(file, host)
    own = [hook for hook in placed if hook.ours == "own"]
    text = file.text
    for hook in reversed(own):
        text = _taken_out(text, hook)
    wrapped = tuple(hook.command for hook in placed if hook.ours == "wrapped")
    change = Change(text, "removed" if own else "none", shifts=_shifts(placed, own), wrapped=wrapped)
    return _checked(file, change, host)


def _refuse_foreign_keys(file: SettingsFile) -> None:
    foreign = next((key for key in file.value if key not in CODEX_KEYS), None)
    if foreign is not None:
        with _located(file):
            place = parse(file.text).at((foreign,)).start
        raise file.wrong(f"Codex passes over the whole file because of the key {foreign!r}; take that out", place)


def _appended(file: SettingsFile, wanted: Wanted) -> str:
    group = {"matcher": "", "hooks": [wanted.entry]}
    if not file.text.strip():
        return json.dumps({"hooks": {EVENT: [group]}}, ensure_ascii=False, indent=2) + "\n"
    hooks = file.value.get("hooks")
    if hooks is None:
        return insert(file.text, (), "hooks", {EVENT: [group]})
    if EVENT not in hooks:
        return insert(file.text, ("hooks",), EVENT, [group])
    return insert(file.text, ("hooks", EVENT), None, group)


def _updated(text: str, hook: Placed, wanted: Wanted) -> str:
    path = ("hooks", EVENT, hook.group, "hooks", hook.index)
    for key, value in wanted.entry.items():
        if key not in hook.entry:
            text = insert(text, path, key, value)
        elif hook.entry[key] != value or type(hook.entry[key]) is not type(value):
            text = replace(text, (*path, key), value)
    # The answer of a hook that the host does not wait for has no effect.
    return remove(text, (*path, "async")) if hook.entry.get("async") else text


def _taken_out(text: str, hook: Placed) -> str:
    path: tuple[str | int, ...] = ("hooks", EVENT, hook.group, "hooks", hook.index)
    node = parse(text)
    while len(path) > 1 and len(node.at(path[:-1]).parts) == 1:
        # What holds nothing else goes with it: the group's list, and with the list the group.
        path = path[:-2] if path[-2] == "hooks" and len(path) > 2 else path[:-1]
    return remove(text, path)


def _shifts(placed: list[Placed], gone: list[Placed]) -> bool:
    groups = {hook.group for hook in gone}
    emptied = {group for group in groups if all(hook in gone for hook in placed if hook.group == group)}
    return any(
        hook not in gone
        and (
            any(group < hook.group for group in emptied)
            or any(other.group == hook.group and other.index < hook.index for other in gone)
        )
        for hook in placed
    )


def _checked(file: SettingsFile, change: Change, host: Host) -> Change:
    """The change, after a look at whether all that is not the hook is as it was."""
    after: dict[str, Any] = json.loads(change.text) if change.text.strip() else {}
    if _without_ours(after, host) != _without_ours(file.value, host):
        raise file.wrong("cannot be changed without a change to other things in it; change it by hand")
    return change


def _without_ours(value: dict[str, Any], host: Host) -> dict[str, Any]:
    rest = deepcopy(value)
    hooks = rest.get("hooks", {})
    groups: list[Any] = []
    for group in hooks.get(EVENT, []):
        entries = group.get("hooks", [])
        kept = [entry for entry in entries if runs_hook(entry.get("command"), host) != "own"]
        if kept or not entries:
            groups.append(group | {"hooks": kept} if "hooks" in group else group)
    hooks[EVENT] = groups
    rest["hooks"] = {name: found for name, found in hooks.items() if found or name != EVENT}
    return {name: found for name, found in rest.items() if found or name != "hooks"}


def _each_once(file: SettingsFile, path: tuple[str | int, ...], keys: Iterable[str]) -> None:
    for key in keys:
        parse(file.text).at((*path, key))


def _demand(holds: bool, file: SettingsFile, path: tuple[str | int, ...], what: str) -> None:
    if not holds:
        raise file.wrong(f"{what}; mend it", parse(file.text).at(path).start)


@contextmanager
def _located(file: SettingsFile) -> Generator[None]:
    try:
        yield
    except RepeatedKeyError as error:
        raise file.wrong(f"the key {error.key!r} stands twice in one object; take one out", error.start) from None
    except RecursionError:
        raise file.wrong("is nested too deeply") from None
