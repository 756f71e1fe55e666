"""The doctor's look at the policy: as a request from this folder would be judged, by each host's installed hook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codex_oauth.cli.finding import Check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_oauth.config import Settings
    from codex_oauth.hosts import Host

__all__ = ("policy_checks",)


def policy_checks(settings: Settings, hooks: Iterable[tuple[Host, str]]) -> list[Check]:
    """What there is to say of the policy.

    Args:
        settings: Where the user's own file is.
        hooks: The installed hooks: whose, and their commands. Without any, the user's file alone is looked at.
    """
    from codex_oauth.hosts import options_of

    wanted: dict[tuple[Host, Path | None], None] = {}
    for host, command in hooks:
        wanted[host, options_of(command, host)[0].policy] = None
    if not wanted:
        return _look(settings, None, None, alone=True)
    # A hook whose file is gone is told of as a hook that cannot start.
    there: list[tuple[Host, Path | None]] = [each for each in wanted if each[1] is None or each[1].is_file()]
    found = [check for host, policy in there for check in _look(settings, host, policy)]
    # Mostly both hosts go by the same files.
    return list(dict.fromkeys(found))


def _look(settings: Settings, host: Host | None, policy: Path | None, *, alone: bool = False) -> list[Check]:
    from codex_oauth.cli.gate.shown import repository_here
    from codex_oauth.gate.policy.layers import read_layers

    git = None if policy is not None or alone else repository_here()
    loaded = read_layers(settings, host=host, mode="default", git=git, file=policy)
    file = f" {policy}" if policy is not None else ""
    broken = [
        Check(
            "policy",
            "fail",
            source.problems[0].at(source.path),
            f"mend it; codex-oauth gate check{file} shows whether it is right",
            2,
            tuple(problem.at(source.path) for problem in source.problems[1:]),
        )
        for source in loaded.sources
        if source.state == "broken"
    ]
    passed_over = [
        Check("policy", "warn", f"{source.path} is passed over: {source.why}", source.mend or None)
        for source in loaded.sources
        if source.state == "passed over"
    ]
    if broken:
        return [*broken, *passed_over]
    counted = [str(source.path) for source in loaded.sources if source.state == "counted" and source.path]
    return [Check("policy", "ok", ", ".join(["the built-in rules", *counted])), *passed_over]
