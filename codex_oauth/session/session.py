"""A typed conversation with one app-server: handshake, account, threads, turns."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.abc
import anyio.lowlevel

from codex_oauth.errors import (
    CodexOAuthError,
    ForeignInstructionsError,
    RpcError,
    WrongAccountError,
)
from codex_oauth.events import Observer, PhaseReached
from codex_oauth.jsonrpc import Dispatcher, PendingResponse, crashed
from codex_oauth.process import Child, CommandSpec, spawn
from codex_oauth.protocol import (
    ACCOUNT_READ,
    INITIALIZE,
    INITIALIZED,
    MODEL_LIST,
    THREAD_START,
    THREAD_UNSUBSCRIBE,
)
from codex_oauth.session.failures import RateLimits, account_failure
from codex_oauth.session.gate import read_account, require_plan
from codex_oauth.session.replies import decline
from codex_oauth.session.request import Thread, TurnRequest, TurnResult, ignore
from codex_oauth.session.router import Router
from codex_oauth.session.turn import run_turn
from codex_oauth.transport import StdioTransport
from codex_oauth.types import Account, Model, as_object
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.protocol import ThreadStartParams, ThreadStartResponse

__all__ = ("Server", "Session", "open_session")

_CLIENT_NAME: Final = "codex_oauth"
# It becomes the `originator` header: our own name, never that of a first-party client.

_PROVIDER: Final = "openai"
"""The built-in provider: the only one that a ChatGPT plan pays for."""

_SILENCED: Final = [
    "remoteControl/status/changed",
    "mcpServer/startupStatus/updated",
    "thread/started",
    "thread/settings/updated",
    "thread/status/changed",
]
"""Notifications that nothing here reads."""

STOP_PATIENCE: Final = 0.3
"""Seconds to wait for an app-server to end. It takes 20 to 40 ms, unless a token refresh is in flight or it hangs; a
watchdog then gives it the time that it may need, and the caller goes on."""

_SILENCE: Final = 0.25
"""Seconds without a word, while a thread is asked for, after which another process serves the next call; 5 ms is
usual."""

_STUCK: Final = 5.0
"""Seconds that an interrupted turn may take to end before its process is given up. 6 ms were measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An app-server to start.

    Attributes:
        command: The process.
        cwd: The folder that threads are told; empty, and our own.
        sign_in: The command that signs in on its home, for error messages.
        signed_in: Whether the home holds a ChatGPT sign-in. If not, nothing is sent before the account is known.
        first: The turn that it is started for, whose thread can be asked for at once.
        meanwhile: Work of the caller's own that is done while the app-server starts, which takes it some 50 ms.
    """

    command: CommandSpec
    sign_in: str
    signed_in: bool
    first: TurnRequest | None = field(default=None, repr=False)
    meanwhile: Callable[[], None] | None = None


class Session:
    """A running app-server that has said who it is and who pays. Made by `open_session`.

    Attributes:
        account: Who pays.
        codex_version: The version that the app-server gave for itself.
        limits: The last rate-limit snapshot.
        sign_in: The command that signs in on its home.
    """

    def __init__(self, server: Server, child: Child, tasks: anyio.abc.TaskGroup) -> None:
        self.sign_in = server.sign_in
        self._server = server
        self._child = child
        self._tasks = tasks
        self._ahead: tuple[Mapping[str, Any], PendingResponse[ThreadStartResponse]] | None = None
        self._ended = anyio.Event()
        self._suspects: set[str] = set()
        self._running = 0
        self._retired = False
        self.router = Router()
        self.dispatcher = Dispatcher(
            StdioTransport(child), on_notification=self._notified, on_request=decline, on_end=self._connection_ended
        )
        self.account = Account(kind="unknown")
        self.codex_version: str | None = None
        self.limits = RateLimits()

    @property
    def usable(self) -> bool:
        """Whether another call may be made on it: it runs, and no turn of it has been told to stop and does not."""
        return not self.dispatcher.closed and not self._suspects

    async def wait_ended(self) -> None:
        """Wait until the app-server is gone, or is retired and has nothing left to do."""
        await self._ended.wait()

    async def handshake(self, observer: Observer) -> None:
        """Say hello, and find out who pays. What can be asked at once is.

        Raises:
            AccountError: Nobody's plan would pay.
            RpcError, ProtocolError, ServerCrashedError: The app-server cannot be talked to.
        """
        server, dispatcher = self._server, self.dispatcher
        hello = dispatcher.send(
            INITIALIZE,
            {
                "clientInfo": {"name": _CLIENT_NAME, "title": "codex_oauth", "version": __version__},
                "capabilities": {"experimentalApi": True, "optOutNotificationMethods": _SILENCED},
            },
        )
        dispatcher.notify(INITIALIZED)
        who = dispatcher.send(ACCOUNT_READ, {})
        if server.first is not None and server.signed_in:
            # Only with a sign-in: starting a thread opens a connection to the model's service.
            params = _thread_params(server, server.first)
            self._ahead = (params, self._send_thread_start(params))
        if server.meanwhile is not None:
            await anyio.lowlevel.checkpoint()  # what was sent goes out first
            server.meanwhile()
        agent = (await hello.result())["userAgent"]
        self.codex_version = agent.split("/", 1)[-1].split(" ", 1)[0] or None
        observer(PhaseReached("initialize", time.perf_counter(), codex_version=self.codex_version))
        try:
            answer = await who.result()
        except RpcError as error:
            raise account_failure(error, sign_in=server.sign_in) from error
        self.account = require_plan(
            read_account(answer),
            sign_in=server.sign_in,
            was_signed_in=server.signed_in,
            sign_in_matters=answer["requiresOpenaiAuth"],
        )
        observer(PhaseReached("account", time.perf_counter(), account=self.account))

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run a turn, on a new thread unless the request names one.

        Raises what `run_turn` raises, and ForeignInstructionsError.
        """
        self._running += 1
        try:
            thread = request.thread or await self.start_thread(request)
            try:
                return await run_turn(self, thread, request)
            except BaseException:
                if request.thread is None:
                    # Nobody else knows of it, and a thread that stays loaded costs memory as long as the process lives.
                    self.release(thread)
                raise
        finally:
            self._running -= 1
            self._leave_if_idle()

    async def start_thread(self, request: TurnRequest) -> Thread:
        """A thread with the request's instructions and model.

        Raises:
            ForeignInstructionsError: Other instructions than the caller's would reach the model.
            WrongAccountError: The request would go to another provider.
            RpcError, ProtocolError, ServerCrashedError: It could not be started.
        """
        params = _thread_params(self._server, request)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] != params:
            ahead[1].abandon()
            ahead = None
        asked = time.perf_counter()
        try:
            answer = await (self._send_thread_start(params) if ahead is None else ahead[1]).result()
        except anyio.get_cancelled_exc_class():
            if time.perf_counter() - max(asked, self.dispatcher.heard) > _SILENCE:
                self._suspects.add("")
                self._tasks.start_soon(self._end_if_silent, self.dispatcher.heard)
            raise
        sources = tuple(answer.get("instructionSources", ()))
        if sources:
            self.release(Thread(answer["thread"]["id"], answer["model"]))
            raise ForeignInstructionsError(
                f"the app-server would add {', '.join(sources)} to the prompt; move it away", sources=sources
            )
        if answer["modelProvider"] != _PROVIDER:
            raise WrongAccountError(
                f"the home's configuration sends requests to {answer['modelProvider']!r}, where no ChatGPT plan pays",
                account=answer["modelProvider"],
            )
        request.observer(PhaseReached("thread", time.perf_counter(), model=answer["model"]))
        return Thread(answer["thread"]["id"], answer["model"])

    def _send_thread_start(self, params: ThreadStartParams) -> PendingResponse[ThreadStartResponse]:
        def unload(answer: Mapping[str, Any]) -> None:
            thread_id = (as_object(answer.get("thread")) or {}).get("id")
            if isinstance(thread_id, str):
                self.dispatcher.post(THREAD_UNSUBSCRIBE, {"threadId": thread_id})

        return self.dispatcher.send(THREAD_START, params, unwanted=unload)

    def release(self, thread: Thread) -> None:
        """Let go of a thread. It unloads at once (`thread_unload_delay_secs = 0`)."""
        # The end of a suspected turn would not be told any more. It is let go of once it has ended.
        if thread.id not in self._suspects:
            self.dispatcher.post(THREAD_UNSUBSCRIBE, {"threadId": thread.id})

    async def models(self) -> tuple[Model, ...]:
        """Every model that the app-server lists, hidden ones included."""
        found: list[Model] = []
        cursor: str | None = None
        while True:
            page = await self.dispatcher.request(MODEL_LIST, {"includeHidden": True, "cursor": cursor})
            found += [
                Model(
                    id=model["id"],
                    name=model["displayName"],
                    description=model["description"],
                    efforts=tuple(option["reasoningEffort"] for option in model["supportedReasoningEfforts"]),
                    default_effort=model["defaultReasoningEffort"],
                    default=model["isDefault"],
                    hidden=model["hidden"],
                )
                for model in page["data"]
            ]
            cursor = page.get("nextCursor")
            if not cursor:
                return tuple(found)

    def suspect(self, thread_id: str) -> None:
        """A turn was told to stop and has not said that it did: give it a little longer, then end the process."""
        self._suspects.add(thread_id)
        self._tasks.start_soon(self._end_if_stuck, thread_id)

    def retire(self) -> None:
        """Nobody begins a call on it any more: `wait_ended` returns once those that run have ended."""
        self._retired = True
        self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._retired and not self._running:
            self._ended.set()

    async def _end_if_stuck(self, thread_id: str) -> None:
        with self.router.open(thread_id) as route, anyio.move_on_after(_STUCK):
            try:
                while (await route.next()).method != "turn/completed":
                    pass
            except CodexOAuthError:
                pass
            self._suspects.discard(thread_id)
            self.release(Thread(thread_id, ""))
            return
        await self._child.stop(patience=STOP_PATIENCE)

    async def _end_if_silent(self, heard: float) -> None:
        with anyio.move_on_after(_STUCK):
            # Looked at now and then: an event for each line would cost every call, and this is rare.
            while self.dispatcher.heard == heard and not self.dispatcher.closed:  # noqa: ASYNC110
                await anyio.sleep(_SILENCE / 4)
            self._suspects.discard("")
            return
        await self._child.stop(patience=STOP_PATIENCE)

    def _notified(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "account/rateLimits/updated" and isinstance(params.get("rateLimits"), dict):
            # Read without a check of its shape: a fault here would end the read loop, and with it every other call.
            self.limits = self.limits.updated(params["rateLimits"])
        self.router.deliver(method, params)

    def _connection_ended(self, fault: CodexOAuthError | None) -> CodexOAuthError:
        error = fault or crashed(self._child.returncode, self._child.stderr_tail)
        self.router.end(error)
        self._ended.set()
        return error


@asynccontextmanager
async def open_session(
    server: Server, observer: Observer = ignore, *, patience: float = STOP_PATIENCE
) -> AsyncGenerator[Session]:
    """Start an app-server, and end it on leaving.

    Args:
        server: What to start.
        observer: Told when the process runs, has answered, and has said who pays.
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
                    await session.handshake(observer)
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


def _thread_params(server: Server, request: TurnRequest) -> ThreadStartParams:
    params: ThreadStartParams = {
        # Empty, not absent: absent means codex's own prompt of 21,769 characters, empty means no message at all.
        "baseInstructions": request.instructions or "",
        "cwd": str(server.command.cwd),
        # A home of the user's own may name a provider that another wallet pays for.
        "modelProvider": _PROVIDER,
        # No environment: nothing that a tool could run in, and no text about one.
        "environments": [],
        # Nothing about it is written to disk.
        "ephemeral": True,
        "approvalPolicy": "never",
        "sandbox": "read-only",
    }
    if request.model is not None:
        params["model"] = request.model
    if request.effort is not None:
        # `turn/start` names it too, and decides. Here it makes the thread's prewarmed request equal to the turn's,
        # which then sends only what is new.
        params["config"] = {"model_reasoning_effort": request.effort}
    return params
