"""The one app-server that many calls share: started by the first, and replaced when it is not what it should be."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio
import anyio.abc
import anyio.lowlevel

from codex_oauth.errors import CodexOAuthError, ServerCrashedError
from codex_oauth.events import Observer
from codex_oauth.session import Server, Session, ignore, open_session

__all__ = ("MOST_MEMORY", "MOST_TURNS", "SharedSession", "resident")

MOST_TURNS: Final = 5000
"""Calls that one app-server serves. Its memory stays flat (164 MB after 3,000), and this is for what grows in a
version that nobody has measured."""

MOST_MEMORY: Final = 768 * 1024 * 1024
"""Bytes of resident memory after which it is replaced; 110 to 170 MB are usual, and images take more while they are
sent."""

_LOOK_EVERY: Final = 64
# Calls between two looks at its memory.

_REST: Final = 60.0
"""Seconds between two replacements that nothing but its memory asks for, or of which the first failed."""

_PAGE: Final = 4096


class SharedSession:
    """Keeps an app-server for the calls of one event loop, while `entered`.

    Args:
        most_turns: Calls after which it is replaced.
        most_memory: Bytes of memory after which it is.
    """

    def __init__(self, *, most_turns: int = MOST_TURNS, most_memory: int = MOST_MEMORY) -> None:
        self._most_turns = most_turns
        self._most_memory = most_memory
        self._tasks: anyio.abc.TaskGroup | None = None
        self._loop: object = None
        self._starting = anyio.Lock()
        self._replacing = False
        self._rests_until = 0.0
        self._session: Session | None = None
        self._account: str | None = None
        self._made_of: object = None

    @property
    def is_open(self) -> bool:
        """Whether it is entered, in this event loop.

        Calls of another loop, such as a thread's that calls while the block is being left, have an app-server each:
        what the block holds belongs to its loop.
        """
        return self._tasks is not None and self._loop == anyio.lowlevel.current_token()

    @asynccontextmanager
    async def entered(self) -> AsyncGenerator[None, None]:
        """Within it, all calls are served by one app-server, which the first of them starts."""
        if self._tasks is not None:
            raise RuntimeError("this object is in use as a context manager already")
        self._starting = anyio.Lock()  # of this event loop
        self._loop = anyio.lowlevel.current_token()
        self._replacing, self._rests_until = False, 0.0
        failure: BaseException | None = None
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                try:
                    yield
                finally:
                    self._tasks = self._session = self._loop = None
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The task that keeps the session lets nothing out: the one in the group is the caller's own. It is raised
            # outside, so that its cause and context stay what they were.
            failure = group.exceptions[0]
        if failure is not None:
            raise failure

    async def get(
        self, server: Server, observer: Observer, *, account: str | None, newest: bool = True
    ) -> tuple[Session, bool]:
        """The session, and whether it was there before; started if it is not, or no longer.

        Args:
            server: What to start. Once it is made of something else than the one that runs, such as another binary,
                calls go on with that one until the new one has started.
            observer: Told how it starts.
            account: Who is signed in: what an app-server has in memory is not what pays once that is somebody else.
            newest: Whether nothing newer than `server` is known; not for a call that has waited while it came.

        Raises:
            ServerCrashedError: The block is being left.
            CodexOAuthError: It did not start, as `open_session` says.
        """
        if (session := self._current(account)) is not None:
            if not self._replacing and self._is_worn(session, server, newest):
                self._replace_soon(server, account)
            return session, True
        async with self._starting:
            if (session := self._current(account)) is not None:
                return session, True
            if self._session is not None:
                self._session.retire()
            self._account, self._made_of = account, server.made_of
            self._session = session = await self._start(server, observer)
            return session, False

    def _current(self, account: str | None) -> Session | None:
        session = self._session
        return session if session is not None and session.usable and account == self._account else None

    async def _start(self, server: Server, observer: Observer) -> Session:
        if self._tasks is None:
            raise ServerCrashedError("the client was closed while the call began")
        try:
            return await self._tasks.start(self._keep, server, observer)
        except RuntimeError as error:
            # anyio's word for a task group that was left while the task began.
            raise ServerCrashedError("the client was closed while the call began") from error

    async def _keep(self, server: Server, observer: Observer, *, task_status: anyio.abc.TaskStatus[Session]) -> None:
        async with open_session(server, observer) as session:
            task_status.started(session)
            await session.wait_ended()

    # --- replacing ---------------------------------------------------------------------------------------------------

    def _is_worn(self, session: Session, server: Server, newest: bool) -> bool:
        changed = newest and server.made_of != self._made_of
        enough = session.turns >= self._most_turns
        if not (changed or enough or session.turns % _LOOK_EVERY == 0) or time.monotonic() < self._rests_until:
            return False
        return changed or enough or resident(session.pid) > self._most_memory

    def _replace_soon(self, server: Server, account: str | None) -> None:
        if self._tasks is not None:
            self._replacing = True
            self._tasks.start_soon(self._replace, replace(server, meanwhile=None), account)

    async def _replace(self, server: Server, account: str | None) -> None:
        self._rests_until = time.monotonic() + _REST
        try:
            async with self._starting:
                old = self._current(account)
                if old is None:
                    return  # somebody else signed in meanwhile, or it ended
                self._session = await self._start(server, ignore)
                self._made_of = server.made_of
                old.retire()
        except CodexOAuthError:
            pass  # the one that runs goes on; whatever is wrong, a call that needs another will say so
        finally:
            self._replacing = False


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
