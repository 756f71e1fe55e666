"""A typed conversation with one app-server: handshake, account, threads, turns."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import anyio.abc
import anyio.lowlevel

from codex_oauth import errors
from codex_oauth.errors import CodexOAuthError, ProtocolError, RpcError, ServerBusyError
from codex_oauth.events import Observer, PhaseReached
from codex_oauth.jsonrpc import Dispatcher, PendingResponse, crashed
from codex_oauth.process import Child, spawn
from codex_oauth.protocol import (
    ACCOUNT_LOGIN_START,
    ACCOUNT_READ,
    CHATGPT_AUTH_TOKENS_REFRESH,
    INITIALIZE,
    INITIALIZED,
    THREAD_UNSUBSCRIBE,
    TOOL_CALL,
)
from codex_oauth.session.failures import RateLimits, account_failure, refresh_refusal, refused_sign_in
from codex_oauth.session.gate import read_account, require_wallet
from codex_oauth.session.limits import read_limits
from codex_oauth.session.listing import list_models
from codex_oauth.session.params import FELL_BACK
from codex_oauth.session.replies import decline
from codex_oauth.session.request import Thread, TurnRequest, TurnResult, ignore
from codex_oauth.session.router import Router
from codex_oauth.session.server import Server, initialize_params, thread_params
from codex_oauth.session.spares import Spares, send_thread_start
from codex_oauth.session.storm import state_of
from codex_oauth.session.storm_end import end_storm
from codex_oauth.session.tool_calls import ToolCalls
from codex_oauth.session.turn import run_turn
from codex_oauth.session.watch import Watch
from codex_oauth.transport import StdioTransport
from codex_oauth.types import Account, Limits, Model

if TYPE_CHECKING:
    from codex_oauth.protocol import GetAccountResponse, ThreadStartResponse

__all__ = ("Session", "open_session")

STOP_PATIENCE: Final = 0.3
"""Seconds to wait for an app-server to end. It takes 20 to 40 ms, unless a token refresh is in flight or it hangs; a
watchdog then gives it the time that it may need, and the caller goes on."""

_ANSWER_PATIENCE: Final = 0.02  # Seconds in which a line that is to be written is written.


class Session:
    """A running app-server that has said who it is and who pays. Made by `open_session`.

    Attributes:
        account: Who pays.
        codex_version: The version that the app-server gave for itself.
        limits: The last rate-limit snapshot.
        turns: How many calls it has served, or serves.
        pid: Its process.
        sign_in: The command that signs in on its home.
    """

    def __init__(self, server: Server, child: Child, tasks: anyio.abc.TaskGroup) -> None:
        self.sign_in = server.sign_in
        self.turns = 0
        self.pid = child.pid
        self._server = server
        self._child = child
        self._tasks = tasks
        self._ahead: tuple[Mapping[str, Any], PendingResponse[ThreadStartResponse]] | None = None
        self._ended = anyio.Event()
        self._users = 0
        self._retired = False
        self._fault: CodexOAuthError | None = None
        self._began_with = state_of(server.auth_file)
        self.tool_calls = ToolCalls()
        self.router = Router()
        self.dispatcher = Dispatcher(
            StdioTransport(child), on_notification=self._notified, on_request=self._asked, on_end=self._connection_ended
        )
        self._spares = Spares(self.dispatcher, partial(thread_params, server), lambda: self._watch.calm)
        self._watch = Watch(
            self.dispatcher,
            self.router,
            tasks,
            auth_file=server.auth_file,
            sign_in=server.sign_in,
            spares=self._spares if self._has_spares else None,
            release=self._unsubscribe,
            give_up=self._give_up,
        )
        self.account = Account(kind="unknown")
        self.codex_version: str | None = None
        self.limits = RateLimits()

    @property
    def usable(self) -> bool:
        """Whether another call may begin on it: it runs, is not retired, and no turn of it refuses to stop."""
        return not self.dispatcher.closed and not self._retired and not self._watch.suspects

    @property
    def _has_spares(self) -> bool:
        # Only where one can be asked for before the account is known, which is checked once for all of them.
        return self._server.spares and self._server.ahead

    async def wait_ended(self) -> None:
        """Wait until it is gone, or is retired and unused."""
        await self._ended.wait()

    async def handshake(self, observer: Observer, *, gate: bool = True) -> None:
        """Say hello, and find out who pays. What can be asked at once is.

        Args:
            observer: Told when each is done.
            gate: Whether the account matters; not for a sign-in, which is about to change it.

        Raises:
            AccountError: The wanted account would not pay.
            RpcError, ProtocolError, ServerCrashedError: The app-server cannot be talked to.
        """
        server, dispatcher = self._server, self.dispatcher
        hello = dispatcher.send(INITIALIZE, initialize_params())
        dispatcher.notify(INITIALIZED)
        if server.tokens is not None and gate:
            # In memory only: the app-server writes nothing of it.
            await dispatcher.request(
                ACCOUNT_LOGIN_START, {"type": "chatgptAuthTokens", **await server.tokens.current()}
            )
        who = dispatcher.send(ACCOUNT_READ, {}) if gate else None
        if server.first is not None and server.ahead:
            # Only with a sign-in: starting a thread opens a connection to the model's service.
            params = thread_params(server, server.first)
            self._ahead = (params, send_thread_start(self.dispatcher, params))
        if server.meanwhile is not None:
            await anyio.lowlevel.checkpoint()  # what was sent goes out first
            server.meanwhile()
        agent = (await hello.result())["userAgent"]
        self.codex_version = agent.split("/", 1)[-1].split(" ", 1)[0] or None
        observer(PhaseReached("initialize", time.perf_counter(), codex_version=self.codex_version))
        if who is not None:
            self.account = await self._who_pays(who)
            observer(PhaseReached("account", time.perf_counter(), account=self.account))

    async def read_account(self, *, refresh: bool = False) -> Account:
        """Ask again who pays, after a sign-in, or to have the token refreshed.

        Raises:
            AccountError: The wanted account would not.
        """
        self.account = await self._who_pays(self.dispatcher.send(ACCOUNT_READ, {"refreshToken": refresh}))
        return self.account

    async def _who_pays(self, who: PendingResponse[GetAccountResponse]) -> Account:
        server = self._server
        try:
            answer = await who.result()
        except RpcError as error:
            stderr = await self._stderr()
            if server.tokens is not None and self._fault is not None:
                raise self._fault from error
            raise account_failure(
                error,
                sign_in=server.sign_in,
                stderr=stderr,
                external=server.tokens is not None,
                refreshed=state_of(server.auth_file) != self._began_with,
            ) from error
        account = read_account(answer)
        if account is None and server.signed_in and (refused := refresh_refusal(await self._stderr())):
            raise refused_sign_in(refused, server.sign_in)
        return require_wallet(
            account,
            wallet=server.wallet,
            sign_in=server.sign_in,
            was_signed_in=server.signed_in,
            sign_in_matters=answer["requiresOpenaiAuth"],
        )

    async def _stderr(self) -> str:
        # The one place where codex says why a refresh failed. The conversation is over, so it is ended for its last
        # words.
        self._child.close_stdin()
        await self._child.last_words()
        return self._child.stderr_tail

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run a turn, on a new thread unless the request names one.

        Raises what `run_turn` raises, and ForeignInstructionsError.
        """
        self._watch.begin()
        try:
            if request.thread is not None:
                return await run_turn(self, request.thread, request)
            return await self._run_anew(request)
        finally:
            self._watch.end()

    async def _run_anew(self, request: TurnRequest) -> TurnResult:
        self.turns += 1
        thread, was_there = await self._thread_for(request)
        good = False
        if self._has_spares:
            self._spares.begin(request)
        try:
            try:
                result = await run_turn(self, thread, request)
            except ServerBusyError:
                raise
            except RpcError:
                if not was_there:
                    raise
                # Refused, so there was no turn. Whatever became of a thread that waited, another one is not it.
                self.release(thread)
                thread = await self.start_thread(request)
                result = await run_turn(self, thread, request)
            good = True
            return result
        except BaseException:
            # Nobody else knows of it, and a thread that stays loaded costs memory as long as the process lives.
            self.release(thread)
            raise
        finally:
            if self._has_spares:
                self._spares.end(request, good=good)

    async def _thread_for(self, request: TurnRequest) -> tuple[Thread, bool]:
        """A thread for the request, and whether it was there before."""
        spare = self._spares.take(request) if self._ahead is None else None
        if spare is not None:
            try:
                return await self._started(request, spare), True
            except (RpcError, ProtocolError):
                pass  # it was asked for while nobody waited; somebody does now
        return await self.start_thread(request), False

    async def start_thread(self, request: TurnRequest) -> Thread:
        """A thread with the request's instructions and model.

        Raises:
            ForeignInstructionsError: Other instructions than the caller's would reach the model.
            WrongAccountError: The request would go to another provider.
            RpcError, ProtocolError, ServerCrashedError: It could not be started.
        """
        params = thread_params(self._server, request)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] != params:
            ahead[1].abandon()
            ahead = None
        return await self._started(request, send_thread_start(self.dispatcher, params) if ahead is None else ahead[1])

    async def _started(self, request: TurnRequest, start: PendingResponse[ThreadStartResponse]) -> Thread:
        asked = time.perf_counter()
        try:
            answer = await start.result()
        except anyio.get_cancelled_exc_class():
            self._watch.silent(asked)
            raise
        thread = Thread(answer["thread"]["id"], answer["model"])
        sources = tuple(answer.get("instructionSources", ()))
        if sources:
            self.release(thread)
            raise errors.ForeignInstructionsError(
                f"the app-server would add {', '.join(sources)} to the prompt; move it away", sources=sources
            )
        if answer["modelProvider"] != self._server.provider:
            raise errors.WrongAccountError(
                f"the home's configuration sends requests to {answer['modelProvider']!r}, where no ChatGPT plan pays",
                account=answer["modelProvider"],
            )
        request.observer(PhaseReached("thread", time.perf_counter(), model=answer["model"]))
        return thread

    def release(self, thread: Thread) -> None:
        """Let go of a thread. It unloads at once (`thread_unload_delay_secs = 0`)."""
        # The end of a suspected turn would not be told any more. It is let go of once it has ended.
        if thread.id not in self._watch.suspects:
            self._unsubscribe(thread.id)

    def _unsubscribe(self, thread_id: str) -> None:
        self.dispatcher.post(THREAD_UNSUBSCRIBE, {"threadId": thread_id})

    async def read_limits(self) -> Limits:
        """What the plan has left."""
        return await read_limits(self.dispatcher, self.account)

    async def models(self) -> tuple[Model, ...]:
        """Every model that the app-server lists, hidden ones included."""
        return await list_models(self.dispatcher)

    def suspect(self, thread_id: str) -> None:
        """A turn was told to stop and has not said that it did: give it a little longer, then end the process."""
        self._watch.suspect(thread_id)

    def retire(self) -> None:
        """Nobody begins a call on it any more: `wait_ended` returns once those that run have ended."""
        self._retired = True
        self._spares.close()
        self._leave_if_idle()

    @contextmanager
    def used(self) -> Generator[Self]:
        """Within it the session stays, retired or not: a call may have a repair to make, or a question of its own."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._retired and not self._users:
            self._ended.set()

    def _notified(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "account/rateLimits/updated" and isinstance(params.get("rateLimits"), dict):
            # Read without a check of its shape: a fault here would end the read loop, and with it every other call.
            self.limits = self.limits.updated(params["rateLimits"])
        elif method == "warning" and str(params.get("message")).startswith(FELL_BACK):
            (self._server.on_fallback or (lambda: None))()
        self.router.deliver(method, params)

    async def _asked(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if method == CHATGPT_AUTH_TOKENS_REFRESH.name and self._server.tokens is not None:
            try:
                return await self._server.tokens.renewed()
            except CodexOAuthError as error:
                # codex would go on asking for a while, and then know no more than that it is unauthorized.
                self._fault = error
                self._tasks.start_soon(self._stop_soon)
                raise RpcError("there is no other token") from error
        if method == TOOL_CALL.name:
            return await self.tool_calls.answer(params)
        return await decline(method, params)

    async def _give_up(self, fault: CodexOAuthError | None) -> None:
        if fault is not None:
            self._fault = fault
            await end_storm(self._child, self._server.auth_file)
        await self._child.stop(patience=STOP_PATIENCE)

    async def _stop_soon(self) -> None:
        # The answer goes out first: codex waits up to ten seconds for one, even where its input has ended.
        await anyio.sleep(_ANSWER_PATIENCE)
        await self._child.stop(patience=STOP_PATIENCE)

    def _connection_ended(self, fault: CodexOAuthError | None) -> CodexOAuthError:
        error = self._fault or fault or crashed(self._child.returncode, self._child.stderr_tail)
        self.router.end(error)
        self._ended.set()
        return error


@asynccontextmanager
async def open_session(
    server: Server, observer: Observer = ignore, *, gate: bool = True, patience: float = STOP_PATIENCE
) -> AsyncGenerator[Session]:
    """Start an app-server, and end it on leaving.

    Args:
        server: What to start.
        observer: Told when the process runs, has answered, and has said who pays.
        gate: Whether the wanted account has to be there.
        patience: Seconds that ending it may take; after that a watchdog ends it.

    Raises:
        ProcessError, RpcError, ProtocolError, AccountError: As `Session.handshake`.
    """
    child = spawn(server.command)
    observer(PhaseReached("spawn", time.perf_counter()))
    failure: BaseException | None = None
    try:
        try:
            async with anyio.create_task_group() as tasks:
                session = Session(server, child, tasks)
                tasks.start_soon(child.drain_stderr)
                tasks.start_soon(session.dispatcher.run)
                try:
                    await session.handshake(observer, gate=gate)
                    yield session
                finally:
                    # While the read loop still runs, so that the child can write what it has to say and go.
                    await child.stop(patience=patience)
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The tasks above keep their errors to themselves: the one in the group is the caller's own. It is raised
            # outside, so that its cause and context stay what they were.
            failure = group.exceptions[0]
        if failure is not None:
            raise failure
    finally:
        await child.stop(patience=patience)
