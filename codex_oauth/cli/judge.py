"""`hook` and `classify --json` where the service does not answer them: cold by the launch record, or the general way.

Nothing heavy is imported before the app-server runs, and no event loop at all on the cold way.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codex_oauth.cold.call import ColdCall, NotBegun
from codex_oauth.errors import ConfigurationError, DeadlineExceededError
from codex_oauth.gate.command import Command, Finished, broken, command_of, settings_of
from codex_oauth.gate.verdict import REPLY_SCHEMA
from codex_oauth.thin.ask import Answer
from codex_oauth.thin.child import KILL_GRACE, spawn_watchdog
from codex_oauth.thin.greeting import thread_path
from codex_oauth.thin.place import here, launch_path, write_own

if TYPE_CHECKING:
    from codex_oauth.cli.request import Request
    from codex_oauth.config import Settings
    from codex_oauth.gate.settling import Question
    from codex_oauth.thin.child import Started
    from codex_oauth.thin.launch import Launch

__all__ = ("cold", "failed", "general", "late")

_LEAST = 1.0
"""Seconds that a call has left at least which begins anew after another way has failed."""


def cold(request: Request, launch: Launch, started: Started, ahead: bytes, spawned: float, *, start: bool) -> int:
    """Answer with an app-server that has been started and greeted; the exit status.

    Args:
        request: The request.
        launch: What the app-server was started by.
        started: The app-server.
        ahead: The line that asked for a thread.
        spawned: When it was started, by `time.perf_counter()`.
        start: Whether to start the service when all is done.
    """
    guard = _Guard(started)
    try:
        return _cold(request, launch, started, ahead, spawned, guard, start=start)
    finally:
        guard.stand()


class _Guard:
    """The shell that ends the app-server if it does not end by itself: started when there is time, and at the latest
    before this process goes. Until then the app-server sees the end of its input, which is enough for one that does
    not hang."""

    def __init__(self, started: Started) -> None:
        self._pid = started.pid
        self._stands = False

    def stand(self) -> None:
        """Start it, once."""
        if not self._stands:
            self._stands = True
            with suppress(OSError, NotImplementedError):
                spawn_watchdog(self._pid, KILL_GRACE)


def _ready_for_the_reply(guard: _Guard) -> None:
    """What is to be done before a reply can be taken, done while codex starts: it takes longer than all of it."""
    import codex_oauth.cold.turn
    import codex_oauth.metrics

    _ = codex_oauth.cold.turn, codex_oauth.metrics
    guard.stand()


def _cold(
    request: Request, launch: Launch, started: Started, ahead: bytes, spawned: float, guard: _Guard, *, start: bool
) -> int:
    begun = _begun(request, start=start)
    if isinstance(begun, int):
        return begun
    command, asked, settings = begun
    call = ColdCall(settings, launch, started, ahead, request.began, spawned)
    try:
        reply = call.complete(
            asked.text,
            instructions=asked.instructions,
            schema=REPLY_SCHEMA,
            parse=_parsed,
            model=asked.model,
            effort=asked.effort,
            timeout=asked.timeout,
            meanwhile=lambda: _ready_for_the_reply(guard),
        )
    except NotBegun:
        guard.stand()
        return _general(request, command, asked, settings, start=start)
    except Exception as error:  # noqa: BLE001 - a failure is an answer too, and never an allow
        if not call.begun:
            # Whatever did not answer, the next call starts it the general way.
            with suppress(OSError):
                Path(launch_path(request.state, request.key)).unlink()
        return _done(request, command.without(error), settings, start=start)
    status = _done(request, command.answer(reply), settings, start=start)
    if call.next_ahead is not None:
        # Other rules than the last time: the next call has these, most likely.
        with suppress(OSError):
            write_own(thread_path(launch_path(request.state, request.key), request.host), call.next_ahead)
    return status


def general(request: Request, why: str | None, *, start: bool) -> int:
    """Answer by the public client, and write the launch record for the next call; the exit status.

    Args:
        request: The request.
        why: Why there is no request to answer; None where there is one.
        start: Whether to start the service when all is done.
    """
    if why is not None:
        return _done(request, broken(request.options, ConfigurationError(why), "input"), None, start=start)
    begun = _begun(request, start=start)
    if isinstance(begun, int):
        return begun
    command, asked, settings = begun
    return _general(request, command, asked, settings, start=start)


def failed(request: Request, error: Exception) -> int:
    """Something went wrong that has no answer of its own; the exit status."""
    return _done(request, broken(request.options, error), None, start=False)


def late(request: Request, seconds: float) -> int:
    """There was no answer in time; the exit status."""
    begun = _begun(request, start=False)
    if isinstance(begun, int):
        return begun
    # Begun for the policy's word on failures.
    command, _, settings = begun
    return _done(
        request, command.without(DeadlineExceededError(f"no reply within {seconds:g} s")), settings, start=False
    )


def _begun(request: Request, *, start: bool) -> tuple[Command, Question, Settings] | int:
    """The command and what the model is asked; the exit status where there is no more to do."""
    try:
        settings = settings_of(request.options, request.variables)
        command = _command(request, settings)
    except Exception as error:  # noqa: BLE001 - a traceback would tell a host nothing
        return _done(request, broken(request.options, error), None, start=False)
    asked = command.question()
    return _done(request, asked, settings, start=start) if isinstance(asked, Finished) else (command, asked, settings)


def _command(request: Request, settings: Settings) -> Command:
    cwd, options = here(), request.options
    if not cwd and "--command" in options and "--cwd" not in options:
        raise ConfigurationError("the folder that this runs in is gone; give --cwd DIR")
    return command_of(options, stdin=request.stdin, cwd=cwd, settings=settings, began=request.began)


def _general(request: Request, command: Command, asked: Question, settings: Settings, *, start: bool) -> int:
    import anyio

    from codex_oauth.client import AsyncCodex
    from codex_oauth.cold.record import remember
    from codex_oauth.session.request import TurnRequest

    async def call() -> int:
        left = (asked.timeout or settings.timeout) - (time.perf_counter() - request.began)
        try:
            reply = await AsyncCodex(settings=settings).complete(
                asked.text,
                instructions=asked.instructions,
                output=REPLY_SCHEMA,
                model=asked.model,
                effort=asked.effort,
                timeout=max(left, _LEAST),
                label=None,
            )
        except Exception as error:  # noqa: BLE001 - a failure is an answer too, and never an allow
            return _written(request, command.without(error))
        status = _written(request, command.answer(reply))
        record = launch_path(request.state, request.key)
        turn = TurnRequest(text="", instructions=asked.instructions, effort=asked.effort)
        await remember(settings, record, thread_path(record, request.host), asked.model, turn)
        return status

    status = anyio.run(call)
    _start(request, settings, start=start)
    return status


def _parsed(text: str) -> Any:
    with suppress(ValueError, TypeError, RecursionError):
        # A tuple, which no array becomes: one of pairs is no object.
        reply: object = json.loads(text, object_pairs_hook=tuple)
        pairs = cast("tuple[tuple[str, Any], ...]", reply) if isinstance(reply, tuple) else ()
        value = dict(pairs)
        choices = REPLY_SCHEMA["properties"]["behavior"]["enum"]
        wanted = REPLY_SCHEMA["required"]
        fits = len(pairs) == len(wanted) and all(isinstance(value.get(name), str) for name in wanted)
        if fits and value["behavior"] in choices:
            return value
    # What is wrong with it, and whether anything is after all, the schema says.
    from codex_oauth.schema import output_spec

    return output_spec(REPLY_SCHEMA).parse(text)


def _done(request: Request, finished: Finished, settings: Settings | None, *, start: bool) -> int:
    status = _written(request, finished)
    if settings is not None:
        _start(request, settings, start=start)
    return status


def _written(request: Request, finished: Finished) -> int:
    request.write(Answer(finished.stdout, finished.stderr, finished.status))
    request.done = finished.status
    return finished.status


def _start(request: Request, settings: Settings, *, start: bool) -> None:
    if not start or settings.service == "off" or not sys.executable:
        return
    from codex_oauth.thin.start import start_service

    assert request.lock is not None
    with suppress(OSError, NotImplementedError):
        start_service(request.lock, request.options, request.variables)
