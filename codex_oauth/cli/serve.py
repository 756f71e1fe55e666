"""`codex-oauth serve`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from codex_oauth.cli.output import call, say
from codex_oauth.cli.serving import Whose, service_options, whose_service
from codex_oauth.errors import CodexOAuthError

if TYPE_CHECKING:
    from codex_oauth.server import Ended, Listening, Log

__all__ = ("allow_descriptors", "command")

_DESCRIPTORS: Final = 4096
"""What it may have open, where the system allows that: a connection and a file for each call that it takes, twice."""

_TURN: Final = 0.0005
"""Seconds that one thread has the interpreter while another one waits for it."""


@click.command("serve")
@click.option("--on-demand", is_flag=True, help="Write to the log file, and end when idle: how hooks start it.")
@click.option("--http", is_flag=True, help="Be the OpenAI-compatible endpoint on 127.0.0.1 instead.")
@click.option("--port", type=click.IntRange(0, 65_535), help="With --http: its port.  [default: 8787]")
@click.option(
    "--token-file", type=click.Path(), help="With --http: where the token is kept.  [default: the state folder]"
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    help="With --http: seconds for a request, everything together.  [default: 300]",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1024), help="With --http: calls of the model at once.  [default: 64]"
)
@click.option("--log-file", type=click.Path(), help="With --http: where the access log goes.  [default: stderr]")
@click.option("--no-access-log", is_flag=True, help="With --http: no access log.")
@click.option("--print-token", is_flag=True, help="With --http: print the token on stdout, and end.")
@service_options
def command(on_demand: bool, http: bool, options: dict[str, str], **endpoint: Any) -> None:
    """Be the warm service, in the foreground, until Ctrl-C or SIGTERM.

    It keeps an app-server ready and answers hooks and `classify --json` on a unix socket that is yours alone. Where
    another service has the socket already, it says so and exits with 0. It exits with 1 where it ended for another one
    to take its place, such as after a change of the configuration. `codex-oauth service start` runs it in the
    background.

    With --http, it is an endpoint that OpenAI's clients can be pointed to: chat completions, responses and models, on
    127.0.0.1 alone, for whoever has its token.
    """
    if http:
        if on_demand:
            raise click.UsageError("--on-demand is for the warm service, not for --http")
        from codex_oauth.cli.serve_http import serve_http

        serve_http(options, **endpoint)
        return
    if given := [name for name, value in endpoint.items() if value not in (None, False)]:
        raise click.UsageError(f"--{given[0].replace('_', '-')} is for --http")
    _be_service(on_demand, options)


def _be_service(on_demand: bool, options: dict[str, str]) -> None:
    from codex_oauth.server import Listening, Log, Taken

    log = None
    try:
        whose = whose_service(options)
        log = Log(whose.settings.state_dir / "service.log" if on_demand else None)
        listening = Listening(whose.address.socket)
        listening.open()
    except Taken as taken:
        (log.line if log is not None else say)(str(taken))
        return
    except CodexOAuthError as error:
        if log is not None:
            log.line(f"not started: {error.code}")
        raise
    # Whoever started it may want to remove the folder that it was started in.
    os.chdir("/")
    allow_descriptors()
    # One request's secrets are looked for while another one is answered: turns of 5 ms would be felt.
    sys.setswitchinterval(_TURN)
    idle = whose.settings.service_idle if on_demand and whose.settings.service == "on-demand" else None
    ended = call(lambda: _serve(whose, listening, log, idle))
    if ended.anew:
        raise click.exceptions.Exit(1)


async def _serve(whose: Whose, listening: Listening, log: Log, idle: float | None) -> Ended:
    from codex_oauth.server import Service, commands

    async with commands() as run:
        service = Service(whose.settings, whose.address.key, listening, run, log, idle=idle)
        if whose_service(whose.options).settings != whose.settings:
            # Since this process has read it: from now on the service itself sees it.
            service.end("the configuration has changed", anew=True)
        return await service.serve()


def allow_descriptors() -> None:
    """Have this process allowed to have many connections and files open, where the system lets it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
