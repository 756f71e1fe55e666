"""The doctor's look at the hooks of the hosts: whether they are there, and whether they are asked at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
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


def hook_checks(
    settings: Settings, *, judged: Path | None = None, environ: Mapping[str, str] | None = None
) -> list[Check]:
    """What there is to say about the policy, and about each host that has a home here.

    Codex is started only where its settings hold the hook, and nothing that goes wrong with it stops the doctor.

    Args:
        settings: The settings.
        judged: The home whose account was looked at already.
        environ: The environment that the hooks' own settings are read from; this process's by default.
    """
    from codex_oauth.cli.doctor_policy import policy_checks
    from codex_oauth.config import host_homes
    from codex_oauth.hosts import look_at_claude, look_at_codex

    def seconds(host: Host) -> Callable[[str], float]:
        return lambda command: _seconds(settings, host, command, environ)

    try:
        homes = host_homes()
    except ConfigurationError:
        return policy_checks(settings, ())
    reports: list[Report] = []
    if homes.claude.is_dir():
        reports.append(look_at_claude(homes.claude, here(), timeout=seconds("claude")))
    if homes.codex.is_dir():
        listing = partial(_listing, settings, homes.codex)
        reports.append(look_at_codex(homes.codex, listing, timeout=seconds("codex")))
    hooks: list[tuple[Host, str]] = [(report.host, command) for report in reports for command in report.commands]
    checks = policy_checks(settings, hooks)
    for report in reports:
        checks += _checks(report, _accounts(report, judged, environ))
    return checks


def _seconds(settings: Settings, host: Host, command: str, environ: Mapping[str, str] | None) -> float:
    from codex_oauth.cli.hook_account import hook_settings
    from codex_oauth.hosts import options_of

    options, _ = options_of(command, host)
    try:
        return verdict_seconds(hook_settings(options, environ), host, options.policy)
    except ConfigurationError:
        # Whoever looks at the policy says what is wrong with it.
        return settings.timeout


def _accounts(report: Report, judged: Path | None, environ: Mapping[str, str] | None) -> list[Check]:
    """What is wrong with the accounts that a host's hooks call with."""
    from codex_oauth.cli.hook_account import hook_settings, lacking_sign_in
    from codex_oauth.hosts import options_of

    name = f"{report.host}-hook"
    checks: list[Check] = []
    for command in report.commands:
        try:
            settings = hook_settings(options_of(command, report.host)[0], environ)
        except ConfigurationError as error:
            checks.append(Check(name, "fail", error.message, f"codex-oauth install {report.host} --reset", 1))
            continue
        lacking = None if settings.home == judged else lacking_sign_in(settings)
        if lacking is not None:
            checks.append(Check(name, "fail", *lacking, 1))
    return list(dict.fromkeys(checks))


def _listing(settings: Settings, home: Path) -> HookListing | str:
    from codex_oauth.cli.hook_trust import codex_sees

    try:
        return codex_sees(settings, home, here())
    except CodexOAuthError as error:
        return error.message


def _checks(report: Report, accounts: list[Check]) -> list[Check]:
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
    checks += accounts
    if all(check.state != "fail" for check in checks):
        finding = f"in {', '.join(map(str, report.installed))}{', and trusted' if report.trusted else ''}"
        checks.insert(0, Check(name, "ok", finding, details=report.notes))
    return checks
