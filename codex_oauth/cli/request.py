"""The way of one request: to the service if there is one, else to an app-server of its own, else to the command line
that knows all the rest."""

from __future__ import annotations

import gc
import os
import sys
import time

from codex_oauth.thin.ask import Answer, Late, NoService, ask
from codex_oauth.thin.key import key_of
from codex_oauth.thin.launch import Launch, read_launch
from codex_oauth.thin.options import parse
from codex_oauth.thin.place import Untrusted, anchored, launch_path, socket_path, state_dir
from codex_oauth.thin.streams import NoRequest, hold_numbers, read_request, stdout_alone, write_all, write_words
from codex_oauth.thin.wire import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from codex_oauth.thin.start import StartLock

__all__ = ("Request", "Unwritten", "leave", "run")

_START_PATIENCE = 10.0
"""Seconds to wait for a service that somebody else is starting. It takes half a second on an idle machine."""

_COLD_PATIENCE = 20.0
"""Seconds to wait for a place where many calls at once have an app-server of their own."""

_LOOK_AGAIN = 0.04
_INTERRUPTED = 130


class Unwritten(Exception):
    """The answer could not be written."""


class Request:
    """One request, as far as it has come.

    Attributes:
        words: The command line after the program's name.
        options: The same, parsed.
        variables: The environment.
        key: Whose service and whose launch record.
        state: The state folder.
        socket: The service's socket.
        began: When the process began with it, by `time.perf_counter()`.
        stdin: The command's input.
        out: The descriptor that the answer is written to.
        done: The exit status, once the answer is written.
        lock: Held where this request is the one to start the service.
    """

    __slots__ = ("began", "done", "key", "lock", "options", "out", "socket", "state", "stdin", "variables", "words")

    def __init__(
        self, words: list[str], options: dict[str, str], variables: Mapping[str, str], state: str, began: float
    ) -> None:
        self.words = words
        self.options = options
        self.variables = variables
        self.state = state
        self.began = began
        self.key = key_of(variables, options)
        self.socket = socket_path(variables, state, self.key)
        self.stdin = b""
        self.out = 1
        self.lock: StartLock | None = None
        self.done: int | None = None

    @property
    def host(self) -> str:
        """Whose request it is: a host's, or a shell's."""
        return self.options.get("host") or self.options.get("--host") or "shell"

    def write(self, answer: Answer) -> None:
        """Write what the command writes: the words first, since Claude Code counts a decision even if what follows
        goes wrong.

        Raises:
            Unwritten: It could not be written.
        """
        write_words(answer.stderr)
        try:
            write_all(self.out, answer.stdout)
            os.close(self.out)
        except OSError as error:
            raise Unwritten from error


def run(words: list[str]) -> int | None:
    """Answer a `hook` or a `classify --json`; the exit status.

    Returns:
        None where this is another command, or one that is not for this way: nothing has been read or written then.
    """
    began = time.perf_counter()
    options = parse(words)
    if options is None:
        return None
    environ = os.environ
    state = state_dir(environ)
    if state is None or not anchored(environ):
        return None
    is_hook = options["command"] == "hook"
    asks_stdin = is_hook or "--command" not in options
    if not is_hook and (os.isatty(2) or (asks_stdin and os.isatty(0))):
        return None  # somebody watches: with words on what goes on
    request = Request(words, options, environ, state, began)
    # Nothing here lives long enough to be collected, and imports make the collector look again and again.
    gc.disable()
    try:
        if not hold_numbers():
            write_words(b"codex-oauth: stdout is closed, so there is no place for an answer\n")
            return 1
        request.out = stdout_alone() if is_hook else 1
        return _in_any_case(request, asks_stdin=asks_stdin)
    except KeyboardInterrupt:
        write_words(b"interrupted\n")
        # A host's hook may not end in any other status: 2 would be a denial for Codex.
        return 1 if is_hook else _INTERRUPTED
    except Unwritten as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, BrokenPipeError):  # whoever read the output has gone
            write_words(f"codex-oauth: the output could not be written: {cause.strerror}\n".encode())
        return 1


def _in_any_case(request: Request, *, asks_stdin: bool) -> int:
    try:
        if asks_stdin:
            request.stdin = read_request()
        return _answered(request)
    except NoRequest as error:
        return _general(request, str(error))
    except Unwritten:
        raise
    except Exception as error:  # noqa: BLE001 - a traceback would tell a host nothing, and a failure is an answer too
        if request.done is not None:
            return request.done  # it was answered; what failed comes after that
        from codex_oauth.cli.judge import failed

        return failed(request, error)


def _answered(request: Request) -> int:
    until = time.monotonic() + _START_PATIENCE
    while True:
        launch = read_launch(launch_path(request.state, request.key))
        off = "off" in (request.variables.get("CODEX_OAUTH_SERVICE"), launch.service if launch else None)
        if off or len(request.stdin) > LARGEST:
            return _cold(request, launch, start=False)
        try:
            answer = ask(request.socket, request.key, request.words, request.stdin, request.variables)
        except NoService as error:
            if error.there:
                return _cold(request, launch, start=False)
        except Untrusted as error:
            write_words(f"codex-oauth: the warm service is not used: {error}\n".encode("utf-8", "backslashreplace"))
            return _cold(request, launch, start=False)
        except Late as error:
            from codex_oauth.cli.judge import late

            return late(request, error.seconds)
        else:
            request.write(answer)
            return answer.status
        from codex_oauth.thin.start import StartLock

        try:
            request.lock = request.lock or StartLock(request.socket)
            if request.lock.acquire():
                return _cold(request, launch, start=True)
        except (OSError, Untrusted):
            return _cold(request, launch, start=False)
        if time.monotonic() > until:
            return _cold(request, launch, start=False)
        time.sleep(_LOOK_AGAIN)


def _cold(request: Request, launch: Launch | None, *, start: bool) -> int:
    from codex_oauth.thin.start import ColdPlace

    try:
        patience = min(_COLD_PATIENCE, float(request.options.get("--timeout", _COLD_PATIENCE)))
        place = ColdPlace(f"{request.state}/run")
        # Since the request began: it may have waited for a service before that is gone now.
        if not place.take(time.monotonic() + patience - (time.perf_counter() - request.began)):
            from codex_oauth.cli.judge import late

            return late(request, patience)
    except OSError:
        # A state folder that cannot be written: whoever needs it says so.
        return _general(request, None, start=start)
    if launch is None or not launch.holds(request.variables):
        return _general(request, None, start=start)
    from codex_oauth.thin.child import spawn_app_server
    from codex_oauth.thin.greeting import greet

    try:
        started = spawn_app_server(launch, request.variables, place.descriptor)
    except (OSError, NotImplementedError):
        return _general(request, None, start=start)
    spawned = time.perf_counter()
    ahead = greet(started, launch_path(request.state, request.key), request.host)
    from codex_oauth.cli.judge import cold

    return cold(request, launch, started, ahead, spawned, start=start)


def _general(request: Request, why: str | None, *, start: bool = False) -> int:
    from codex_oauth.cli.judge import general

    return general(request, why, start=start)


def leave(status: int) -> None:
    """End the process at once: the interpreter's own goodbye takes milliseconds, and there is nothing left to say."""
    # A recorder may still have something to write, and is there only where one was asked for.
    recorder = sys.modules.get("codex_oauth.recorder.recorder")
    if recorder is not None:
        recorder.close_all()
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        try:
            if stream is not None:  # it was closed
                stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
