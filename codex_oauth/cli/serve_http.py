"""`codex-oauth serve --http`."""

from __future__ import annotations

import math
import os
import shlex
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from codex_oauth.cli.output import call, printable, say
from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError

__all__ = ("serve_http",)

_PORT: Final = 8787
_TIMEOUT: Final = 300.0
_CONCURRENCY: Final = 64


def serve_http(
    options: dict[str, str],
    *,
    port: int | None = None,
    token_file: str | None = None,
    timeout: float | None = None,
    concurrency: int | None = None,
    log_file: str | None = None,
    no_access_log: bool = False,
    print_token: bool = False,
) -> None:
    """Be the endpoint until Ctrl-C or SIGTERM; a second one ends the calls that still run.

    Args:
        options: `--home`, `--profile` and `--codex-bin`.
        port: The port of 127.0.0.1; 0 for one that is free.
        token_file: Where the token is kept.
        timeout: Seconds for a request.
        concurrency: Calls of the model at once.
        log_file: Where the access log goes; None for stderr.
        no_access_log: Whether there is none.
        print_token: Whether to print the token instead.

    Raises:
        ConfigurationError: The extra is missing, the port is taken, or a file is not as it should be.
    """
    from codex_oauth.endpoint.bearer import FILE_NAME, bearer_token

    if timeout is not None and math.isnan(timeout):
        raise click.UsageError("--timeout must be a number of seconds")
    if log_file is not None and no_access_log:
        raise click.UsageError("give one of --log-file and --no-access-log")
    settings = load_settings(
        home=options.get("--home"), profile=options.get("--profile"), codex_bin=options.get("--codex-bin")
    )
    path = Path(os.path.abspath(os.path.expanduser(token_file))) if token_file else settings.state_dir / FILE_NAME
    token, made = bearer_token(path)
    if print_token:
        if made:
            say(f"codex-oauth: there was no token yet; it was made, in {printable(str(path))}")
        click.echo(token)
        return
    if find_spec("uvicorn") is None:
        raise ConfigurationError('the endpoint needs uvicorn: pip install "codex-oauth[server]"')
    from codex_oauth.cli.serve import allow_descriptors
    from codex_oauth.client import AsyncCodex
    from codex_oauth.endpoint.access import AccessLog
    from codex_oauth.endpoint.apis import APIS
    from codex_oauth.endpoint.running import HOST, Serving, listen, serve
    from codex_oauth.process import find_binary

    find_binary(settings)
    warnings.showwarning = _show
    log = None if no_access_log else AccessLog(Path(os.path.abspath(log_file)) if log_file else None)
    listening = listen(_PORT if port is None else port)
    command = _token_command(path)
    base_url = f"http://{HOST}:{listening.getsockname()[1]}/v1"
    say(f"codex-oauth: the endpoint listens at {base_url}, for this machine alone; Ctrl-C ends it")
    if made:
        say(f"  a token was made, and is shown this once: {token}")
        say(f"  it is kept in {printable(str(path))}")
    if settings.record is not None or settings.record_tapes is not None:
        where = settings.record or settings.record_tapes
        say(f"  what models are sent and what they answer is recorded, into {printable(str(where))}")
    say(f"  export OPENAI_BASE_URL={base_url}")
    say(f'  export OPENAI_API_KEY="$({command})"')
    serving = Serving(
        token=token,
        timeout=_TIMEOUT if timeout is None else timeout,
        concurrency=_CONCURRENCY if concurrency is None else concurrency,
        token_command=command,
        log=log,
    )
    # Whoever started it may want to remove the folder that it was started in.
    os.chdir("/")
    allow_descriptors()
    codex = AsyncCodex(settings=settings, max_concurrency=serving.concurrency)
    try:
        call(lambda: serve(codex, listening, serving, APIS, say=lambda text: say(f"codex-oauth: {text}")))
    finally:
        listening.close()
        if log is not None:
            log.close()


def _token_command(path: Path) -> str:
    """What prints the token, for a shell."""
    if sys.platform == "win32":
        return f'type "{path}"'
    return f"cat {shlex.quote(str(path))}"


def _show(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"codex-oauth: {message}")
