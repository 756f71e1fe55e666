"""What Codex trusts: asked, set and put back by `install` and `uninstall`. Codex itself writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from codex_oauth.cli.host_settings import asked, row
from codex_oauth.cli.output import call, explain, printable, say, waiting
from codex_oauth.errors import CodexOAuthError
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.hosts import HookListing, SettingsFile

__all__ = ("OTHERS_MOVE", "codex_sees", "follow_moves", "make_trusted", "seen_before")

OTHERS_MOVE: Final = (
    "Other hooks move up by this. Codex trusts a hook at its place, and will not run these at their new ones until "
    "that is put right"
)
_REVIEW: Final = "start codex, type /hooks, choose the hook and press t"


def codex_sees(
    settings: Settings,
    home: Path,
    folder: Path,
    *,
    forget: Iterable[str] = (),
    states: Mapping[str, Mapping[str, Any]] | None = None,
) -> HookListing:
    """What Codex sees in a folder; what is trusted is written first, where there is something to write.

    Raises:
        CodexOAuthError: Codex cannot be asked.
    """
    from codex_oauth.hosts import codex_config, hosts_codex, open_hook_server

    binary = hosts_codex(settings)
    forgotten = tuple(forget)
    # Without a last state, the table that held them goes too.
    known = as_object((as_object(codex_config(home).get("hooks")) or {}).get("state")) or {}
    clear = bool(forgotten) and not states and set(known) <= set(forgotten)

    async def ask() -> HookListing:
        async with open_hook_server(binary, home, settings.inherited) as server:
            await server.write_states(forgotten, states or {}, clear=clear)
            return await server.listing(folder)

    with waiting("asking Codex…"):
        return call(ask)


def seen_before(settings: Settings, file: SettingsFile) -> HookListing | None:
    """What Codex sees before hooks are taken out; None where it cannot be asked, which is said."""
    home = file.path.parent
    try:
        return codex_sees(settings, home, home)
    except CodexOAuthError as error:
        say(explain(error))
        say("Codex cannot be asked, so what it trusts stays as it is. A leftover in config.toml does no harm")
        return None


def make_trusted(settings: Settings, file: SettingsFile, *, trust: bool | None) -> HookListing:
    """Have Codex run the hook, if the user wants that, and see whether it does.

    Args:
        settings: The settings.
        file: The file that holds the hook.
        trust: What the user said; None to ask.

    Returns:
        What Codex sees in the end.

    Raises:
        click.exceptions.Exit: Codex does not run the hook; what to do was said.
    """
    from codex_oauth.hosts import own_hooks, trusted_state

    home = file.path.parent
    try:
        listing = codex_sees(settings, home, home)
        found = own_hooks(listing, file.path)
        if not found:
            _say_unseen(home, listing)
            raise click.exceptions.Exit(1)
        hook = found[0]
        if not hook.runs and trust is None:
            say("Codex passes over a hook that you have not trusted; a trusted one runs outside its sandbox.")
        if not hook.runs and (trust or (trust is None and asked("Trust this one?"))):
            listing = codex_sees(settings, home, home, states={hook.key: trusted_state(hook)})
            hook = next(iter(own_hooks(listing, file.path)), hook)
    except CodexOAuthError as error:
        say(explain(error))
        say(f"Codex cannot be asked whether it trusts the hook. To trust it: {_REVIEW}")
        raise click.exceptions.Exit(1) from None
    if hook.runs:
        row("trusted", f"Codex runs it; {home / 'config.toml'} says so")
        return listing
    say(f"Codex does not run the hook yet: it is {hook.trust if hook.enabled else 'switched off'}")
    say(f"  → {_REVIEW}; or: codex-oauth install codex --trust")
    raise click.exceptions.Exit(0 if trust is False else 1)


def _say_unseen(home: Path, listing: HookListing) -> None:
    from codex_oauth.hosts import codex_config, switched_off

    feature = switched_off(codex_config(home))
    if feature is not None:
        say(f"Codex runs no hooks: {feature} is false under [features] in {printable(str(home / 'config.toml'))}")
        say("  → codex features enable hooks")
        return
    say("Codex does not see the hook; it complains of:")
    for complaint in listing.complaints or ("nothing",):
        say(f"  - {printable(complaint)}")


def follow_moves(settings: Settings, file: SettingsFile, before: HookListing | None, *, trust: bool | None) -> bool:
    """After hooks were taken out: forget what was trusted of them, and put back what others have lost by moving up.

    Args:
        settings: The settings.
        file: The file that held them.
        before: What Codex saw before; None where that is not known.
        trust: Whether the others' trust is put back; None to ask.

    Returns:
        False where hooks of others are not run any more, which was said, and which nobody has agreed to.
    """
    from codex_oauth.hosts import moves

    if before is None:
        return True
    home = file.path.parent
    try:
        moved = moves(before, codex_sees(settings, home, home), file.path)
        if moved.lost:
            say("Codex trusts a hook at its place. These have moved up, and what you set for them holds no longer:")
            for hook in moved.lost:
                say(f"  - {printable(hook.command or hook.key)}")
        if moved.states and (trust or (trust is None and asked("Put that back?"))):
            moved = moves(before, codex_sees(settings, home, home, forget=moved.forget, states=moved.states), file.path)
            if not moved.lost:
                row("restored", home / "config.toml")
        elif moved.own:
            codex_sees(settings, home, home, forget=moved.own)
            row("forgotten", home / "config.toml")
    except CodexOAuthError as error:
        say(explain(error))
        say("Codex cannot be asked what it trusts now. Look with /hooks, and press t where a hook is not trusted")
        return False
    if moved.lost:
        say("  → start codex, type /hooks, choose each of them and press t")
    return not moved.lost or trust is False
