"""Codex's settings: where its hooks are, and what keeps this package's one from being asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts.codex_server import HookListing
from codex_oauth.hosts.codex_trust import request_hooks
from codex_oauth.hosts.hook_command import runs_hook
from codex_oauth.hosts.hook_settings import CODEX_KEYS, hooks_in
from codex_oauth.hosts.report import Obstacle, Report, entry_obstacles, mentions_hook
from codex_oauth.hosts.settings_file import read_settings
from codex_oauth.types import as_object

__all__ = ("codex_config", "codex_hooks_file", "hand_written", "look_at_codex", "switched_off")

_INSTALL = "codex-oauth install codex"
_TRUST = "codex-oauth install codex --trust"
_LOOK = "codex, then /hooks"
_UNINSTALL = "codex-oauth uninstall codex"


def codex_hooks_file(home: Path) -> Path:
    """The file that hooks are installed in. It adds to those of `config.toml`."""
    return home / "hooks.json"


def codex_config(home: Path) -> dict[str, Any]:
    """What `config.toml` says; empty where there is none, or none that can be read."""
    import tomllib

    try:
        return tomllib.loads((home / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def hand_written(config: dict[str, Any]) -> list[str]:
    """The commands in `config.toml` that run this package's hook: somebody has put them there by hand."""
    groups = (as_object(config.get("hooks")) or {}).get("PermissionRequest")
    commands: list[str] = []
    for group in cast("list[Any]", groups) if isinstance(groups, list) else []:
        hooks = (as_object(group) or {}).get("hooks")
        for hook in cast("list[Any]", hooks) if isinstance(hooks, list) else []:
            command = (as_object(hook) or {}).get("command")
            if isinstance(command, str) and runs_hook(command, "codex"):
                commands.append(command)
    return commands


def switched_off(config: dict[str, Any]) -> str | None:
    """The feature that switches all hooks off in `config.toml`; None where none does."""
    features = as_object(config.get("features")) or {}
    return next((name for name in ("hooks", "codex_hooks") if features.get(name) is False), None)


def look_at_codex(home: Path, ask: Callable[[], HookListing | str], *, timeout: Callable[[str], float]) -> Report:
    """How it stands with the hook.

    Args:
        home: The user's own CODEX_HOME.
        ask: Gives what Codex sees, or why that is not known. Called only where the hook is installed.
        timeout: Gives the seconds that a verdict of a hook's command may take.
    """
    path = codex_hooks_file(home)
    config = codex_config(home)
    by_hand = hand_written(config)
    try:
        file = read_settings(path)
        own = [hook for hook in hooks_in(file, "codex") if hook.ours]
    except ConfigurationError as error:
        if not by_hand and not mentions_hook(path):
            return Report("codex", notes=(error.message,))
        return Report("codex", (path,), (Obstacle("off", error.message, f"mend {path}"),))
    installed = (*([path] if own else []), *([home / "config.toml"] if by_hand else []))
    if not installed:
        return Report("codex")
    wrapped = any(hook.ours == "wrapped" for hook in own)
    obstacles = [
        found
        for hook in own
        if hook.ours == "own"
        for found in entry_obstacles(path, hook, "codex", install=_INSTALL, timeout=timeout)
    ]
    if len(own) + len(by_hand) > 1:
        finding = f"the hook is installed {len(own) + len(by_hand)} times, and each request is judged that often"
        # Nothing is installed beside one that somebody has put into config.toml, or beside a command of their own.
        mend = "take all but one of them out" if wrapped else _UNINSTALL if by_hand else _INSTALL
        obstacles.append(Obstacle("partly", finding, mend, tuple(map(str, installed))))
    notes: list[str] = []
    trusted = False
    if config.get("approval_policy") == "never":
        notes.append("approval_policy is never: the hook is asked about MCP tools only")
    foreign = next((key for key in file.value if key not in CODEX_KEYS), None)
    feature = switched_off(config)
    if feature is not None:
        finding = f"Codex runs no hooks: {feature} is false under [features] in {home / 'config.toml'}"
        obstacles.append(Obstacle("off", finding, "codex features enable hooks"))
    elif own and foreign is not None:
        finding = f"Codex passes over the whole of {path}, because of the key {foreign!r}"
        obstacles.append(Obstacle("off", finding, f"take {foreign!r} out of {path}"))
    else:
        listing = ask()
        if isinstance(listing, str):
            obstacles.append(Obstacle("partly", f"whether Codex trusts the hook is not known: {listing}", _LOOK))
        else:
            distrust = _distrust(listing, home, _LOOK if by_hand or wrapped else _TRUST)
            trusted = not distrust
            obstacles += [*distrust, *_others(listing)]
    commands = tuple(dict.fromkeys([*(hook.command for hook in own), *by_hand]))
    return Report("codex", installed, tuple(obstacles), tuple(notes), trusted, commands)


def _distrust(listing: HookListing, home: Path, trust: str) -> list[Obstacle]:
    found = [hook for hook in request_hooks(listing) if runs_hook(hook.command, "codex")]
    if not found:
        finding = "Codex does not see the hook"
        return [Obstacle("off", finding, f"mend what it complains of, in {home}", listing.complaints)]
    if any(hook.runs for hook in found):
        return []
    why = {
        "untrusted": "Codex does not trust the hook, and passes over it without a word",
        "modified": "Codex trusted the hook as it was, and not as it is now, and passes over it without a word",
    }
    hook = found[0]
    if not hook.enabled:
        return [Obstacle("off", f"the hook is switched off in {home / 'config.toml'} (enabled = false)", trust)]
    return [Obstacle("off", why.get(hook.trust, f"Codex does not run the hook: it is {hook.trust}"), trust)]


def _others(listing: HookListing) -> list[Obstacle]:
    others = tuple(
        f"{hook.command or 'a hook'} ({hook.path}{f', tools {hook.matcher}' if hook.matcher else ''})"
        for hook in request_hooks(listing)
        if hook.runs and runs_hook(hook.command, "codex") is None
    )
    if not others:
        return []
    finding = (
        f"{len(others)} other permission hook{'s' * (len(others) > 1)}: Codex asks all of them, any denial wins, and "
        "any allow counts where the others leave it to you"
    )
    return [Obstacle("partly", finding, "keep one: codex-oauth uninstall codex, or take the others out", others)]
