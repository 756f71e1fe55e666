"""What runs a client's command: the same steps as in a process of its own, around one question to the model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from anyio import CapacityLimiter

from codex_oauth.errors import ServerCrashedError
from codex_oauth.gate.command import Finished, command_of
from codex_oauth.gate.flights import Flights
from codex_oauth.gate.hook import ask
from codex_oauth.server.connection import Refused
from codex_oauth.thin.options import parse

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.gate.settling import Question
    from codex_oauth.server.calls import Caller, Promise, Run
    from codex_oauth.types import Reply

__all__ = ("commands",)

T = TypeVar("T")

_THREADS: Final = 32
"""Threads for what blocks: policy files, the repository, the transcript, the metrics. They take turns for most of it,
but one that waits for a file system that hangs keeps the others from nothing."""

_LARGE: Final = 32 * 1024
_LARGE_THREADS: Final = 2
# Bytes of input that take 30 ms to look through for secrets, and how many such calls are looked through at once: the
# small ones that come meanwhile have the interpreter for most of the time.

_LEAST: Final = 1.0
"""Seconds that are too few to ask again in."""

_NOTICEABLE: Final = 0.1
"""Seconds after which the time that the client was told first is not right any more."""


@asynccontextmanager
async def commands() -> AsyncGenerator[Run]:
    """What runs commands, within the block. Clients that ask the same at the same moment share one call."""
    small, large = CapacityLimiter(_THREADS), CapacityLimiter(_LARGE_THREADS)

    async def in_thread(work: Callable[[], T], limiter: CapacityLimiter = small) -> T:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)

    async with Flights() as flights:

        async def run(words: list[str], stdin: bytes, caller: Caller, codex: AsyncCodex, promise: Promise) -> Finished:
            options = parse(words)
            if options is None:
                raise Refused(HTTPStatus.BAD_REQUEST, "not a command for the service")
            settings = replace(codex.settings, project=caller.project)
            command = command_of(options, stdin=stdin, cwd=caller.cwd, settings=settings, served="service")
            began = anyio.current_time()
            size = len(stdin) + sum(map(len, words))
            asked = await in_thread(command.question, large if size > _LARGE else small)
            if isinstance(asked, Finished):
                return asked
            seconds = asked.timeout or settings.timeout
            if seconds != settings.timeout or anyio.current_time() - began > _NOTICEABLE:
                await promise(seconds)
            try:
                reply, shared = await _asked(asked, codex, flights)
            except Exception as error:  # noqa: BLE001 - a failure is an answer too, and never an allow
                return await in_thread(partial(command.without, error))
            return await in_thread(partial(command.answer, reply, shared=shared))

        yield run


async def _asked(asked: Question, codex: AsyncCodex, flights: Flights) -> tuple[Reply[Any], bool]:
    began = anyio.current_time()
    try:
        return await ask(asked, codex, flights)
    except ServerCrashedError:
        left = (asked.timeout or codex.settings.timeout) - (anyio.current_time() - began)
        if left < _LEAST:
            raise
        # A question changes nothing, so it may be asked twice; with a process of its own, a client would have another.
        return await ask(replace(asked, timeout=left), codex, flights)
