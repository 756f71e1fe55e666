"""Claude Code's settings: where they are, and what in them keeps the hook from being asked."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts.hook_settings import Placed, hooks_in
from codex_oauth.hosts.report import Obstacle, Report, entry_obstacles, mentions_hook
from codex_oauth.hosts.settings_file import SettingsFile, read_settings
from codex_oauth.types import as_object

__all__ = ("Scope", "claude_settings", "look_at_claude", "repository_of")

Scope: TypeAlias = Literal["user", "project", "local"]
"""Whose settings: the user's own, a repository's, or one's own for a repository."""

_MANAGED: Final[Mapping[str, str]] = {
    "darwin": "/Library/Application Support/ClaudeCode/managed-settings.json",
    "win32": r"C:\ProgramData\ClaudeCode\managed-settings.json",
}
_MANAGED_ELSEWHERE: Final = "/etc/claude-code/managed-settings.json"

_UNASKED_MODES: Final = frozenset({"bypassPermissions", "dontAsk"})
"""Modes in which Claude Code asks nobody: no prompt is due, and the hook is not called."""

_WHOLE_TOOL: Final = re.compile(r"(\*|[A-Za-z]+|mcp__(?:(?!__)[\w-])+(?:__\*)?)(?:\((?:\*|:\*|\*\*)?\))?")
"""A rule without a pattern of its own: it is for all that a tool does, or for all tools of an MCP server."""

_HARMLESS: Final = frozenset(
    {*("Read", "Glob", "Grep", "LS", "NotebookRead"), *("TodoWrite", "Task", "Agent", "Skill", "WebSearch")}
)
"""Tools that do nothing by themselves which a gate would have to judge."""

_SCOPE_OPTIONS: Final[Mapping[str, str]] = {"user": "", "project": " --project", "local": " --local"}


def claude_settings(home: Path, folder: Path, scope: Scope) -> Path:
    """The settings file of a scope.

    Args:
        home: Claude Code's own folder, such as `~/.claude`.
        folder: A folder of the repository, if it is in one.
        scope: Whose settings.
    """
    if scope == "user":
        return home / "settings.json"
    root = repository_of(folder) or folder
    return root / ".claude" / ("settings.json" if scope == "project" else "settings.local.json")


def repository_of(folder: Path) -> Path | None:
    """The repository that Claude Code takes a folder to be in; None where it is in none."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A settings file that counts here."""

    scope: str
    file: SettingsFile
    hooks: tuple[Placed, ...]

    @property
    def path(self) -> Path:
        return self.file.path


def look_at_claude(home: Path, folder: Path, *, timeout: Callable[[str], float]) -> Report:
    """How it stands with the hook in a folder: the user's settings, the repository's, and an administrator's.

    Hooks of plugins are not looked at.

    Args:
        home: Claude Code's own folder, such as `~/.claude`.
        folder: Where Claude Code would be started.
        timeout: Gives the seconds that a verdict of a hook's command may take.
    """
    layers, unreadable, broken = _layers(home, folder)
    installed = dict.fromkeys(layer.path for layer in layers for hook in layer.hooks if hook.ours)
    if not installed and not broken:
        return Report("claude", notes=tuple(unreadable))
    obstacles = broken
    own = [(layer, hook) for layer in layers for hook in layer.hooks if hook.ours == "own"]
    for layer, hook in own:
        install = f"codex-oauth install claude{_SCOPE_OPTIONS.get(layer.scope, '')}"
        obstacles += entry_obstacles(layer.path, hook, "claude", install=install, timeout=timeout)
    obstacles += _switches(layers)
    obstacles += _rules(layers)
    obstacles += _others(layers)
    notes = [*unreadable]
    count = sum(len(_allow_rules(layer)) for layer in layers)
    if count:
        notes.append(f"{count} allow rule{'s' * (count > 1)}: what they match is done without the hook")
    if _effective(layers, "permissions", "defaultMode")[0] == "acceptEdits":
        notes.append("permissions.defaultMode is acceptEdits: edits of files are made without the hook")
    commands = dict.fromkeys(hook.command for layer in layers for hook in layer.hooks if hook.ours)
    return Report("claude", tuple(installed), tuple(obstacles), tuple(notes), commands=tuple(commands))


def _layers(home: Path, folder: Path) -> tuple[list[_Layer], list[str], list[Obstacle]]:
    """The settings that count, the strongest first; what is wrong with those that cannot be read, and with those of
    them that seem to hold the hook."""
    paths = {
        "managed": Path(_MANAGED.get(sys.platform, _MANAGED_ELSEWHERE)),
        "local": claude_settings(home, folder, "local"),
        "project": claude_settings(home, folder, "project"),
        "user": claude_settings(home, folder, "user"),
    }
    layers: dict[Path, _Layer] = {}
    unreadable: list[str] = []
    broken: list[Obstacle] = []
    for scope, path in paths.items():
        try:
            file = read_settings(path)
            layer = _Layer(scope, file, tuple(hooks_in(file, "claude")))
        except ConfigurationError as error:
            if mentions_hook(path):
                broken.append(Obstacle("off", error.message, f"mend {path}"))
            else:
                unreadable.append(error.message)
            continue
        # In the home folder itself, the repository's settings are the user's.
        layers[file.real] = layer
    return list(layers.values()), unreadable, broken


def _effective(layers: list[_Layer], *keys: str) -> tuple[Any, Path | None]:
    for layer in layers:
        value: Any = layer.file.value
        for key in keys:
            value = (as_object(value) or {}).get(key)
        if value is not None:
            return value, layer.path
    return None, None


def _switches(layers: list[_Layer]) -> list[Obstacle]:
    obstacles: list[Obstacle] = []
    off, path = _effective(layers, "disableAllHooks")
    if off is True:
        finding = f"Claude Code runs no hooks: disableAllHooks is true in {path}"
        obstacles.append(Obstacle("off", finding, f"take disableAllHooks out of {path}"))
    only, path = _effective([layer for layer in layers if layer.scope == "managed"], "allowManagedHooksOnly")
    if only is True:
        finding = f"Claude Code runs an administrator's hooks only: allowManagedHooksOnly is true in {path}"
        obstacles.append(Obstacle("off", finding, "ask the administrator of this machine"))
    mode, path = _effective(layers, "permissions", "defaultMode")
    if mode in _UNASKED_MODES:
        finding = f"Claude Code asks nobody, and so not the hook: permissions.defaultMode is {mode} in {path}"
        obstacles.append(Obstacle("off", finding, f"take permissions.defaultMode out of {path}"))
    return obstacles


def _allow_rules(layer: _Layer) -> list[str]:
    rules = (as_object(layer.file.value.get("permissions")) or {}).get("allow")
    return [rule for rule in cast("list[Any]", rules) if isinstance(rule, str)] if isinstance(rules, list) else []


def _rules(layers: list[_Layer]) -> list[Obstacle]:
    obstacles: list[Obstacle] = []
    for layer in layers:
        for rule in _allow_rules(layer):
            found = _WHOLE_TOOL.fullmatch(rule.strip())
            if found is not None and found[1] not in _HARMLESS:
                finding = f"{rule} in permissions.allow of {layer.path} lets all of it happen without the hook"
                obstacles.append(Obstacle("partly", finding, f"take {rule} out of permissions.allow in {layer.path}"))
    return obstacles


def _others(layers: list[_Layer]) -> list[Obstacle]:
    others = tuple(
        f"{hook.command or hook.entry.get('type', 'a hook')} ({layer.path})"
        for layer in layers
        for hook in layer.hooks
        if hook.ours != "own"
    )
    ours = sum(hook.ours is not None for layer in layers for hook in layer.hooks)
    obstacles: list[Obstacle] = []
    if others:
        finding = f"{len(others)} other permission hook{'s' * (len(others) > 1)}: whichever decides first has decided"
        obstacles.append(
            Obstacle("partly", finding, "keep one: codex-oauth uninstall claude, or take the others out", others)
        )
    if ours > 1:
        places = tuple(str(layer.path) for layer in layers for hook in layer.hooks if hook.ours)
        finding = f"the hook is installed {ours} times, and each request is judged that often"
        obstacles.append(Obstacle("partly", finding, _leaving_one(layers), places))
    return obstacles


def _leaving_one(layers: list[_Layer]) -> str:
    """What leaves one hook of several: that of the settings that hold for the most."""
    holding = [layer for layer in layers if any(hook.ours == "own" for hook in layer.hooks)]
    surplus = [layer for layer in holding[:-1] if layer.scope in _SCOPE_OPTIONS]
    if surplus:
        return " && ".join(f"codex-oauth uninstall claude{_SCOPE_OPTIONS[layer.scope]}" for layer in surplus)
    kinds = [hook.ours for layer in holding for hook in layer.hooks if hook.ours]
    if holding and holding[0].scope in _SCOPE_OPTIONS and len(kinds) > 1 and "wrapped" not in kinds:
        return f"codex-oauth install claude{_SCOPE_OPTIONS[holding[0].scope]}"
    return "take all but one of them out"
