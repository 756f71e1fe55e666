"""`codex-oauth doctor`."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from codex_oauth.cli.finding import Check
from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call, folded, printable, styled, to_json, waiting
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from codex_oauth.client import AsyncCodex
    from codex_oauth.config import Settings

__all__ = ("command",)

_MARKS: Final = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@home_options
def command(as_json: bool, where: Where) -> None:
    """Look at everything that a call needs, and at the hooks of coding agents, and say for each problem the one command
    that mends it.

    Makes no model request. Exits with the status that a call would have failed with; with 2 where the gate's policy is
    wrong, and with 1 where only an installed hook does not work.
    """
    try:
        codex = open_codex(where)
        with waiting("looking…"):
            checks = [_python(), *_look(codex, where)]
    except ConfigurationError as error:
        checks = [_python(), Check("configuration", "fail", error.message, None, error.exit_status), *_hooks_alone()]
    status = next((check.exit_status for check in checks if check.state == "fail"), 0)
    if as_json:
        to_json(
            {
                "ok": status == 0,
                "checks": [{k: v for k, v in asdict(check).items() if k != "exit_status"} for check in checks],
            }
        )
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            mark, colour = _MARKS[check.state]
            finding = folded(printable(check.finding), width + 4)
            click.echo(f"{styled(mark, colour)} {check.name:<{width}}  {finding}")
            for detail in check.details:
                click.echo(f"  {'':<{width}}  - {folded(printable(detail), width + 6)}")
            if check.mend:
                # A command stays on one line, to be copied.
                click.echo(f"  {'':<{width}}  → {printable(check.mend)}")
    if status:
        raise click.exceptions.Exit(status)


def _python() -> Check:
    return Check(
        "package",
        "ok",
        f"codex-oauth {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )


def _hooks_alone() -> list[Check]:
    """The look at the hooks where the configuration is wrong: as if there were none."""
    from codex_oauth.cli.doctor_hooks import hook_checks
    from codex_oauth.config import environment, load_settings

    environ = {**environment(), "CODEX_OAUTH_CONFIG": os.devnull}
    try:
        return hook_checks(load_settings(environ=environ), environ=environ)
    except ConfigurationError:
        return []


def _look(codex: AsyncCodex, where: Where) -> list[Check]:
    from codex_oauth.cli.doctor_extras import endpoint_checks, recording_checks
    from codex_oauth.cli.doctor_hooks import hook_checks
    from codex_oauth.cli.doctor_speed import service_checks, speed_checks

    settings = codex.settings
    checks: list[Check] = []
    judged = None
    binary = _binary(settings)
    checks.append(binary)
    if binary.state == "ok":
        home = _home(settings)
        checks.append(home)
        if home.state != "fail":
            checks.append(_account(codex))
            judged = settings.home
            checks += _sign_ins(settings)
    checks += [_environment(settings), *service_checks(settings, where), _metrics(settings), *speed_checks(settings)]
    checks += [*recording_checks(settings), *endpoint_checks(settings)]
    checks += hook_checks(settings, judged=judged)
    return checks


def _binary(settings: Settings) -> Check:
    from codex_oauth.process.locate import check_version, find_binary, run_codex

    try:
        binary = find_binary(settings)
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        printed = run_codex(binary, "--version", home=settings.state_dir, inherited=dict(settings.inherited))
        return Check("codex", "ok", f"{check_version(binary, printed)} ({binary.source}) {binary.path}")
    except CodexOAuthError as error:
        # A binary that was named is used or refused; installing another one would change nothing.
        named = settings.codex_bin is not None
        mend = "leave --codex-bin and CODEX_OAUTH_CODEX_BIN out" if named else 'pip install "codex-oauth[bundled]"'
        return Check("codex", "fail", error.message, mend, error.exit_status)
    except OSError as error:
        return Check(
            "codex", "fail", f"{settings.state_dir}: {error.strerror}", "XDG_STATE_HOME=… codex-oauth doctor", 2
        )


def _home(settings: Settings) -> Check:
    from codex_oauth.home import foreign_home, prepare_home, ready_home
    from codex_oauth.process import find_binary

    try:
        if not settings.managed:
            _, lacks = foreign_home(settings.home)
            if lacks:
                return Check(
                    "home", "warn", f"{settings.home}, your own, isolates less", "leave --codex-home out", details=lacks
                )
            return Check("home", "ok", f"{settings.home} (your own)")
        if settings.profile is not None and not settings.home.parent.is_dir():
            mend = f"codex-oauth login --profile {settings.profile}"
            return Check("home", "fail", f"there is no profile {settings.profile!r}", mend, 2)
        binary = find_binary(settings)
        home = ready_home(settings, binary) or prepare_home(settings, binary)
        if (home.path / "AGENTS.md").exists():
            return Check(
                "home",
                "fail",
                f"{home.path}/AGENTS.md would be added to every prompt",
                f"mv '{home.path}/AGENTS.md' .",
                2,
            )
        mode = home.path.stat().st_mode & 0o777
        if sys.platform != "win32" and mode & 0o077:
            return Check("home", "warn", f"{home.path} is open to others ({mode:o})", f"chmod 700 '{home.path}'")
        return Check("home", "ok", f"{home.path} (managed, for codex {home.version})")
    except CodexOAuthError as error:
        return Check("home", "fail", error.message, None, error.exit_status)


def _account(codex: AsyncCodex) -> Check:
    from codex_oauth.account import sign_in_command
    from codex_oauth.errors import AccountCheckError
    from codex_oauth.process import find_binary

    try:
        account = call(codex.account)
        whose = f", with the token of {codex.settings.external.name}" if codex.settings.external else ""
        what = f"plan {account.plan}" if account.plan else "each call is billed"
        return Check("account", "ok", f"{account.kind}, {what}{whose}")
    except AccountCheckError as error:
        return Check("network", "fail", error.message, "check HTTPS_PROXY and CODEX_CA_CERTIFICATE", error.exit_status)
    except CodexOAuthError as error:
        # Most of them end with the command that signs in.
        mend = sign_in_command(codex.settings, find_binary(codex.settings).path)
        finding = error.message.removesuffix(f": {mend}")
        return Check("account", "fail", finding, mend if finding != error.message else None, error.exit_status)
    except TimeoutError:
        return Check("network", "fail", "the account service did not answer in time", "check HTTPS_PROXY", 5)


def _sign_ins(settings: Settings) -> list[Check]:
    from codex_oauth.account import copies, other_stores, read_sign_in
    from codex_oauth.config import environment

    # A link to the home's own file, or the home itself where it is the user's own, is no other one.
    own = (settings.home / "auth.json").resolve()
    others = [store for store in other_stores(environment()) if store.file.resolve() != own]
    copied = copies(settings, others)
    checks = [
        Check(
            "sign-in",
            "warn",
            f"{copy.ours.file} and {copy.other.file} ({copy.other.owner}) hold the same refresh token, which is good "
            "for one use: whichever is refreshed first ends the other's sign-in",
            _sign_in_command(settings, copy.ours.file.parent),
        )
        for copy in copied
    ]
    own_sign_in = read_sign_in(settings.home)
    if own_sign_in is not None and own_sign_in.wallet == "chatgpt" and own_sign_in.holds_key:
        # A browser's sign-in that was killed at its very end leaves one.
        finding = f"{settings.home / 'auth.json'} holds an API key beside the plan's sign-in; it is not used"
        checks.append(Check("sign-in", "warn", finding, _sign_in_command(settings, settings.home)))
    alone = [store for store in others if all(store != copy.other for copy in copied)]
    if alone:
        found = ", ".join(f"{store.owner} ({store.file})" for store in alone)
        checks.append(Check("sign-in", "ok", f"other programs' own, not used here: {found}"))
    return checks


def _sign_in_command(settings: Settings, home: Path) -> str:
    from dataclasses import replace

    from codex_oauth.account import profiles, sign_in_command
    from codex_oauth.process import find_binary

    if home != settings.home:
        name = next((profile.name for profile in profiles(settings) if profile.home == home), None)
        settings = replace(settings, home=home, managed=True, profile=name, external=None)
    return sign_in_command(settings, find_binary(settings).path)


def _environment(settings: Settings) -> Check:
    proxies = sorted(
        name for name in settings.inherited if name.lower().endswith("_proxy") and settings.inherited[name]
    )
    parts = [f"proxy variables: {', '.join(proxies)}" if proxies else "no proxy"]
    if settings.billing_variables:
        parts.append(f"withheld from codex: {', '.join(settings.billing_variables)}")
    return Check("environment", "ok", "; ".join(parts))


def _metrics(settings: Settings) -> Check:
    path = settings.metrics
    if path is None:
        return Check("metrics", "ok", "off")
    folder = next((parent for parent in path.parents if parent.exists()), path.parent)
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        return Check("metrics", "warn", f"{path} cannot be written", "CODEX_OAUTH_METRICS=off, or a path of your own")
    return Check("metrics", "ok", str(path))
