"""Requests, responses and notifications over a transport: the app-server's dialect of JSON-RPC.

Its messages carry no `jsonrpc` member, and either side may send requests. The read loop hands notifications on in the
order of the wire and never waits for whoever consumes them.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from itertools import count
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import anyio
import anyio.abc
import anyio.lowlevel

from codex_oauth.errors import (
    CodexOAuthError,
    ProtocolError,
    RpcError,
    ServerBusyError,
    ServerCrashedError,
)
from codex_oauth.protocol import Method, check
from codex_oauth.redaction import cleaned
from codex_oauth.transport import Transport
from codex_oauth.types import as_object

__all__ = ("REQUEST_TIMEOUT", "Dispatcher", "PendingResponse", "RequestHandler", "crashed", "unknown_method")

P = TypeVar("P")
R = TypeVar("R")

REQUEST_TIMEOUT: Final = 60.0
"""Seconds that any one request may take if its caller set no tighter deadline. The slowest that was measured,
`thread/start` with an unreachable catalogue host, took 6 s."""

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode

_OVERLOADED: Final = -32001
_METHOD_NOT_FOUND: Final = -32601


class RequestHandler(Protocol):
    """Answers what the other side asks."""

    def __call__(self, method: str, params: Mapping[str, Any]) -> Awaitable[Mapping[str, Any]]:
        """The result to send back.

        Raises:
            RpcError: Sent back as the error.
        """
        ...


class PendingResponse(Generic[R]):
    """A request that was sent; `result` waits for its response.

    Nobody may wait any more when the response comes. It is dropped then, or given to `unwanted`, for a response that
    hands over something that has to be let go of.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        request_id: int,
        method: Method[Any, R],
        unwanted: Callable[[Mapping[str, Any]], None] | None,
        on_result: Callable[[Mapping[str, Any]], None] | None,
    ) -> None:
        self._dispatcher = dispatcher
        self._id = request_id
        self._method = method
        self._unwanted = unwanted
        self._on_result = on_result
        self._abandoned = False
        self._arrived = anyio.Event()
        self._message: Mapping[str, Any] | None = None
        self._error: CodexOAuthError | None = None

    @property
    def arrived(self) -> bool:
        """Whether `result` would not wait."""
        return self._message is not None or self._error is not None

    def settle(self, message: Mapping[str, Any]) -> None:
        """The response is here."""
        self._message = message
        self._arrived.set()
        if self._abandoned:
            self.abandon()
        elif self._on_result is not None and (result := as_object(message.get("result"))) is not None:
            self._on_result(result)

    def abandon(self) -> None:
        """Nobody will ask for the result."""
        self._abandoned = True
        if self._unwanted is None:
            self._dispatcher.forget(self._id)
        elif self._message is not None and (result := as_object(self._message.get("result"))) is not None:
            self._unwanted(result)

    def fail(self, error: CodexOAuthError) -> None:
        """No response will come."""
        self._error = error
        self._arrived.set()

    async def result(self, timeout: float = REQUEST_TIMEOUT) -> R:
        """Wait for the response and check its shape.

        Raises:
            RpcError: The app-server refused the request.
            ProtocolError: The response is not what the protocol says, or none came in time.
            ServerCrashedError: The connection ended first.
        """
        try:
            if self.arrived:
                await anyio.lowlevel.checkpoint_if_cancelled()
            else:
                with anyio.fail_after(timeout):
                    await self._arrived.wait()
        except TimeoutError as error:
            self.abandon()
            raise ProtocolError(f"{self._method.name}: no response within {timeout:g} s") from error
        except BaseException:
            self.abandon()
            raise
        if self._error is not None:
            # A copy: many may wait, and each adds its own traceback.
            raise copy(self._error)
        assert self._message is not None
        if "error" in self._message:
            raise _rpc_error(self._method.name, self._message["error"])
        result = self._message.get("result")
        check(self._method.result, result, self._method.name)
        return cast("R", result)


class Dispatcher:
    """One side of a connection.

    Args:
        transport: Carries the lines.
        on_notification: Called in the read loop for each notification, in order. It must not block.
        on_request: Answers requests of the other side, each in a task of its own.
        on_end: Told that the connection has ended, and of the fault in its messages if there was one; gives the error
            for waiters.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        on_notification: Callable[[str, Mapping[str, Any]], None],
        on_request: RequestHandler,
        on_end: Callable[[CodexOAuthError | None], CodexOAuthError],
    ) -> None:
        self._transport = transport
        self._on_notification = on_notification
        self._on_request = on_request
        self._on_end = on_end
        self._ids = count(1)
        self._pending: dict[int, PendingResponse[Any]] = {}
        self._outgoing: deque[bytes] = deque()
        self._wake = anyio.Event()
        self._closed: CodexOAuthError | None = None
        self.heard = 0.0
        """When the last line came, by `time.perf_counter()`; 0 if none has."""
        self.unreadable_lines = 0
        """Lines of stdout that were not messages, and were passed over."""

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed is not None

    def send(
        self,
        method: Method[P, R],
        params: P,
        *,
        unwanted: Callable[[Mapping[str, Any]], None] | None = None,
        on_result: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> PendingResponse[R]:
        """Send a request without waiting for its response, so that several can be under way.

        Args:
            method: The request.
            params: What it is sent with.
            unwanted: Given the result if it comes when nobody waits for it any more.
            on_result: Given the result as soon as it comes, in the read loop, its shape not yet checked. It must not
                block.

        Raises:
            ServerCrashedError: The connection has ended.
        """
        if self._closed is not None:
            raise self._closed
        request_id = next(self._ids)
        pending = PendingResponse(self, request_id, method, unwanted, on_result)
        self._pending[request_id] = pending
        self._queue({"id": request_id, "method": method.name, "params": params})
        return pending

    async def request(self, method: Method[P, R], params: P, *, timeout: float = REQUEST_TIMEOUT) -> R:
        """Send a request and wait for its result. Raises what `PendingResponse.result` raises."""
        return await self.send(method, params).result(timeout)

    def post(self, method: Method[P, Any], params: P) -> None:
        """Send a request whose response nobody waits for. Nothing happens once the connection has ended."""
        if self._closed is None:
            self._queue({"id": next(self._ids), "method": method.name, "params": params})

    def notify(self, method: str) -> None:
        """Send a notification, which has no response."""
        if self._closed is None:
            self._queue({"method": method})

    def forget(self, request_id: int) -> None:
        """A late response to this request is to be dropped."""
        self._pending.pop(request_id, None)

    async def run(self) -> None:
        """Read and write until the other side ends the connection, or sends a message without an end; then wake
        everybody who waits."""
        error: CodexOAuthError | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write)
                try:
                    while (line := await self._transport.receive()) is not None:
                        self._dispatch(line, tasks)
                except ProtocolError as bad:
                    error = bad
                tasks.cancel_scope.cancel()
        finally:
            self._close(self._on_end(error))

    def _close(self, error: CodexOAuthError) -> None:
        self._closed = error
        for pending in list(self._pending.values()):
            pending.fail(error)
        self._pending.clear()

    def _queue(self, message: Mapping[str, Any]) -> None:
        # One task writes: a caller that is cancelled in the middle of its line would break the stream for all the
        # others. ensure_ascii stays on: a lone surrogate in a prompt then travels as its escape and cannot break the
        # encoding.
        self._outgoing.append(_encode(message).encode())
        self._wake.set()

    async def _write(self) -> None:
        while True:
            while self._outgoing:
                # One by one: more than a hundred that come in one piece are refused by the app-server, and some are
                # lost without a word (0.163).
                try:
                    await self._transport.send(self._outgoing.popleft())
                except BrokenPipeError:
                    # The read loop sees the end and tells everybody.
                    return
            self._wake = anyio.Event()
            await self._wake.wait()

    def _dispatch(self, line: bytes, tasks: anyio.abc.TaskGroup) -> None:
        self.heard = time.perf_counter()
        try:
            message = as_object(json.loads(line))
        except (ValueError, RecursionError):
            message = None
        if message is None:
            # A stray print must not end everything; whoever waits for a message that was meant has a deadline.
            self.unreadable_lines += 1
            return
        method = message.get("method")
        if isinstance(method, str):
            params = as_object(message.get("params")) or {}
            if "id" in message:
                tasks.start_soon(self._answer, message["id"], method, params)
            else:
                self._on_notification(method, params)
            return
        request_id = message.get("id")
        pending = self._pending.pop(request_id, None) if type(request_id) is int else None
        if pending is not None:
            pending.settle(message)

    async def _answer(self, request_id: Any, method: str, params: Mapping[str, Any]) -> None:
        try:
            result = await self._on_request(method, params)
        except RpcError as error:
            self._queue({"id": request_id, "error": {"code": error.rpc_code, "message": error.message}})
        else:
            self._queue({"id": request_id, "result": result})


def unknown_method(method: str) -> RpcError:
    """What a request is answered with that this side does not serve."""
    return RpcError(f"not supported: {method}", rpc_code=_METHOD_NOT_FOUND)


def _rpc_error(method: str, answer: object) -> RpcError:
    error = as_object(answer)
    if error is None:
        return RpcError(f"{method}: refused without a reason")
    code = error.get("code")
    code = code if isinstance(code, int) else 0
    kind = ServerBusyError if code == _OVERLOADED else RpcError
    # A service's answer may be quoted in it, whatever that says.
    message = cleaned(error.get("message") or "refused")
    return kind(f"{method}: {message}", rpc_code=code, data=error.get("data"))


def crashed(returncode: int | None, stderr_tail: str) -> ServerCrashedError:
    """The error for an app-server that went away."""
    how = "closed its output" if returncode is None else f"ended with status {returncode}"
    return ServerCrashedError(
        f"the app-server {how} in mid-conversation", exit_code=returncode, stderr_tail=stderr_tail
    )
