"""What to start: arguments, environment and folder, worked out without starting anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codex_oauth.process.watchdog import KILL_GRACE

__all__ = ("CommandSpec", "app_server_command")


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A process to start.

    Attributes:
        argv: Program and arguments. They are visible to every user of the machine, so no content and no secret.
        env: The whole environment.
        cwd: The folder it runs in.
        grace: Seconds between asking it to end and killing it.
        inherit: Descriptors that it inherits and keeps open as long as it runs; not on Windows.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    grace: int = KILL_GRACE
    inherit: tuple[int, ...] = ()


def app_server_command(
    *, codex: Path, home: Path, inherited: Mapping[str, str], cwd: Path, inherit: tuple[int, ...] = ()
) -> CommandSpec:
    """The command for `codex app-server` on a home."""
    return CommandSpec(
        argv=(str(codex), "app-server"), env={**inherited, "CODEX_HOME": str(home)}, cwd=cwd, inherit=inherit
    )
