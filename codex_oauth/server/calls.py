"""The commands that run: how many there may be, what each gets, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import anyio

from codex_oauth.server.connection import Connection, Refused

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.gate.command import Finished

__all__ = ("AT_ONCE", "MOST_BYTES", "MOST_CALLS", "Caller", "Calls", "Promise", "Run")

AT_ONCE: Final = 64
"""Turns at once: what an app-server is given by `AsyncCodex` too. The others wait within their own deadlines."""

MOST_CALLS: Final = 512
"""Calls that run or wait. One more is answered with "busy", and its client goes its own way."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes that all of them may have sent together."""

_GRACE: Final = 0.5
"""Seconds past the promised time after which a call is cut off. Its client waits for one; a command keeps its deadline
by itself, but for a file system that hangs."""

Promise = Callable[[float], Awaitable[None]]
"""Tells the client, in seconds from now, how long the answer may take."""


class Caller(NamedTuple):
    """What a command has of its client's surroundings.

    Attributes:
        cwd: Its folder.
        project: The folder that Claude Code was started in; None where it did not say.
    """

    cwd: str
    project: str | None


class Run(Protocol):
    """Runs a command for a client: in its folder, with its input, on the service's app-server.

    It raises `Refused` for a command line that is not for the service, and nothing else but cancellation: a failure is
    something that a command would have written too. Work that blocks for longer than a moment is done in threads.
    """

    async def __call__(
        self, words: list[str], stdin: bytes, caller: Caller, codex: AsyncCodex, promise: Promise
    ) -> Finished: ...


class Calls:
    """Counts the calls, and ends those whose client has left.

    Attributes:
        done: How many have ended.
        running: How many have not, those that wait for their turn included.
        cut: How many were given up: by their clients, or at their deadlines.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._bytes = 0
        self._quiet = anyio.Event()
        self._quiet.set()
        self.done = 0
        self.running = 0
        self.cut = 0
        self.last = time.monotonic()
        """When one began or ended last."""

    async def call(
        self, words: list[str], stdin: bytes, caller: Caller, codex: AsyncCodex, connection: Connection, patience: float
    ) -> Finished | None:
        """Run a command; None if its client has left.

        Args:
            words: Its command line.
            stdin: Its input.
            caller: Its surroundings.
            codex: What serves it.
            connection: Its client.
            patience: Seconds that the client is told at first; the command may tell it another number.

        Raises:
            Refused: It is none for the service, there is too much to do, or it took longer than promised.
        """
        if self.running >= MOST_CALLS or self._bytes + len(stdin) > MOST_BYTES:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "busy", {"retry-after": "1"})
        self.running += 1
        self._bytes += len(stdin)
        if self._quiet.is_set():
            self._quiet = anyio.Event()
        try:
            return await self._watched(words, stdin, caller, codex, connection, patience)
        finally:
            self.running -= 1
            self._bytes -= len(stdin)
            self.done += 1
            self.last = time.monotonic()
            if not self.running:
                self._quiet.set()

    async def _watched(
        self, words: list[str], stdin: bytes, caller: Caller, codex: AsyncCodex, connection: Connection, patience: float
    ) -> Finished | None:
        finished: Finished | None = None
        failure: Exception | None = None
        left = False
        async with anyio.create_task_group() as tasks:
            scope = tasks.cancel_scope

            async def promise(seconds: float) -> None:
                scope.deadline = anyio.current_time() + seconds + _GRACE
                await connection.inform(HTTPStatus.PROCESSING, {"x-deadline": f"{seconds:.3f}"})

            async def watch() -> None:
                nonlocal left
                await connection.gone()
                left = True
                scope.cancel()

            await promise(patience)
            tasks.start_soon(watch)
            try:
                finished = await self._run(words, stdin, caller, codex, promise)
            except Exception as error:  # noqa: BLE001 - raised again outside, where it is not in a group
                failure = error
            scope.cancel()
        if failure is not None:
            raise failure
        if finished is None:
            self.cut += 1
            if not left:
                raise Refused(HTTPStatus.GATEWAY_TIMEOUT, "the time was up")
        return finished

    async def ended(self) -> None:
        """Wait until none runs."""
        await self._quiet.wait()
