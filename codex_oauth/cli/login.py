"""`codex-oauth login`."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

import click

from codex_oauth.cli.options import Where, home_options, open_codex
from codex_oauth.cli.output import call, printable, say, to_json, waiting
from codex_oauth.config import environment

if TYPE_CHECKING:
    from codex_oauth.account import Login
    from codex_oauth.client import AsyncCodex
    from codex_oauth.config import Settings
    from codex_oauth.types import Account

__all__ = ("command",)

Way = Literal["browser", "device", "api-key"]

_KEY_PROFILE: Final = "api-key"

_LONGEST_KEY: Final = 4096

_FROM_CODEX: Final = """\
A sign-in cannot be copied from ~/.codex. Its refresh token is good for one use:
whichever program refreshes first, the other's copy is refused from then on, and
has to be signed in again. There are two safe ways:

  1. Sign in here too. Your codex keeps its own sign-in, both go on, and the
     same plan pays:

       codex-oauth login

  2. Use ~/.codex itself, knowingly: one sign-in, kept fresh by whoever comes
     first. Calls are then only as isolated as its config.toml makes them (a
     warning says what it lacks), and nothing is written there but by codex:

       codex-oauth complete --codex-home ~/.codex 'Is 91 prime?'
       AsyncCodex(codex_home="~/.codex")
"""


@click.command("login")
@click.option("--browser", is_flag=True, help="ChatGPT, in a browser on this machine.")
@click.option("--device", is_flag=True, help="ChatGPT, with a code that you type in any browser.")
@click.option(
    "--api-key",
    is_flag=True,
    help=f"An API key, read from stdin, for --profile NAME; without one, for {_KEY_PROFILE!r}.",
)
@click.option("--from-codex", is_flag=True, help="Explain how to come from a sign-in in ~/.codex.")
@click.option("--no-open", is_flag=True, help="Only print the address; do not open the browser.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    help="Seconds that you may take.  [default: 300 with a browser, 600 with a code]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value when done.")
@home_options
def command(
    browser: bool,
    device: bool,
    api_key: bool,
    from_codex: bool,
    no_open: bool,
    timeout: float | None,
    as_json: bool,
    where: Where,
) -> None:
    """Sign in, so that your ChatGPT plan pays for calls.

    On a terminal it asks which way; without one, a device code it is. An API key goes into a profile of its own, and is
    billed for the calls that name that profile, and for no others.

    \b
    Examples:
      codex-oauth login
      codex-oauth login --device
      printenv OPENAI_API_KEY | codex-oauth login --api-key --profile ci
    """
    ways: tuple[tuple[Way, bool], ...] = (("browser", browser), ("device", device), ("api-key", api_key))
    named: list[Way] = [one for one, given in ways if given]
    if len(named) > 1:
        raise click.UsageError(f"one way to sign in, please: {' or '.join(f'--{one}' for one in named)}")
    way: Way | None = named[0] if named else None
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if from_codex:
        say(_FROM_CODEX)
        if way is None and not (terminal and click.confirm("Sign in here now?", default=True, err=True)):
            raise click.exceptions.Exit(0)
    if way is None:
        way = _ask(open_codex(where).settings) if terminal else "device"
    if way == "api-key" and where.profile is None:
        where = where._replace(profile=_KEY_PROFILE)
    codex = open_codex(where)
    if way == "api-key":
        account = _give_key(codex)
    else:
        with _stdout_to_stderr():
            account = call(lambda: _sign_in(codex, way, opens=not no_open, timeout=timeout))
    _report(codex, account, as_json=as_json)


@contextmanager
def _stdout_to_stderr() -> Generator[None]:
    """What a browser prints when it starts belongs to nobody who reads this command's result."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _ask(settings: Settings) -> Way:
    from codex_oauth.account import wallet_of

    # A profile is for one kind of wallet, and over ssh there is no browser on this machine.
    default = "3" if wallet_of(settings) == "apiKey" else "1" if _has_screen() else "2"
    say("How do you want to sign in?")
    say("  1  ChatGPT, in a browser on this machine")
    say("  2  ChatGPT, with a code that you type in any browser, such as your phone's")
    say("  3  An API key, billed for each call, in a profile of its own")
    answer = click.prompt(
        "1, 2 or 3", type=click.Choice(["1", "2", "3"]), show_choices=False, default=default, err=True
    )
    ways: dict[str, Way] = {"1": "browser", "2": "device", "3": "api-key"}
    return ways[answer]


def _has_screen() -> bool:
    environ = environment()
    if environ.get("SSH_CONNECTION"):
        return False
    return sys.platform in ("win32", "darwin") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


async def _sign_in(codex: AsyncCodex, way: Way, *, opens: bool, timeout: float | None) -> Account:
    opening = codex.login_device(timeout=timeout) if way == "device" else codex.login_browser(timeout=timeout)
    with waiting("asking for a code…" if way == "device" else "waiting for codex to listen…") as asked:
        async with opening as login:
            asked.stop()
            if login.user_code is not None:
                _show_code(login.url, login.user_code)
            else:
                say(f"Open this page in a browser on this machine, and sign in:\n\n  {login.url}\n")
                if opens and _has_screen():
                    _open(login.url)
            return await _countdown(login)


def _show_code(url: str, code: str) -> None:
    if not sys.stderr.isatty():
        say(f"Open {url} in any browser, sign in, and enter the code {code}")
        return
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    # Once to read, and once to copy.
    say(f"1. Open this page in any browser, on any machine, and sign in:\n\n     {url}\n")
    say(f"2. Enter this code: {printable(code)}\n")
    console = Console(stderr=True, highlight=False)
    console.print(Panel.fit(Text(" ".join(printable(code)), style="bold"), padding=(1, 4)), justify="center")
    say("\nWhoever has the code can sign in for you: give it to nobody.\n")


def _open(url: str) -> None:
    import threading
    import webbrowser

    def show() -> None:
        try:
            shown = webbrowser.open(url)
        except (webbrowser.Error, ValueError, OSError):  # a BROWSER that makes no sense, say
            shown = False
        if not shown:
            say("The browser could not be opened; copy the address.")

    # Some return only when the browser is closed. Nothing waits for that, not even the end of this program.
    threading.Thread(target=show, daemon=True).start()


async def _countdown(login: Login) -> Account:
    import anyio

    if not sys.stderr.isatty():
        say(f"waiting, for at most {login.timeout:g} s…")
        return await login.wait()
    from rich.console import Console

    account: Account | None = None
    with Console(stderr=True, highlight=False).status("waiting…") as status:

        async def tick() -> None:
            while True:
                minutes, seconds = divmod(round(login.remaining), 60)
                status.update(f"waiting for you to sign in…  {minutes}:{seconds:02d} left, Ctrl-C gives up")
                await anyio.sleep(1)

        failure: BaseException | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(tick)
                account = await login.wait()
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            failure = group.exceptions[0]
    if failure is not None:
        raise failure
    assert account is not None
    return account


def _give_key(codex: AsyncCodex) -> Account:
    profile = codex.settings.profile
    say(f"Calls with --profile {profile} will be billed to this key. No other call uses it.")
    key = _read_key().strip()
    if not key or len(key) > _LONGEST_KEY or not key.isascii() or any(character.isspace() for character in key):
        raise click.UsageError("that is no API key: one word is expected on stdin, such as sk-…")
    if key.startswith("eyJ"):
        raise click.UsageError("that is an access token, not an API key; for a token of a fleet see CODEX_OAUTH_TOKEN")
    return call(lambda: codex.login_api_key(key))


def _read_key() -> str:
    if sys.stdin.isatty():
        from getpass import getpass

        # It asks the terminal itself, wherever stderr goes, as click does from 8.2 on.
        try:
            return getpass("API key: ")
        except (KeyboardInterrupt, EOFError):
            raise click.Abort from None
    return sys.stdin.buffer.read(_LONGEST_KEY + 1).decode("utf-8", "replace")


def _report(codex: AsyncCodex, account: Account, *, as_json: bool) -> None:
    settings = codex.settings
    if as_json:
        to_json(
            {
                "account": account.kind,
                "plan": account.plan,
                "profile": settings.profile,
                "home": str(settings.home),
            }
        )
        return
    # An address is for the person in front of the screen, not for a log that a pipe may end in.
    who = f" ({printable(account.email)})" if account.email and sys.stdout.isatty() else ""
    plan = f", plan {printable(account.plan)}" if account.plan else ", billed for each call"
    named = f" --profile {settings.profile}" if settings.profile else ""
    click.echo(f"signed in  {account.kind}{plan}{who}")
    click.echo(f"home       {settings.home}")
    click.echo(f"next       codex-oauth complete{named} 'Is 91 prime?'")
