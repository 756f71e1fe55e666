"""`python -m codex_oauth.testing`: the stand-in in a terminal, for one command or for a codex started in another."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from . import Json, LoopbackChatGPT, Text

_MARK = ".loopback-chatgpt"
# In each home that this command has signed in: only such a home, or an empty one, is written to.


def main() -> None:
    """Runs one command with the stand-in, or else serves until Ctrl-C or SIGTERM."""
    options, command = _split(sys.argv[1:])
    parser = _parser()
    arguments = parser.parse_args(options)
    if command is not None and not command:
        parser.error("a command is expected after --")
    with ExitStack() as open_things:
        signals = open_things.enter_context(_signals())
        try:
            home = _home(arguments.home, open_things)
        except OSError as error:
            parser.error(f"--home: {error}")
        chatgpt = open_things.enter_context(LoopbackChatGPT(websocket=arguments.websocket))
        if arguments.reply is not None:
            chatgpt.default = Text(arguments.reply)
        elif arguments.json is not None:
            chatgpt.default = Json(json.loads(arguments.json))
        try:
            chatgpt.sign_in(home)
        except OSError as error:
            parser.error(f"--home: {error}")
        variables = {
            **chatgpt.environment,
            "CODEX_OAUTH_HOME": str(home),
            # The user's own profiles and configuration would otherwise be met with a service that does not know them.
            "XDG_STATE_HOME": str(home / ".loopback-state"),
            "XDG_CONFIG_HOME": str(home / ".loopback-config"),
            # Empty is unset to this package: a platform's token is not for the stand-in.
            "CODEX_OAUTH_CREDENTIAL": "",
            "CODEX_OAUTH_TOKEN": "",
            "CODEX_OAUTH_METRICS": "off",
            # It would outlive the stand-in.
            "CODEX_OAUTH_SERVICE": "off",
        }
        status = _serve(variables, signals) if command is None else _run(command, variables, signals)
    sys.exit(status)


def _serve(variables: dict[str, str], signals: _Signals) -> int:
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    signals.wait()
    return 0


def _run(command: Sequence[str], variables: dict[str, str], signals: _Signals) -> int:
    try:
        process = subprocess.Popen(command, env={**os.environ, **variables})
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126

    def wait() -> None:
        process.wait()
        signals.wake()

    waiting = threading.Thread(target=wait, name="command")
    waiting.start()
    while process.returncode is None:
        # A terminal sends the other signals to the command too.
        if signal.SIGTERM in signals.wait():
            process.terminate()
    waiting.join()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _home(named: Path | None, open_things: ExitStack) -> Path:
    if named is None:
        # An app-server that is still ending may hold a file of it.
        folder = tempfile.TemporaryDirectory(prefix="loopback-chatgpt-home-", ignore_cleanup_errors=True)
        return Path(open_things.enter_context(folder))
    home = named.expanduser().resolve()
    if home == (Path.home() / ".codex").resolve():
        raise FileExistsError(f"{home} is codex's own; name another folder")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / _MARK).exists():
        if any(home.iterdir()):
            raise FileExistsError(f"{home} is not empty and was not made by this command; name another folder")
        (home / _MARK).touch()
    return home


class _Signals:
    """Signals as bytes of a socket, so that no handler touches anything that the main thread may hold."""

    def __init__(self, reader: socket.socket, writer: socket.socket) -> None:
        self._reader = reader
        self._writer = writer

    def wait(self) -> bytes:
        """The numbers of the next signals; 0 is for `wake`."""
        return self._reader.recv(4096)

    def wake(self) -> None:
        """Ends a `wait`, from any thread."""
        # A full buffer ends it too.
        with suppress(BlockingIOError):
            self._writer.send(b"\0")


@contextmanager
def _signals() -> Generator[_Signals]:
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    with reader, writer:
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, _only_wake)
        try:
            yield _Signals(reader, writer)
        finally:
            # For good: the interpreter is about to end, and a second Ctrl-C shall not spoil its exit status. The other
            # threads have ended, so that this one's mask is the process's.
            if sys.platform == "win32":
                for number in numbers:
                    signal.signal(number, signal.SIG_IGN)
            else:
                signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
            signal.set_wakeup_fd(-1)


def _only_wake(_number: int, _frame: FrameType | None) -> None:
    """The byte is in the socket already."""


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    if "--" not in arguments:
        return arguments, None
    end = arguments.index("--")
    return arguments[:end], arguments[end + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m codex_oauth.testing",
        usage="%(prog)s [OPTIONS] [-- COMMAND ARGS...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="""\
A stand-in for ChatGPT on 127.0.0.1, and a home that is signed in to it.

With COMMAND it runs that with the variables that lead codex-oauth to the
stand-in, and exits with its status. Without, it prints the variables for a
shell and serves until Ctrl-C.

Without --reply and --json a request is answered with an echo, or, where it
has a schema, with a made-up value that fits it: of an enum the first. That
is no judgement: an "allow" that names no rule becomes "ask".""",
        epilog="""\
example:
  python -m codex_oauth.testing \\
      --json '{"reason":"r","rule":"outward","behavior":"ask","deny_message":""}' \\
      -- codex-oauth classify --command 'git push' --json

The variables are those for the proxy and its certificate, CODEX_OAUTH_HOME,
CODEX_OAUTH_METRICS=off, CODEX_OAUTH_SERVICE=off, and XDG_STATE_HOME and
XDG_CONFIG_HOME in a folder of their own: your gate.toml and your metrics are
not seen. To have gate.toml seen, put `env XDG_CONFIG_HOME=$HOME/.config`
before the command; for the warm service, `env CODEX_OAUTH_SERVICE=on-demand`,
and end it with `codex-oauth service stop`, while the stand-in still runs. For
codex itself, set CODEX_HOME to the value of CODEX_OAUTH_HOME too.""",
    )
    parser.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="the home to sign in with a made-up account: a new or empty folder, or one that this command has "
        "made before; by default a temporary one, removed at the end",
    )
    reply = parser.add_mutually_exclusive_group()
    reply.add_argument("--reply", metavar="TEXT", help="answer every model request with this text")
    reply.add_argument("--json", metavar="VALUE", type=_json, help="answer every model request with this JSON value")
    parser.add_argument(
        "--no-websocket", dest="websocket", action="store_false", help="answer model requests over POST only"
    )
    return parser


def _json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    return text


if __name__ == "__main__":
    main()
