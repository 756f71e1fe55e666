"""Requests, responses and notifications, against a peer in memory that does what it likes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio
import trio.testing

from codex_oauth.errors import (
    CodexOAuthError,
    LineTooLongError,
    ProtocolError,
    RpcError,
    ServerBusyError,
    ServerCrashedError,
)
from codex_oauth.jsonrpc import REQUEST_TIMEOUT, Dispatcher, RequestHandler, crashed
from codex_oauth.protocol import ACCOUNT_LOGIN_CANCEL, TURN_INTERRUPT, TURN_START
from codex_oauth.session.replies import decline
from codex_oauth.transport import MAX_LINE
from codex_oauth.transport.memory import MemoryTransport

ASK = ACCOUNT_LOGIN_CANCEL
"""A request whose answer is a `status`."""


class Peer:
    """The other side, by hand."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport

    async def next(self) -> dict[str, Any]:
        """The next message that was sent to it."""
        with anyio.fail_after(10):
            line = await self._transport.receive()
        assert line is not None
        return json.loads(line)

    async def send(self, *messages: Mapping[str, Any] | bytes) -> None:
        for message in messages:
            await self._transport.send(message if isinstance(message, bytes) else json.dumps(message).encode())

    async def answer(self, request: Mapping[str, Any], status: str = "ok") -> None:
        await self.send({"id": request["id"], "result": {"status": status}})

    def leave(self) -> None:
        """End the connection."""
        self._transport.close_sending()


class Connected:
    """A running dispatcher, its peer, and what it was told."""

    def __init__(self, max_line: int) -> None:
        here, there = MemoryTransport.pair(max_line=max_line)
        self.peer = Peer(there)
        self.notified: list[tuple[str, Mapping[str, Any]]] = []
        self.on_request: RequestHandler = decline
        self.ended: list[CodexOAuthError | None] = []
        self.dispatcher = Dispatcher(
            here,
            on_notification=lambda method, params: self.notified.append((method, params)),
            on_request=self._answer,
            on_end=self._end,
        )

    async def _answer(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self.on_request(method, params)

    def _end(self, fault: CodexOAuthError | None) -> CodexOAuthError:
        self.ended.append(fault)
        return fault or crashed(3, "last words")


@asynccontextmanager
async def connected(max_line: int = MAX_LINE) -> AsyncGenerator[Connected]:
    connection = Connected(max_line)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.dispatcher.run)
        yield connection
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_request_carries_its_method_and_params_and_no_version() -> None:
    async with connected() as connection:
        connection.dispatcher.send(ASK, {"loginId": "é\ud800"})
        assert await connection.peer.next() == {"id": 1, "method": ASK.name, "params": {"loginId": "é\ud800"}}


@pytest.mark.anyio
async def test_responses_find_their_requests_in_any_order() -> None:
    async with connected() as connection:
        pending = [connection.dispatcher.send(ASK, {"loginId": str(n)}) for n in range(200)]
        requests = [await connection.peer.next() for _ in pending]
        assert [request["params"]["loginId"] for request in requests] == [str(n) for n in range(200)]
        for request in reversed(requests):
            await connection.peer.answer(request, request["params"]["loginId"])
        assert [(await one.result())["status"] for one in pending] == [str(n) for n in range(200)]


@pytest.mark.anyio
async def test_a_response_that_comes_after_its_timeout_is_dropped() -> None:
    async with connected() as connection:
        late = connection.dispatcher.send(ASK, {"loginId": "late"})
        with pytest.raises(ProtocolError, match=r"no response within 0\.01 s"):
            await late.result(0.01)
        other = connection.dispatcher.send(ASK, {"loginId": "other"})
        await connection.peer.answer(await connection.peer.next(), "late")
        await connection.peer.answer(await connection.peer.next(), "other")
        assert await other.result() == {"status": "other"}
        assert connection.notified == []


@pytest.mark.anyio
@pytest.mark.parametrize("answered_first", [False, True], ids=["answered later", "answered before"])
async def test_a_result_that_nobody_waits_for_is_handed_over_to_be_let_go_of(answered_first: bool) -> None:
    unwanted: list[Mapping[str, Any]] = []
    async with connected() as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"}, unwanted=unwanted.append)
        request = await connection.peer.next()
        if answered_first:
            await connection.peer.answer(request, "late")
            await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await pending.result()
        if not answered_first:
            await connection.peer.answer(request, "late")
        other = connection.dispatcher.send(ASK, {"loginId": "other"})
        await connection.peer.answer(await connection.peer.next(), "other")
        assert await other.result() == {"status": "other"}
    assert unwanted == [{"status": "late"}]


def test_a_request_that_nobody_answers_ends_after_a_minute() -> None:
    async def main() -> None:
        async with connected() as connection:
            began = trio.current_time()
            with pytest.raises(ProtocolError, match="no response within 60 s"):
                await connection.dispatcher.request(ASK, {"loginId": "x"})
            assert trio.current_time() - began == REQUEST_TIMEOUT

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ({"code": -32001, "message": "Server overloaded"}, ServerBusyError, -32001),
        ({"code": -32602, "message": "bad params", "data": {"why": 1}}, RpcError, -32602),
        ({"message": "no code"}, RpcError, 0),
        ({"code": "x", "message": None}, RpcError, 0),
        ({}, RpcError, 0),
        ("text", RpcError, 0),
        (None, RpcError, 0),
    ],
)
async def test_a_refusal_is_an_rpc_error(answer: Any, kind: type[RpcError], code: int) -> None:
    async with connected() as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        await connection.peer.send({"id": (await connection.peer.next())["id"], "error": answer})
        with pytest.raises(RpcError) as caught:
            await pending.result()
    assert type(caught.value) is kind
    assert caught.value.rpc_code == code
    assert caught.value.message.startswith(ASK.name)


@pytest.mark.anyio
@pytest.mark.parametrize("message", [{}, {"result": None}, {"result": {"status": 7}}, {"result": []}])
async def test_a_response_of_the_wrong_shape_is_a_protocol_error(message: dict[str, Any]) -> None:
    async with connected() as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        await connection.peer.send({"id": (await connection.peer.next())["id"], **message})
        with pytest.raises(ProtocolError, match=ASK.name):
            await pending.result()


GARBAGE = [
    b"",
    b"warning: something",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"1" * 5000,
    b"null",
    b"[1]",
    b'"text"',
    b'{"id": 1',
    b'{"id": 1} {"id": 1}',
]


@pytest.mark.anyio
async def test_lines_that_are_no_messages_are_passed_over_and_counted() -> None:
    async with connected() as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        request = await connection.peer.next()
        await connection.peer.send(*GARBAGE)
        await connection.peer.answer(request)
        assert await pending.result() == {"status": "ok"}
        assert connection.dispatcher.unreadable_lines == len(GARBAGE)


@pytest.mark.anyio
@pytest.mark.parametrize("strange", [True, 1.0, "1", [1], {"a": 1}, None, 99, -1])
async def test_a_response_with_a_strange_id_is_nobodys(strange: Any) -> None:
    async with connected() as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        request = await connection.peer.next()
        await connection.peer.send({"id": strange, "result": {"status": "wrong"}})
        await connection.peer.answer(request, "right")
        assert await pending.result() == {"status": "right"}


@pytest.mark.anyio
async def test_a_second_response_to_one_request_is_dropped() -> None:
    async with connected() as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        request = await connection.peer.next()
        await connection.peer.answer(request, "first")
        await connection.peer.answer(request, "second")
        assert await pending.result() == {"status": "first"}


@pytest.mark.anyio
async def test_notifications_come_in_order_and_with_params_or_without() -> None:
    async with connected() as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        request = await connection.peer.next()
        await connection.peer.send(
            {"method": "a", "params": {"n": 1}}, {"method": "b"}, {"method": "c", "params": [1]}, {"method": 7}
        )
        await connection.peer.answer(request)
        await pending.result()
        assert connection.notified == [("a", {"n": 1}), ("b", {}), ("c", {})]


REFUSALS: Mapping[str, Mapping[str, Any]] = {
    "item/commandExecution/requestApproval": {"decision": "decline"},
    "item/fileChange/requestApproval": {"decision": "decline"},
    "item/permissions/requestApproval": {"permissions": {}},
    "item/tool/requestUserInput": {"answers": {}},
    "mcpServer/elicitation/request": {"action": "decline"},
    "applyPatchApproval": {"decision": "abort"},
    "execCommandApproval": {"decision": "abort"},
}


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "refusal"), REFUSALS.items(), ids=REFUSALS.keys())
@pytest.mark.parametrize("request_id", [0, "text-id"])
async def test_an_approval_is_declined(method: str, refusal: Mapping[str, Any], request_id: int | str) -> None:
    async with connected() as connection:
        await connection.peer.send({"id": request_id, "method": method, "params": {"threadId": "t"}})
        assert await connection.peer.next() == {"id": request_id, "result": refusal}


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["account/chatgptAuthTokens/refresh", "attestation/generate", "new/in/2031"])
async def test_a_request_that_is_not_served_is_answered_with_method_not_found(method: str) -> None:
    async with connected() as connection:
        await connection.peer.send({"id": 5, "method": method})
        answer = await connection.peer.next()
    assert (answer["id"], answer["error"]["code"]) == (5, -32601)


@pytest.mark.anyio
async def test_a_request_whose_answer_takes_long_delays_nothing() -> None:
    release = anyio.Event()

    async def slow(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        await release.wait()
        return {"late": True}

    async with connected() as connection:
        connection.on_request = slow
        await connection.peer.send({"id": 9, "method": "x"})
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        await connection.peer.answer(await connection.peer.next())
        assert await pending.result() == {"status": "ok"}
        release.set()
        assert await connection.peer.next() == {"id": 9, "result": {"late": True}}


@pytest.mark.anyio
async def test_the_end_of_the_connection_wakes_everybody_with_status_and_last_words() -> None:
    errors: list[ServerCrashedError] = []

    async def wait(connection: Connected) -> None:
        try:
            await connection.dispatcher.request(ASK, {"loginId": "x"})
        except ServerCrashedError as error:
            errors.append(error)

    async with connected() as connection, anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(wait, connection)
        await anyio.wait_all_tasks_blocked()
        connection.peer.leave()
    assert [(error.exit_code, error.stderr_tail) for error in errors] == [(3, "last words")] * 50


@pytest.mark.anyio
async def test_after_the_end_requests_fail_at_once_and_the_rest_is_silent() -> None:
    async with connected() as connection:
        connection.peer.leave()
        await anyio.wait_all_tasks_blocked()
        assert connection.dispatcher.closed
        with pytest.raises(ServerCrashedError):
            connection.dispatcher.send(ASK, {"loginId": "x"})
        connection.dispatcher.post(TURN_INTERRUPT, {"threadId": "t", "turnId": "u"})
        connection.dispatcher.notify("initialized")
    assert connection.ended == [None]


@pytest.mark.anyio
async def test_a_message_without_an_end_is_the_error_of_everybody() -> None:
    async with connected(max_line=1000) as connection:
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        await connection.peer.send(b"x" * 1001)
        with pytest.raises(LineTooLongError):
            await pending.result()
        with pytest.raises(LineTooLongError):
            connection.dispatcher.send(ASK, {"loginId": "x"})
    assert [type(fault) for fault in connection.ended] == [LineTooLongError]


@pytest.mark.anyio
async def test_a_caller_that_is_cancelled_leaves_the_stream_whole() -> None:
    async with connected() as connection:
        with anyio.move_on_after(0):
            await connection.dispatcher.request(TURN_START, {"threadId": "t", "input": [], "x": "y" * 1_000_000})  # pyright: ignore[reportArgumentType]
        pending = connection.dispatcher.send(ASK, {"loginId": "x"})
        assert len((await connection.peer.next())["params"]["x"]) == 1_000_000
        request = await connection.peer.next()
        await connection.peer.send({"id": 1, "result": {"turn": "of nobody"}})
        await connection.peer.answer(request)
        assert await pending.result() == {"status": "ok"}
