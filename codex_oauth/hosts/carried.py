"""What an installed hook carries: the options and the program of its command, read back from a host's settings."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Final

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts.hook_command import (
    FILES,
    HookOptions,
    Host,
    hook_place,
    is_operator,
    joined,
    option_words,
    own_program,
    runs_hook,
    words_of,
)

__all__ = ("gone_file", "kept_program", "options_of", "remade_by", "with_program")

_NAMES: Final = {f"--{item.name.replace('_', '-')}": item.name for item in fields(HookOptions)}
_VARIABLE: Final = re.compile(r"\w+=.*", re.DOTALL)


def options_of(command: str, host: Host) -> tuple[HookOptions, tuple[str, ...]]:
    """What a hook's command tells the hook, and the words of it that tell it nothing.

    Args:
        command: A command of a host's settings that runs the hook.
        host: Whose settings.
    """
    words = words_of(command)
    place = hook_place(words, host)
    found: dict[str, str] = {}
    unknown: list[str] = []
    rest = iter(words[place + 2 :] if place is not None else ())
    for word in rest:
        if is_operator(word):
            break
        option, equals, value = word.partition("=")
        if option not in _NAMES:
            unknown.append(word)
            continue
        # The hook itself takes the last one too, where an option is given twice.
        found[_NAMES[option]] = value if equals else next(rest, "")
    paths = {
        name: Path(found[name]).expanduser()
        for name in ("home", "codex_home", "codex_bin", "policy")
        if found.get(name)
    }
    options = HookOptions(
        home=paths.get("home"),
        codex_home=paths.get("codex_home"),
        profile=found.get("profile") or None,
        codex_bin=paths.get("codex_bin"),
        policy=paths.get("policy"),
        on_failure=found.get("on_failure") or None,
    )
    return options, tuple(unknown)


def kept_program(command: str, host: Host) -> str | None:
    """What of a hook's program outlives a new installation: one that is no whole path, since somebody has chosen it so,
    and variables that are set before it. None where the program is simply this installation's."""
    words = words_of(command)
    place = hook_place(words, host)
    if place is None:
        return None
    variables = next((number for number, word in enumerate(words) if not _VARIABLE.fullmatch(word)), 0)
    if not Path(words[variables]).is_absolute():
        return _start(command, place)
    before = _start(command, variables) if variables else None
    return f"{before} {own_program()}" if before else None


def with_program(program: str, host: Host) -> str:
    """A program's text, for a hook's command, if the hook is known again with it.

    Raises:
        ConfigurationError: It would not be.
    """
    if runs_hook(f"{program} hook {host}", host) != "own":
        raise ConfigurationError(
            f"--command: {program!r} is no command that ends with codex-oauth or -m codex_oauth, and runs nothing "
            "else; 'hook' and the host's name are added to it"
        )
    return program.strip()


def gone_file(command: str, host: Host) -> str | None:
    """The option of a hook that names a file which does not exist; None where all of them are there."""
    options, _ = options_of(command, host)
    named = {"--codex-bin": options.codex_bin, "--policy": options.policy}
    return next((name for name in FILES if (path := named[name]) is not None and not path.is_file()), None)


def remade_by(install: str, command: str, host: Host, *, without: str) -> str:
    """The command that installs a hook anew, with all that it carries but one option.

    Args:
        install: The command that installs it.
        command: The hook's command.
        host: Whose hook.
        without: The option that is left out.
    """
    options, _ = options_of(command, host)
    words = option_words(options)
    pairs = [words[at : at + 2] for at in range(0, len(words), 2)]
    kept = [word for name, value in pairs if name not in {without, "--codex-home"} for word in (name, value)]
    program = kept_program(command, host)
    if program is not None:
        kept = ["--command", program, *kept]
    return " ".join(part for part in (install, "--reset", joined(kept)) if part)


def _start(command: str, count: int) -> str | None:
    """The first words of a command as they are written, with their quotes."""
    words = words_of(command)[:count]
    for space in re.finditer(r"\s+", command):
        text = command[: space.start()]
        if text.strip() and words_of(text) == words:
            return text.strip()
    return None
