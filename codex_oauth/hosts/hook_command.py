"""The command that a host runs for each permission request, as it stands in the host's settings."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from codex_oauth.errors import ConfigurationError

__all__ = (
    "FILES",
    "HookOptions",
    "Host",
    "broken_part",
    "hook_command",
    "hook_place",
    "is_operator",
    "joined",
    "option_of",
    "option_words",
    "own_program",
    "runs_hook",
    "words_of",
)

Host: TypeAlias = Literal["claude", "codex"]

_PROGRAM: Final = re.compile(r"(?:^|[/\\])codex-oauth(?:\.exe)?$", re.IGNORECASE)
_CODE: Final = "from codex_oauth.cli import main; main()"
_OPERATORS: Final = frozenset("();<>|&\n")
FILES: Final = ("--codex-bin", "--policy")
"""Options that name something that has to exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """What the hook is to be told.

    The host's environment cannot be relied on: Codex's may be that of a background process started days before. So
    everything is in the command.

    Attributes:
        home: Another place for the managed CODEX_HOME.
        codex_home: A CODEX_HOME of the user's own. Only a hook that was changed by hand has one.
        profile: Another account.
        codex_bin: The codex binary that judges.
        policy: A policy file to use instead of the usual ones.
        on_failure: What becomes of a request that has no verdict: `ask` or `deny`.
    """

    home: Path | None = None
    codex_home: Path | None = None
    profile: str | None = None
    codex_bin: Path | None = None
    policy: Path | None = None
    on_failure: str | None = None


def own_program(executable: str | None = None) -> str:
    """This installation's program as a host's command begins with it: absolute, and quoted for a shell.

    Args:
        executable: The Python that has this package; this one by default.

    Raises:
        ConfigurationError: That Python does not know where it is.
    """
    python = Path(executable or sys.executable or "")
    if not python.is_absolute():
        raise ConfigurationError("this Python does not know where it is, so no hook can be written that starts it")
    # A host runs the hook in the repository and with the environment of the session: neither that folder's modules nor
    # those of a PYTHONPATH may take this package's place. The script beside Python would look into both.
    # And not by `-m`, which takes Python three milliseconds, where a warm hook takes some twenty in all; nor by a file,
    # which Python answers with status 2 where it is gone, and that denies on one host.
    return joined([str(python), "-E", "-P", "-c", _CODE])


def joined(words: Sequence[str]) -> str:
    """Words as one command line, quoted for the shell that hosts run commands with."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def option_words(options: HookOptions) -> list[str]:
    """What the hook is told, as words: an option, its value, the next option. Paths are whole ones."""
    given = (
        ("--home", _absolute(options.home)),
        ("--codex-home", _absolute(options.codex_home)),
        ("--profile", options.profile),
        ("--codex-bin", _absolute(options.codex_bin)),
        ("--policy", _absolute(options.policy)),
        ("--on-failure", options.on_failure),
    )
    return [word for name, value in given if value is not None for word in (name, value)]


def hook_command(host: Host, options: HookOptions, *, program: str | None = None, executable: str | None = None) -> str:
    """The command for a host's settings, quoted for the shell that the host runs it with.

    Args:
        host: Whose hook.
        options: What the hook is told.
        program: What it begins with, as a shell takes it; by default this installation's program, absolute.
        executable: The Python that has this package; this one by default.

    Raises:
        ConfigurationError: It cannot be written down.
    """
    program = own_program(executable) if program is None else program
    command = f"{program} {joined(['hook', host, *option_words(options)])}"
    try:
        command.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigurationError("a path of the hook is not UTF-8, so that settings cannot hold it") from error
    if "\n" in command or "\0" in command:
        raise ConfigurationError("a path of the hook has a line break in it, so that settings cannot hold it")
    return command


def runs_hook(command: object, host: Host) -> Literal["own", "wrapped"] | None:
    """Whether a command of a host's settings is this package's hook for that host.

    Returns:
        `own` for the hook and nothing else, whatever it is told; `wrapped` for a command line of the user's that runs
        the hook among other things; None for another command.
    """
    if not isinstance(command, str):
        return None
    words = words_of(command)
    if hook_place(words, host) is None:
        return None
    return "wrapped" if any(map(is_operator, words)) else "own"


def hook_place(words: Sequence[str], host: Host) -> int | None:
    """Where in a command's words the hook of this package is named, right after its program; None where it is not."""
    for index, word in enumerate(words[:-1]):
        named = index > 0 and (words[index - 1], word) in {("-m", "codex_oauth"), ("-c", _CODE)}
        ours = named or _PROGRAM.search(word)
        if ours and list(words[index + 1 : index + 3]) == ["hook", host]:
            return index + 1
    return None


def is_operator(word: str) -> bool:
    """Whether a word of a command is one of the shell's own, such as a pipe."""
    return bool(word) and _OPERATORS.issuperset(word)


def words_of(command: str) -> list[str]:
    """A command's words as a shell would see them, its operators as words of their own; none where it is no command."""
    try:
        lexer = shlex.shlex(command, posix=sys.platform != "win32", punctuation_chars="();<>|&\n")
        lexer.whitespace = " \t\r"
        lexer.whitespace_split = True
        lexer.commenters = ""
        return [word.strip('"') for word in lexer] if sys.platform == "win32" else list(lexer)
    except ValueError:
        return []


def option_of(command: str, name: str) -> str | None:
    """What an option of the hook is set to; None where it is not given."""
    words = words_of(command)
    for index, word in enumerate(words):
        if word == name:
            return words[index + 1] if index + 1 < len(words) else None
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None


def broken_part(command: str) -> str | None:
    """What is missing for the hook to start: a program or a file that its command names, in words. None where all of it
    is there."""
    words = words_of(command)
    program = next((word for word in words if not re.fullmatch(r"\w+=.*", word, re.DOTALL)), "")
    path = Path(program)
    # One that is not absolute is looked for by the host, in an environment that is not known here.
    if path.is_absolute():
        if not path.exists():
            return f"{program} does not exist"
        if not path.is_file() or not os.access(path, os.X_OK):
            return f"{program} is not executable"
        interpreter = _interpreter(path)
        if interpreter is not None and not interpreter.exists():
            return f"{program} needs {interpreter}, which does not exist"
    for name in FILES:
        value = option_of(command, name)
        if value is not None and not Path(value).is_file():
            return f"{name} names {value}, which does not exist"
    return None


def _interpreter(script: Path) -> Path | None:
    """What runs a script, by its first line: an environment that was moved leaves its scripts with the old place."""
    try:
        with script.open("rb") as stream:
            first = stream.readline(4096)
    except OSError:
        return None
    words = os.fsdecode(first.removeprefix(b"#!").strip()).split(maxsplit=1) if first.startswith(b"#!") else []
    return Path(words[0]) if words and Path(words[0]).is_absolute() else None


def _absolute(path: Path | None) -> str | None:
    return None if path is None else os.path.abspath(os.path.expanduser(path))
