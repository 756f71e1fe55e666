"""What Codex trusts, before and after its settings change: it trusts a hook at its place, and places move."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_oauth.hosts.codex_server import HookListing, ListedHook
from codex_oauth.hosts.hook_command import runs_hook

__all__ = ("Moves", "moves", "own_hooks", "request_hooks", "trusted_state")

_EVENT = "permissionRequest"


def request_hooks(listing: HookListing, file: Path | None = None) -> list[ListedHook]:
    """The hooks for permission requests, or those of one file."""
    real = None if file is None else os.path.realpath(file)
    return [
        hook for hook in listing.hooks if hook.event == _EVENT and (real is None or os.path.realpath(hook.path) == real)
    ]


def own_hooks(listing: HookListing, file: Path | None = None) -> list[ListedHook]:
    """This package's hooks among them."""
    return [hook for hook in request_hooks(listing, file) if runs_hook(hook.command, "codex") == "own"]


def trusted_state(hook: ListedHook) -> dict[str, Any]:
    """What to write so that a hook is run: that it is trusted, and switched on where it was switched off."""
    state: dict[str, Any] = {"trusted_hash": hook.fingerprint}
    return state if hook.enabled else state | {"enabled": True}


@dataclass(frozen=True, slots=True)
class Moves:
    """What a change of `hooks.json` did to what is trusted.

    Attributes:
        lost: Hooks of others that were run and are no longer, or were switched off and no longer are: as they are now.
        forget: Keys whose state is of no use any more, or is now that of another hook.
        states: By key, the states that put the others' back as they were.
        own: The keys that this package's hooks had and have no longer.
    """

    lost: tuple[ListedHook, ...] = ()
    forget: tuple[str, ...] = ()
    states: Mapping[str, Mapping[str, Any]] | None = None
    own: tuple[str, ...] = ()


def moves(before: HookListing, after: HookListing, file: Path) -> Moves:
    """Compare what Codex saw of a file before and after hooks of this package were taken out of it.

    A hook of somebody else's is taken for the same where it is the same in order and in fingerprint.
    """
    own_before = own_hooks(before, file)
    kept = {hook.key for hook in own_hooks(after, file)}
    own = tuple(
        hook.key for hook in own_before if hook.key not in kept and (hook.trust != "untrusted" or not hook.enabled)
    )
    old = [hook for hook in request_hooks(before, file) if hook not in own_before]
    new = [hook for hook in request_hooks(after, file) if hook not in own_hooks(after, file)]
    if [hook.fingerprint for hook in old] != [hook.fingerprint for hook in new]:
        # Somebody else has changed it too: nothing is known for certain.
        return Moves(lost=tuple(hook for hook in new if not hook.runs), own=own)
    pairs = [(was, now) for was, now in zip(old, new, strict=True) if was.key != now.key]
    lost = tuple(now for was, now in pairs if (was.trust, was.enabled) != (now.trust, now.enabled) and _has_state(was))
    if not lost:
        return Moves(own=own)
    states: dict[str, dict[str, Any]] = {}
    for was, now in pairs:
        state: dict[str, Any] = {"trusted_hash": now.fingerprint} if was.trust == "trusted" else {}
        if not was.enabled:
            state["enabled"] = False
        if state:
            states[now.key] = state
    forget = dict.fromkeys((*own, *(was.key for was, _ in pairs)))
    return Moves(lost=lost, forget=tuple(forget), states=states, own=own)


def _has_state(hook: ListedHook) -> bool:
    return hook.trust == "trusted" or not hook.enabled
