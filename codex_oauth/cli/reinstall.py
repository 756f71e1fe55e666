"""What a second installation keeps: all that the installed hook carries and the command line does not name."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from codex_oauth.cli.host_settings import row

if TYPE_CHECKING:
    from codex_oauth.hosts import HookOptions, Host, SettingsFile

__all__ = ("Installed", "installed_hook", "merged", "patience", "say_what_is_kept")

_MARGIN: Final = 30
"""Seconds that a host waits longer than a verdict may take: for the start, and for whatever is slow besides."""

_HOMES: Final[tuple[Literal["home", "codex_home", "profile"], ...]] = ("home", "codex_home", "profile")
"""Of these a hook has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The hook that is there already.

    Attributes:
        options: What it is told.
        program: What its command begins with, where that is kept by a new installation.
        timeout: Seconds that the host waits for it.
        unknown: Words of its command that tell it nothing.
        more: The commands of further hooks of this package, which a new installation takes out.
    """

    options: HookOptions
    program: str | None = None
    timeout: float | None = None
    unknown: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


def installed_hook(file: SettingsFile, host: Host) -> Installed | None:
    """The hook in the settings; None where there is none.

    Raises:
        ConfigurationError: The hooks do not have the shape that the host takes.
    """
    from codex_oauth.hosts import hooks_in, kept_program, options_of

    own = [hook for hook in hooks_in(file, host) if hook.ours == "own"]
    if not own:
        return None
    options, unknown = options_of(own[0].command, host)
    timeout = own[0].entry.get("timeout")
    return Installed(
        options=options,
        program=kept_program(own[0].command, host),
        timeout=timeout if isinstance(timeout, int | float) and 0 < timeout < math.inf else None,
        unknown=unknown,
        more=tuple(hook.command for hook in own[1:]),
    )


def merged(before: HookOptions, given: HookOptions) -> HookOptions:
    """What was given, and beside it what was there before. Paths are whole ones."""
    values = {item.name: getattr(given, item.name) for item in fields(given)}
    values = {
        name: Path(os.path.abspath(value.expanduser())) if isinstance(value, Path) else value
        for name, value in values.items()
        if value is not None
    }
    if any(name in values for name in _HOMES):
        before = replace(before, **dict.fromkeys(_HOMES))
    return replace(before, **values)


def patience(given: int | None, seconds: float, before: Installed | None) -> int:
    """Seconds that the host is to wait: as given, else as it does, if that is longer than a verdict may take."""
    if given is not None:
        return given
    kept = before.timeout if before is not None else None
    if kept is not None and kept > seconds and kept == int(kept):
        return int(kept)
    return math.ceil(seconds) + _MARGIN


def say_what_is_kept(before: Installed, options: HookOptions, program: str | None, timeout: int) -> None:
    """A line for what the hook keeps, and one for each thing that it loses or that changes.

    Args:
        before: The hook as it is.
        options: What it is told from now on.
        program: What its command begins with from now on; None for this installation's program.
        timeout: Seconds that the host waits from now on.
    """
    from codex_oauth.hosts import HookOptions, joined, option_words

    kept: list[str] = []
    for item in fields(HookOptions):
        old, new = getattr(before.options, item.name), getattr(options, item.name)
        words = option_words(HookOptions(**{item.name: old}))
        if old is None:
            continue
        if old == new:
            kept += words
        elif new is None:
            row("dropped", joined(words))
        else:
            row("changed", f"{joined(words)}; now {joined(option_words(HookOptions(**{item.name: new}))[1:])}")
    if kept:
        row("kept", joined(kept))
    if before.program is not None and before.program != program:
        row("changed", f"{before.program}; now {program or 'the path of this installation'}")
    for word in before.unknown:
        row("dropped", f"{word}, which says nothing to the hook")
    if before.timeout is not None and before.timeout != timeout:
        row("changed", f"the host waited {before.timeout:g} s for the hook; now {timeout} s")
    for command in before.more:
        row("dropped", f"another one: {command}")
