"""`codex-oauth service`."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click

from codex_oauth.cli.output import printable, say, to_json
from codex_oauth.cli.serving import Whose, service_options, whose_service
from codex_oauth.errors import ProcessError

if TYPE_CHECKING:
    from codex_oauth.server import Found

__all__ = ("command",)

_PATIENCE: Final = 20.0
"""Seconds for a service to listen. It takes half a second."""


@click.group("service")
def command() -> None:
    """Look after the warm service, which answers hooks and `classify --json` without starting codex.

    Nothing needs it: the first hook starts it, it ends by itself when nobody asks for a while, and without it a hook
    does its own work. `service = "off"` in the configuration turns it off.
    """


@command.command("start")
@service_options
def _start(options: dict[str, str]) -> None:
    """Start the service in the background, and wait until it listens."""
    from codex_oauth.server import find_service

    whose = whose_service(options)
    found = find_service(whose.address.socket)
    if found is not None and found.status is not None:
        click.echo(_line("runs already", found, whose))
        return
    # Its standard streams are its own: a terminal or a pipe that goes away must not matter to it.
    process = subprocess.Popen(
        [sys.executable, "-E", "-P", "-m", "codex_oauth", "serve", "--on-demand", *whose.words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        found = find_service(whose.address.socket)
        if found is not None and found.status is not None:
            click.echo(_line("started" if found.pid == process.pid else "runs already", found, whose))
            return
        if process.poll() not in (None, 0):
            break
        time.sleep(0.01)
    log = whose.settings.state_dir / "service.log"
    raise ProcessError(f"the service does not listen; {log} may say why", exit_code=process.poll())


@command.command("stop")
@service_options
def _stop(options: dict[str, str]) -> None:
    """Have the service end, once the calls that it runs have ended."""
    from codex_oauth.server import stop_service

    whose = whose_service(options, may_be_off=True)
    outcome = stop_service(whose.address.socket)
    click.echo({"none": "no service runs", "ended": "ended", "killed": "killed: it did not end by itself"}[outcome])


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@service_options
def _status(as_json: bool, options: dict[str, str]) -> None:
    """Say whether the service runs, and what it has done. Exits with 1 if it does not run."""
    from codex_oauth.server import find_service

    whose = whose_service(options, may_be_off=True)
    found = find_service(whose.address.socket)
    said = found.status if found is not None else None
    if as_json:
        about = {"setting": whose.settings.service, "socket": whose.address.socket, "running_service": said is not None}
        to_json({**about, **({"pid": found.pid} if found is not None else {}), **(said or {})})
    elif found is None:
        click.echo(f"no service runs; it is {_SETTINGS[whose.settings.service]}")
    elif said is None:
        click.echo(f"process {found.pid} has the socket and does not answer: codex-oauth service stop ends it")
    else:
        _show(said)
    if said is None:
        raise click.exceptions.Exit(1)


@command.command("unit")
@click.option("--systemd", "kind", flag_value="systemd", help="A user unit of systemd.")
@click.option("--launchd", "kind", flag_value="launchd", help="A launch agent of macOS.")
@service_options
def _unit(kind: str | None, options: dict[str, str]) -> None:
    """Print a unit with which the system keeps the service running.

    \b
    Examples:
      codex-oauth service unit --systemd > ~/.config/systemd/user/codex-oauth.service
      codex-oauth service unit --launchd > ~/Library/LaunchAgents/io.codex-oauth.service.plist
    """
    from codex_oauth.errors import ConfigurationError
    from codex_oauth.server import deciding_variables, launchd_plist, systemd_unit

    whose = whose_service(options)
    kind = kind or ("launchd" if sys.platform == "darwin" else "systemd")
    words = [sys.executable, "-P", "-m", "codex_oauth", "serve", *whose.words]
    variables = deciding_variables(options)
    try:
        text = launchd_plist(words, variables) if kind == "launchd" else systemd_unit(words, variables)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    click.echo(text, nl=False)
    where = (
        "systemctl --user daemon-reload && systemctl --user enable --now codex-oauth"
        if kind == "systemd"
        else "launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/io.codex-oauth.service.plist"
    )
    say(f"codex-oauth: once it is in its place: {where}")


_SETTINGS: Final = {
    "off": "turned off",
    "on-demand": "started by the first hook that would use it",
    "always": "started by the first hook that would use it, and stays",
}


def _line(what: str, found: Found, whose: Whose) -> str:
    return f"{what}: process {found.pid}, {printable(whose.address.socket)}"


def _show(said: dict[str, Any]) -> None:
    idle = said["idle_timeout_s"]
    click.echo(f"process   {said['pid']}, version {said['version']}, for {said['uptime_s']:.0f} s")
    click.echo(f"socket    {printable(said['socket'])}")
    click.echo(f"home      {printable(said['home'])}")
    click.echo(f"calls     {said['calls']} done, {said['running']} running, {said['queued']} waiting")
    click.echo(f"memory    {_megabytes(said['memory'])}")
    for server in said["app_servers"]:
        version = f", codex {printable(server['version'])}" if server["version"] else ""
        click.echo(f"codex     process {server['pid']}{version}, {_megabytes(server['memory'])}")
    click.echo(f"ends      {'when it is stopped' if idle is None else f'after {idle:.0f} s without a call'}")


def _megabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1_000_000:.0f} MB"
