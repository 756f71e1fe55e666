"""What to start: arguments, environment and folder, worked out without starting anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from codex_oauth.process.watchdog import KILL_GRACE

__all__ = ("CommandSpec", "app_server_command")

_SETPRIV: Final = "/usr/bin/setpriv"


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A process to start.

    Attributes:
        argv: Program and arguments. They are visible to every user of the machine, so no content and no secret.
        env: The whole environment.
        cwd: The folder it runs in.
        dies_with_parent: Whether the kernel ends it when its parent dies; else a watchdog has to.
        grace: Seconds between asking it to end and killing it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    dies_with_parent: bool = False
    grace: int = KILL_GRACE


def app_server_command(*, codex: Path, home: Path, inherited: Mapping[str, str], cwd: Path) -> CommandSpec:
    """The command for `codex app-server` on a home.

    On Linux `setpriv --pdeathsig` sets PR_SET_PDEATHSIG and becomes codex by exec, in the same process: SIGTERM comes
    when the thread that started it ends, however that happens. Python's own way (`preexec_fn`) is unsafe beside
    threads and rules vfork out.
    """
    argv = (str(codex), "app-server")
    dies = sys.platform == "linux" and _has_pdeathsig(_SETPRIV)
    if dies:
        argv = (_SETPRIV, "--pdeathsig", "TERM", "--", *argv)
    return CommandSpec(argv=argv, env={**inherited, "CODEX_HOME": str(home)}, cwd=cwd, dies_with_parent=dies)


def _has_pdeathsig(setpriv: str) -> bool:
    # busybox has a setpriv too, a link to itself, without this option.
    return os.access(setpriv, os.X_OK) and os.path.basename(os.path.realpath(setpriv)) == "setpriv"
