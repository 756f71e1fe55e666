"""How it stands with a host's hook: where it is, and what keeps it from deciding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codex_oauth.hosts.carried import gone_file, remade_by
from codex_oauth.hosts.hook_command import Host, broken_part
from codex_oauth.hosts.hook_settings import Placed

__all__ = ("Obstacle", "Report", "entry_obstacles", "mentions_hook")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that keeps the hook from deciding.

    Attributes:
        gravity: `off` where the hook decides nothing at all; `partly` where it decides less than one may think.
        finding: What it is, and where.
        mend: The one thing that mends it.
        details: What belongs to it, a line each.
    """

    gravity: Literal["off", "partly"]
    finding: str
    mend: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How it stands with one host.

    Attributes:
        host: Which host.
        installed: The files that hold the hook; none where it is not installed.
        obstacles: What keeps it from deciding.
        notes: What is good to know.
        trusted: Whether Codex has said that it runs the hook.
        commands: The commands that run the hook, each once.
    """

    host: Host
    installed: tuple[Path, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    notes: tuple[str, ...] = ()
    trusted: bool = False
    commands: tuple[str, ...] = ()


def entry_obstacles(
    path: Path, hook: Placed, host: Host, *, install: str, timeout: Callable[[str], float]
) -> list[Obstacle]:
    """What is wrong with the hook's own entry in a file.

    Args:
        path: The file.
        hook: The hook in it.
        host: Whose hook.
        install: The command that writes the entry anew, with all that the hook carries.
        timeout: Gives the seconds that a verdict of a hook's command may take.
    """
    obstacles: list[Obstacle] = []
    broken = broken_part(hook.command)
    if broken is not None:
        gone = gone_file(hook.command, host)
        # An installation keeps what the hook carries, and so would keep what is gone.
        mend = install if gone is None else remade_by(install, hook.command, host, without=gone)
        obstacles.append(Obstacle("off", f"the hook in {path} cannot start: {broken}", mend))
    if hook.entry.get("async"):
        obstacles.append(Obstacle("off", f"the hook in {path} is 'async', so its answer is not used", install))
    patience = hook.entry.get("timeout")
    if isinstance(patience, int | float) and patience <= (seconds := timeout(hook.command)):
        finding = (
            f"the host waits {patience:g} s for the hook in {path}, and a verdict may take {seconds:g} s; one that "
            "comes later is lost"
        )
        obstacles.append(Obstacle("partly", finding, install))
    if hook.matcher not in {"", "*"}:
        finding = f"the hook in {path} is asked about the tools that match {hook.matcher!r}, and about no others"
        obstacles.append(Obstacle("partly", finding, f'make its matcher "" in {path}'))
    return obstacles


def mentions_hook(path: Path) -> bool:
    """Whether a settings file that cannot be understood has the hook's name in it."""
    try:
        raw = path.read_bytes()
    except OSError:
        return False
    return b"codex-oauth" in raw or b"codex_oauth" in raw
