"""What is looked at while turns run: sign-ins that are refreshed for ever, turns that do not stop, and time to prepare
the next ones."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc

from codex_oauth.errors import CodexOAuthError, CredentialRejectedError
from codex_oauth.session.storm import INTERVAL, RefreshStorm

if TYPE_CHECKING:
    from codex_oauth.jsonrpc import Dispatcher
    from codex_oauth.session.router import Router
    from codex_oauth.session.spares import Spares

__all__ = ("SILENCE", "Watch")

SILENCE: Final = 0.25
"""Seconds without a word, while a thread is asked for, after which another process serves the next call; 5 ms is
usual."""

_STUCK: Final = 5.0
"""Seconds that an interrupted turn may take to end before its process is given up. 6 ms were measured."""

_REST_AFTER: Final = 2.0
"""Seconds without a call after which the watch rests, and the last call gets a successor. A watch of its own for each
call would cost each a task."""


class Watch:
    """Looks after the turns of one app-server.

    Args:
        dispatcher: The connection.
        router: Where its notifications go.
        tasks: Where to look from.
        auth_file: The sign-in's file, which codex rewrites with every refresh.
        sign_in: The command that signs in, for the message.
        spares: The threads that wait for a call; None to have none.
        release: Lets go of a thread.
        give_up: Ends the app-server; with the reason where it would not be seen otherwise.

    Attributes:
        suspects: Threads whose turn was told to stop and has not; "" for an app-server that says nothing.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        router: Router,
        tasks: anyio.abc.TaskGroup,
        *,
        auth_file: Path | None,
        sign_in: str,
        spares: Spares | None,
        release: Callable[[str], None],
        give_up: Callable[[CodexOAuthError | None], Awaitable[None]],
    ) -> None:
        self.suspects: set[str] = set()
        self._dispatcher = dispatcher
        self._router = router
        self._tasks = tasks
        self._auth_file = auth_file
        self._sign_in = sign_in
        self._spares = spares
        self._release = release
        self._give_up = give_up
        self._storm: RefreshStorm | None = None
        self._running = 0
        self._looking = False
        self._tending = False

    def begin(self) -> None:
        """A turn begins."""
        self._running += 1
        if not self._looking and (self._auth_file is not None or self._spares is not None):
            self._looking = True
            self._tasks.start_soon(self._look)

    def end(self) -> None:
        """It has ended."""
        self._running -= 1

    def suspect(self, thread_id: str) -> None:
        """A turn was told to stop and has not said that it did: give it a little longer, then end the process."""
        self.suspects.add(thread_id)
        self._tasks.start_soon(self._end_if_stuck, thread_id)

    def silent(self, asked: float) -> None:
        """A caller has stopped waiting for what it asked for then: without a word since, the process may be stuck."""
        heard = self._dispatcher.heard
        if time.perf_counter() - max(asked, heard) > SILENCE:
            self.suspects.add("")
            self._tasks.start_soon(self._end_if_silent, heard)

    async def _end_if_stuck(self, thread_id: str) -> None:
        with self._router.open(thread_id) as route, anyio.move_on_after(_STUCK):
            try:
                while (await route.next()).method != "turn/completed":
                    pass
            except CodexOAuthError:
                pass
            self.suspects.discard(thread_id)
            self._release(thread_id)
            return
        await self._give_up(None)

    async def _end_if_silent(self, heard: float) -> None:
        with anyio.move_on_after(_STUCK):
            # Looked at now and then: an event for each line would cost every call, and this is rare.
            while self._dispatcher.heard == heard and not self._dispatcher.closed:  # noqa: ASYNC110
                await anyio.sleep(SILENCE / 4)
            self.suspects.discard("")
            return
        await self._give_up(None)

    async def _look(self) -> None:
        # There is no word of a storm on the connection, and the file has no event that every system has.
        self._storm = storm = RefreshStorm(self._auth_file) if self._auth_file is not None else None
        spares, idle = self._spares, 0.0
        while (idle < _REST_AFTER or (spares is not None and spares.busy)) and not self._dispatcher.closed:
            await anyio.sleep(INTERVAL)
            # A turn that was given up may go on with it.
            idle = 0.0 if self._running or self.suspects else idle + INTERVAL
            if storm is not None and storm.look():
                await self._give_up(
                    CredentialRejectedError(
                        "the service refuses every token that codex gets for this sign-in, and codex goes on "
                        f"refreshing; it was stopped. If that lasts, sign in again: {self._sign_in}",
                        http_status=401,
                    )
                )
            elif spares is not None and (not idle or idle >= _REST_AFTER):
                # While the model thinks, the app-server has time too.
                spares.fill(idle=idle > 0)
        self._looking = False
        if spares is not None and not self._tending and not self._dispatcher.closed:
            self._tending = True
            self._tasks.start_soon(self._tend, spares)

    @property
    def calm(self) -> bool:
        """Whether nothing is amiss with the sign-in."""
        return self._storm is None or self._storm.calm

    async def _tend(self, spares: Spares) -> None:
        while (seconds := spares.drop_old()) is not None:  # noqa: ASYNC110 - there is no event but the time
            await anyio.sleep(seconds)
        self._tending = False
