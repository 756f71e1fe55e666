"""The doctor's look at the hooks of the hosts: whether they are there, and whether they are asked at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from codex_oauth.cli.finding import Check
from codex_oauth.cli.host_settings import here, verdict_seconds
from codex_oauth.errors import CodexOAuthError, ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.config import Settings
    from codex_oauth.hosts import HookListing, Host, Report

__all__ = ("hook_checks",)

_STATES: Final[dict[str, Literal["warn", "fail"]]] = {"off": "fail", "partly": "warn"}


def hook_checks(settings: Settings) -> list[Check]:
    """What there is to say about each host that has a home here.

    Codex is started only where its settings hold the hook, and nothing that goes wrong with it stops the doctor.
    """
    from codex_oauth.config import host_homes
    from codex_oauth.hosts import look_at_claude, look_at_codex

    try:
        homes = host_homes()
    except ConfigurationError:
        return []
    checks: list[Check] = []
    if homes.claude.is_dir():
        seconds = _seconds(settings, "claude")
        checks += _checks(look_at_claude(homes.claude, here(), timeout=seconds))
    if homes.codex.is_dir():
        seconds = _seconds(settings, "codex")
        report = look_at_codex(homes.codex, lambda: _listing(settings, homes.codex), timeout=seconds)
        checks += _checks(report)
    return checks


def _seconds(settings: Settings, host: Host) -> float:
    try:
        return verdict_seconds(settings, host, None)
    except ConfigurationError:
        # Whoever looks at the policy says what is wrong with it.
        return settings.timeout


def _listing(settings: Settings, home: Path) -> HookListing | str:
    from codex_oauth.cli.hook_trust import codex_sees

    try:
        return codex_sees(settings, home, here())
    except CodexOAuthError as error:
        return error.message


def _checks(report: Report) -> list[Check]:
    name = f"{report.host}-hook"
    if not report.installed:
        finding = f"not installed; codex-oauth install {report.host} puts it there"
        return [Check(name, "ok", finding, details=report.notes)]
    checks = [
        Check(
            name,
            _STATES[obstacle.gravity],
            obstacle.finding,
            obstacle.mend,
            1 if obstacle.gravity == "off" else 0,
            obstacle.details,
        )
        for obstacle in report.obstacles
    ]
    if all(check.state != "fail" for check in checks):
        finding = f"in {', '.join(map(str, report.installed))}{', and trusted' if report.trusted else ''}"
        checks.insert(0, Check(name, "ok", finding, details=report.notes))
    return checks
