"""One call's use of an app-server, with the policies that apply within its deadline."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import Any

from codex_oauth.errors import (
    InvalidRequestError,
    ReauthenticationRequired,
    RpcError,
    ServerBusyError,
    ServerCrashedError,
    TurnInterruptedError,
    UpstreamHTTPError,
)
from codex_oauth.events import Event, PhaseReached, ResponseCompleted, ToolCallReceived
from codex_oauth.models import choose_effort, choose_model
from codex_oauth.policy import Concurrency, Places, Retry, Runner, StructuredOutput
from codex_oauth.records import replace
from codex_oauth.schema import OutputSpec
from codex_oauth.server_process import ServerProcess
from codex_oauth.session import Server, Session, Thread, TurnRequest, TurnResult, open_session
from codex_oauth.trace import CallTrace
from codex_oauth.types import Model

__all__ = ("Kept", "Lease")


class Kept:
    """Where a conversation lives between its turns: a thread, and the session that it is on. Neither may be there."""

    __slots__ = ("session", "thread")

    def __init__(self) -> None:
        self.session: Session | None = None
        self.thread: Thread | None = None

    def drop(self) -> None:
        """Let go of the thread: the next turn has another one."""
        if self.session is not None and self.thread is not None and not self.session.dispatcher.closed:
            self.session.release(self.thread)
        self.session = self.thread = None


class Lease:
    """A `Runner` for one call: everything it starts for itself has ended when `run` returns.

    Args:
        process: What starts app-servers.
        places: How many turns may run at once.
        trace: The call's record.
        output: What is wanted.
        kept: A thread to go on with, and where the call's own is kept; None to let go of it. Only on a shared
            app-server.
    """

    def __init__(
        self,
        process: ServerProcess,
        places: Places,
        trace: CallTrace,
        output: OutputSpec[Any],
        kept: Kept | None = None,
    ) -> None:
        self._process = process
        self._places = places
        self._trace = trace
        self._output = output
        self._kept = kept

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run the call on a session of its own, or on the shared one."""
        binary, home = await self._process.ready()
        preference = self._process.settings.model_preference
        if home.models:
            request = self._with_model(request, choose_model(home.models, request.model, preference))
        async with AsyncExitStack() as stack:
            first = request if home.models else None
            server = await self._process.server(binary, first, self._output.preload, home)
            turns = _Turns(self._process, server, stack, self._trace, self._kept)
            if not home.models:
                session = await turns.session(request)
                request = self._with_model(request, choose_model(await session.models(), request.model, preference))
            retry = Retry(turns, on_busy=self._places.refused)
            chain: Runner = StructuredOutput(Concurrency(retry, self._places), self._output)
            return await chain.run(request)

    def _with_model(self, request: TurnRequest, model: Model) -> TurnRequest:
        effort = choose_effort(model, request.effort)
        self._trace.effort = effort
        self._trace.model = model.id
        return replace(request, model=model.id, effort=effort)


class _Turns:
    """The innermost runner: gets a session, and another one if that has ended."""

    def __init__(
        self, process: ServerProcess, server: Server, stack: AsyncExitStack, trace: CallTrace, kept: Kept | None
    ) -> None:
        self._process = process
        self._server = server
        self._stack = stack
        self._trace = trace
        self._kept = kept
        self._session: Session | None = None

    async def run(self, request: TurnRequest) -> TurnResult:
        if request.thread is not None and (self._session is None or self._session.dispatcher.closed):
            raise ServerCrashedError("the app-server ended between a reply and its repair")
        session = await self.session(request)
        answered = False

        def observe(event: Event) -> None:
            nonlocal answered
            answered = answered or isinstance(event, ResponseCompleted | ToolCallReceived)
            request.observer(event)

        try:
            result = await self._run_on(session, replace(request, observer=observe))
        except (InvalidRequestError, UpstreamHTTPError):
            # It may be the way without WebSockets that the service does not take.
            self._process.network.forget()
            raise
        except ReauthenticationRequired as error:
            await self._process.refused(error, self._server)
            # Somebody else has refreshed in that very moment, and this process sent the used token.
            session.retire()
            if request.thread is not None:
                raise
            if answered:
                raise TurnInterruptedError(
                    "another program refreshed the sign-in in the middle of the turn, after tools had been called"
                ) from None
            # Nothing was begun: the service refused it at the door.
            session = await self.session(request)
            result = await session.run(request)
        if self._kept is not None:
            self._kept.session, self._kept.thread = session, result.thread
        elif self._process.is_shared and request.thread is None:
            # Kept until the call ends, since a repair goes on with it.
            self._stack.callback(session.release, result.thread)
        return result

    async def _run_on(self, session: Session, request: TurnRequest) -> TurnResult:
        """Run it on the thread that is kept, if that still lives: what was said before is on it then."""
        kept = self._kept
        if kept is not None and request.thread is None and kept.thread is not None:
            if kept.session is session:
                # `turn/start` goes out at once: what fails from here on may have been paid for.
                request.observer(PhaseReached("thread", time.perf_counter(), model=kept.thread.model))
                try:
                    return await session.run(replace(request, thread=kept.thread, items=()))
                except ServerBusyError:
                    raise
                except RpcError:
                    pass  # refused, so there was no turn; another thread takes it
            kept.drop()
        return await session.run(request)

    async def session(self, request: TurnRequest) -> Session:
        """The call's session. One that is retired serves a repair, and no new turn."""
        if self._session is None or (request.thread is None and not self._session.usable):
            try:
                self._session = await self._open(request)
            except ReauthenticationRequired as error:
                await self._process.refused(error, self._server)
                self._session = await self._open(request)
            self._trace.account = self._session.account
            self._trace.codex_version = self._session.codex_version
        return self._session

    async def _open(self, request: TurnRequest) -> Session:
        if not self._process.is_shared:
            return await self._stack.enter_async_context(open_session(self._server, request.observer))
        session, self._trace.warm = await self._process.shared_session(self._server, request.observer)
        return self._stack.enter_context(session.used())
