"""Where sessions come from: the binary, the home, and either an app-server per call or a shared one."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import anyio.lowlevel

from codex_oauth.config import Settings
from codex_oauth.errors import ServerCrashedError
from codex_oauth.events import Observer
from codex_oauth.home import (
    Home,
    foreign_home,
    holds_plan_sign_in,
    prepare_home,
    ready_home,
    sign_in_command,
    work_dir,
)
from codex_oauth.process import Binary, app_server_command, find_binary
from codex_oauth.session import Server, Session, TurnRequest, ignore, open_session
from codex_oauth.types import Account, Model

__all__ = ("ServerProcess",)


class ServerProcess:
    """Makes app-servers on the settings' home, and keeps one while `shared` is entered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warned = settings.managed
        self._tasks: anyio.abc.TaskGroup | None = None
        self._session: Session | None = None
        self._loop: object = None
        self._starting = anyio.Lock()

    @property
    def settings(self) -> Settings:
        """What it works with."""
        return self._settings

    @property
    def is_shared(self) -> bool:
        """Whether calls of this event loop share one app-server.

        Those of another loop, such as a thread's that calls while the block is being left, have one each: what the
        block holds belongs to its loop.
        """
        return self._tasks is not None and self._loop == anyio.lowlevel.current_token()

    def warnings(self) -> tuple[str, ...]:
        """What a home of the user's own lacks: the first time it is asked, and nothing from then on.

        Raises:
            ConfigurationError: There is no such home.
        """
        if self._warned:
            return ()
        self._warned = True
        _, lacks = foreign_home(self._settings.home)
        return lacks

    @asynccontextmanager
    async def shared(self) -> AsyncGenerator[None, None]:
        """Within it, all calls are served by one app-server, which the first of them starts."""
        if self._tasks is not None:
            raise RuntimeError("this object is in use as a context manager already")
        self._starting = anyio.Lock()  # of this event loop
        self._loop = anyio.lowlevel.current_token()
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

    async def ready(self) -> tuple[Binary, Home]:
        """The binary, and the home made ready for it.

        Raises:
            CodexNotFoundError, UnsupportedCodexError: There is no usable binary.
            ConfigurationError: The home cannot be used.
        """
        settings = self._settings
        binary = find_binary(settings)
        if not settings.managed:
            home, _ = foreign_home(settings.home)
            work_dir(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
            return binary, home
        home = ready_home(settings, binary)
        if home is None:
            # A first start: half a second of other processes, or a wait for somebody else's.
            home = await self._prepare(binary)
        return binary, home

    async def _prepare(self, binary: Binary) -> Home:
        given_up = threading.Event()
        try:
            return await anyio.to_thread.run_sync(
                prepare_home, self._settings, binary, given_up.is_set, abandon_on_cancel=True
            )
        except BaseException:
            # The thread is told, or this program could not end before it has waited for its lock.
            given_up.set()
            raise

    def server(
        self, binary: Binary, first: TurnRequest | None = None, meanwhile: Callable[[], None] | None = None
    ) -> Server:
        """What to start for a call."""
        settings = self._settings
        return Server(
            command=app_server_command(
                codex=binary.path, home=settings.home, inherited=settings.inherited, cwd=work_dir(settings)
            ),
            sign_in=sign_in_command(settings.home, binary.path),
            signed_in=holds_plan_sign_in(settings.home),
            first=first,
            meanwhile=meanwhile,
        )

    async def shared_session(self, server: Server, observer: Observer) -> tuple[Session, bool]:
        """The shared session, and whether it was there before; started if it is not, or no longer."""
        async with self._starting:
            if self._tasks is None:
                raise ServerCrashedError("the client was closed while the call began")
            if self._session is not None:
                if self._session.usable:
                    return self._session, True
                self._session.retire()
            try:
                session: Session = await self._tasks.start(self._keep, server, observer)
            except RuntimeError as error:
                # anyio's word for a task group that was left while the task began.
                raise ServerCrashedError("the client was closed while the call began") from error
            self._session = session
            return session, False

    async def _keep(self, server: Server, observer: Observer, *, task_status: anyio.abc.TaskStatus[Session]) -> None:
        async with open_session(server, observer) as session:
            task_status.started(session)
            await session.wait_ended()

    async def models(self) -> tuple[Model, ...]:
        """What `model/list` answers."""
        binary, home = await self.ready()
        if home.models:
            return home.models
        async with open_session(self.server(binary)) as session:
            return await session.models()

    async def account(self) -> Account:
        """Who would pay."""
        binary, _ = await self.ready()
        if self.is_shared:
            session, _ = await self.shared_session(self.server(binary), ignore)
            return session.account
        async with open_session(self.server(binary)) as session:
            return session.account
