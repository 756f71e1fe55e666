"""The keys of a policy file: which there are, what each takes, and what to say where one is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, cast

from codex_oauth.gate.policy import FAILURE_CLASSES, Behavior, FailureClass, OnFailure, Rule
from codex_oauth.gate.policy.file import MODES, PolicyFile, Problem, ProjectPolicies, Section
from codex_oauth.gate.policy.lines import KeyLines, KeyPath
from codex_oauth.gate.request import Host

__all__ = ("FILE_KEYS", "RULE_KEYS", "SECTION_KEYS", "PolicyReader")

SECTION_KEYS: Final = (
    *("on_uncertain", "when_nobody", "model", "effort", "timeout", "transcript", "host_permissions"),
    *("cache", "environment", "append_environment", "disable", "rules", "append_rules", "on_failure"),
)
FILE_KEYS: Final = (*SECTION_KEYS, "project_policies", "host", "mode")
RULE_KEYS: Final = ("id", "allow", "deny", "ask", "deny_message", "remember")

_HOSTS: Final = ("claude", "codex")
_BEHAVIORS: Final = ("ask", "allow", "deny")
_PROJECT_POLICIES: Final = ("untracked", "trusted", "required", "off")
_REMEMBER: Final = ("session", "local")
_MAX_TIMEOUT: Final = 86_400
_MAX_CACHE: Final = 86_400
_SPAN: Final = re.compile(r"([0-9]{1,4})s|([0-9]{1,3})m|(1?[0-9]|2[0-4])h")
# None of them is more than a day.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
# Control characters, and those that make a person see another sentence than the model does.

_SPOKEN: Final[Mapping[type, str]] = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


class PolicyReader:
    """Reads the values that a file's TOML stands for. All of its problems are collected; reading goes on after each."""

    def __init__(self, lines: KeyLines) -> None:
        self.problems: list[Problem] = []
        self._lines = lines

    def file(self, values: Mapping[str, Any]) -> PolicyFile:
        """The whole file."""
        return PolicyFile(
            base=self._section(values, (), FILE_KEYS),
            hosts=cast("dict[Host, Section]", self._sections(values.get("host", {}), "host", _HOSTS)),
            modes=self._sections(values.get("mode", {}), "mode", MODES),
            project_policies=cast(
                "ProjectPolicies | None", self._choice(values, (), "project_policies", _PROJECT_POLICIES)
            ),
            lines=self._lines,
        )

    def _wrong(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self._lines.of(path), message))

    def _sections(self, value: Any, kind: Literal["host", "mode"], names: tuple[str, ...]) -> dict[str, Section]:
        if not isinstance(value, dict):
            self._wrong((kind,), f"{kind!r} must be a table such as [{kind}.{names[0]}], and is {_kind(value)}")
            return {}
        sections: dict[str, Section] = {}
        for name, content in cast("dict[str, Any]", value).items():
            path = (kind, name)
            if name not in names:
                hint = _hint(name, names)
                if name in SECTION_KEYS:
                    hint = f"; {name!r} belongs at the top of the file, or in a section such as [{kind}.{names[0]}]"
                self._wrong(path, f"unknown {kind} {_quoted(name)}{hint}")
            elif not isinstance(content, dict):
                self._wrong(path, f"'{kind}.{name}' must be a table, and is {_kind(content)}")
            else:
                sections[name] = self._section(cast("dict[str, Any]", content), path, SECTION_KEYS)
        return sections

    def _section(self, values: Mapping[str, Any], at: KeyPath, known: tuple[str, ...]) -> Section:
        for key in values:
            if key in known:
                continue
            hint = _hint(key, known)
            if key in FILE_KEYS:
                hint = f": it can only stand at the top of the file, not inside [{'.'.join(map(str, at))}]"
            elif key in RULE_KEYS:
                hint = ": it belongs to a rule, below a line [[append_rules]]"
            self._wrong((*at, key), f"unknown key {_quoted(key)}{hint}")
        return Section(
            on_uncertain=cast("Behavior | None", self._choice(values, at, "on_uncertain", _BEHAVIORS)),
            when_nobody=cast("Behavior | None", self._choice(values, at, "when_nobody", _BEHAVIORS)),
            model=self._word(values, at, "model"),
            effort=self._word(values, at, "effort"),
            timeout=self._timeout(values, at),
            cache=self._cache(values, at),
            transcript=self._flag(values, at, "transcript"),
            host_permissions=self._flag(values, at, "host_permissions"),
            environment=self._notes(values, at, "environment"),
            append_environment=self._notes(values, at, "append_environment") or (),
            disable=self._ids(values, at),
            rules=self._rules(values, at, "rules"),
            append_rules=self._rules(values, at, "append_rules") or (),
            on_failure=self._on_failure(values, at),
        )

    def _choice(self, values: Mapping[str, Any], at: KeyPath, key: str, choices: tuple[str, ...]) -> str | None:
        value = values.get(key)
        if value is None or value in choices:
            return value
        self._wrong((*at, key), f"{key!r} must be {_one_of(choices)}")
        return None

    def _flag(self, values: Mapping[str, Any], at: KeyPath, key: str) -> bool | None:
        value = values.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._wrong((*at, key), f"{key!r} must be true or false, and is {_kind(value)}")
        return None

    def _timeout(self, values: Mapping[str, Any], at: KeyPath) -> float | None:
        value = values.get("timeout")
        if value is None:
            return None
        # No comparison holds for nan, and an integer may be too large for a float.
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_TIMEOUT:
            return float(value)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        what = "" if number else f", and is {_kind(value)}"
        self._wrong((*at, "timeout"), f"'timeout' must be seconds, more than 0 and at most {_MAX_TIMEOUT}{what}")
        return None

    def _cache(self, values: Mapping[str, Any], at: KeyPath) -> float | None:
        value = values.get("cache")
        if value is None:
            return None
        if isinstance(value, str) and (span := _SPAN.fullmatch(value)):
            seconds, minutes, hours = (int(number or 0) for number in span.groups())
            return float(seconds + 60 * minutes + 3600 * hours)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_CACHE:
            return float(value)
        self._wrong((*at, "cache"), "'cache' must be a time such as \"10m\", or seconds; at most a day, and 0 for none")
        return None

    def _word(self, values: Mapping[str, Any], at: KeyPath, key: str) -> str | None:
        value = values.get(key)
        if value is None:
            return None
        if isinstance(value, str) and value and not _UNSEEN.search(value) and not re.search(r"\s", value):
            return value
        what = "not empty, and without spaces" if isinstance(value, str) else f"and is {_kind(value)}"
        self._wrong((*at, key), f"{key!r} must be a string, {what}")
        return None

    def _sentence(self, value: Any, path: KeyPath, what: str) -> str | None:
        if not isinstance(value, str):
            self._wrong(path, f"{what} must be a string, and is {_kind(value)}")
        elif unseen := _UNSEEN.search(value):
            self._wrong(path, f"{what} has a character that cannot be seen (U+{ord(unseen[0]):04X}): take it out")
        elif not value.strip():
            self._wrong(path, f"{what} is empty")
        else:
            # Long ones are written on several lines; the model gets one.
            return " ".join(value.split())
        return None

    def _notes(self, values: Mapping[str, Any], at: KeyPath, key: str) -> tuple[str, ...] | None:
        value = values.get(key)
        if value is None:
            return None
        path = (*at, key)
        if not isinstance(value, list):
            self._wrong(path, f"{key!r} must be a list of strings, and is {_kind(value)}")
            return None
        read = [
            self._sentence(item, path, f"item {number} of {key!r}")
            for number, item in enumerate(cast("list[Any]", value), 1)
        ]
        return tuple(sentence for sentence in read if sentence is not None)

    def _ids(self, values: Mapping[str, Any], at: KeyPath) -> tuple[str, ...]:
        value = values.get("disable", [])
        path = (*at, "disable")
        if not isinstance(value, list):
            self._wrong(path, f"'disable' must be a list of rules' ids, and is {_kind(value)}")
            return ()
        items = cast("list[Any]", value)
        for number, item in enumerate(items, 1):
            if not isinstance(item, str) or not _ID.fullmatch(item):
                self._wrong(path, f"item {number} of 'disable' is no rule's id")
        return tuple(item for item in items if isinstance(item, str) and _ID.fullmatch(item))

    def _on_failure(self, values: Mapping[str, Any], at: KeyPath) -> dict[FailureClass | Literal["default"], OnFailure]:
        value = values.get("on_failure", {})
        at = (*at, "on_failure")
        if not isinstance(value, dict):
            self._wrong(at, f"'on_failure' must be a table, and is {_kind(value)}")
            return {}
        known = (*FAILURE_CLASSES, "default")
        read: dict[FailureClass | Literal["default"], OnFailure] = {}
        for key, outcome in cast("dict[str, Any]", value).items():
            if key not in known:
                self._wrong(
                    (*at, key), f"unknown class of failure {_quoted(key)}{_misplaced(key) or _hint(key, known)}"
                )
            elif outcome not in ("ask", "deny"):
                never = ": a failure is never an allow" if outcome == "allow" else ""
                self._wrong((*at, key), f'\'on_failure.{key}\' must be "ask" or "deny"{never}')
            else:
                read[cast("FailureClass", key)] = outcome
        return read

    def _rules(self, values: Mapping[str, Any], at: KeyPath, key: str) -> tuple[Rule, ...] | None:
        value = values.get(key)
        if value is None:
            return None
        at = (*at, key)
        if isinstance(value, dict):
            self._wrong(at, f"{key!r} is a list of tables: write [[{'.'.join(map(str, at))}]], with two brackets")
            return ()
        if not isinstance(value, list):
            self._wrong(at, f"{key!r} must be a list of tables, and is {_kind(value)}")
            return ()
        rules: list[Rule] = []
        seen: dict[str, int | None] = {}
        for number, item in enumerate(cast("list[Any]", value)):
            path = (*at, number)
            if not isinstance(item, dict):
                self._wrong(path, f"item {number + 1} of {key!r} must be a table, and is {_kind(item)}")
                continue
            content = cast("dict[str, Any]", item)
            name = content.get("id")
            if isinstance(name, str) and name in seen:
                first = f" (first on line {seen[name]})" if seen[name] else ""
                self._wrong((*path, "id"), f"the id {_quoted(name)} is used twice in {key!r}{first}")
            elif isinstance(name, str):
                seen[name] = self._lines.of((*path, "id"))
            rule = self._rule(content, path, number + 1)
            if rule is not None:
                rules.append(rule)
        return tuple(rules)

    def _rule(self, values: Mapping[str, Any], path: KeyPath, number: int) -> Rule | None:
        before = len(self.problems)
        name = values.get("id")
        called = f"rule {number}"
        if name is None:
            self._wrong(path, f"{called} has no 'id'")
        elif not isinstance(name, str) or not _ID.fullmatch(name):
            self._wrong(
                (*path, "id"),
                f"the 'id' of {called} must be 1 to 64 letters, digits, '.', '_', '/' or '-', "
                "and begin with a letter or digit",
            )
        else:
            called = f"rule {name!r}"
        for key in values:
            if key not in RULE_KEYS:
                self._wrong(
                    (*path, key), f"unknown key {_quoted(key)} in {called}{_misplaced(key) or _hint(key, RULE_KEYS)}"
                )
        kinds = [kind for kind in _BEHAVIORS if kind in values]
        if len(kinds) != 1:
            has = f"has {' and '.join(map(repr, kinds))}" if kinds else "has none"
            self._wrong(path, f"{called} must have exactly one of 'allow', 'deny' and 'ask', and {has}")
            return None
        kind = cast("Behavior", kinds[0])
        text = self._sentence(values[kind], (*path, kind), f"{kind!r} of {called}")
        deny_message = None
        if "deny_message" in values:
            if kind != "deny":
                self._wrong((*path, "deny_message"), f"'deny_message' goes with 'deny' only, and {called} is {kind!r}")
            deny_message = self._sentence(
                values["deny_message"], (*path, "deny_message"), f"'deny_message' of {called}"
            )
        if "remember" in values and kind != "allow":
            self._wrong((*path, "remember"), f"'remember' goes with 'allow' only, and {called} is {kind!r}")
        remember = self._choice(values, path, "remember", _REMEMBER)
        if len(self.problems) > before or text is None:
            return None
        return Rule(
            id=cast("str", name),
            kind=kind,
            text=text,
            deny_message=deny_message,
            remember=cast('Literal["session", "local"] | None', remember),
        )


def _kind(value: Any) -> str:
    return _SPOKEN.get(type(cast("object", value)), "a date or time")


def _one_of(choices: tuple[str, ...]) -> str:
    quoted = [f'"{choice}"' for choice in choices]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _quoted(key: str) -> str:
    return repr(key if len(key) <= 60 else f"{key[:60]}…")


def _misplaced(key: str) -> str | None:
    # TOML's own trap: whatever stands below a [table] is part of it.
    return ": it belongs above the first line with a [table], at the top of the file" if key in FILE_KEYS else None


def _hint(key: str, known: Iterable[str]) -> str:
    import difflib

    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(key[:60].lower().replace("-", "_"), names, n=1)
    return f"; did you mean {names[near[0]]!r}?" if near else f"; known are {', '.join(sorted(names.values()))}"
