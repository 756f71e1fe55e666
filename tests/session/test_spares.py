"""Threads that are started before a call wants them: how many, for whom, for how long."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from codex_oauth.errors import CodexOAuthError, ForeignInstructionsError, ServerCrashedError
from codex_oauth.jsonrpc import Dispatcher
from codex_oauth.session import Server, TurnRequest, open_session
from codex_oauth.session.server import thread_params
from codex_oauth.session.spares import LIFETIME, MOST, MOST_SETS, Spares
from codex_oauth.transport.memory import MemoryTransport
from tests.scripted import TURN, Script, Scripted, eventually, notify, refuse, reply, turn_completed

pytestmark = pytest.mark.anyio

REQUEST = TurnRequest(text="the input", instructions="be brief", model="m", effort="low")
THREAD: dict[str, Any] = {"cwd": "/", "model": "m", "modelProvider": "openai", "instructionSources": []}


class Peer:
    """The app-server's side: what it was asked, and answers when it is told to."""

    def __init__(self, transport: MemoryTransport) -> None:
        self.transport = transport
        self.asked: list[dict[str, Any]] = []
        self.threads = 0

    async def listen(self) -> None:
        while (line := await self.transport.receive()) is not None:
            message = json.loads(line)
            self.asked.append(message)
            result: Mapping[str, Any] = {}
            if message["method"] == "thread/start":
                self.threads += 1
                result = {**THREAD, "thread": {"id": f"t{self.threads}", "ephemeral": True, "path": None}}
            await self.transport.send(json.dumps({"id": message["id"], "result": result}).encode())

    def methods(self) -> list[str]:
        return [message["method"] for message in self.asked]


@asynccontextmanager
async def connected(
    params: Callable[[TurnRequest], Any], calm: Callable[[], bool] = lambda: True, lifetime: float = LIFETIME
) -> AsyncGenerator[tuple[Spares, Peer]]:
    """Spares over a connection in memory."""

    async def decline(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def ignore(method: str, params: Mapping[str, Any]) -> None:
        pass

    def ended(fault: CodexOAuthError | None) -> CodexOAuthError:
        return fault or ServerCrashedError("gone")

    here, there = MemoryTransport.pair()
    peer = Peer(there)
    dispatcher = Dispatcher(here, on_notification=ignore, on_request=decline, on_end=ended)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(dispatcher.run)
        tasks.start_soon(peer.listen)
        yield Spares(dispatcher, params, calm, lifetime=lifetime), peer
        tasks.cancel_scope.cancel()


@pytest.fixture
def params(tmp_path: Path) -> Callable[[TurnRequest], Any]:
    """What a thread is started with."""
    server = Scripted(tmp_path).server()
    return lambda request: thread_params(server, request)


def call(spares: Spares, request: TurnRequest = REQUEST, *, good: bool = True) -> None:
    """A call from its beginning to its end."""
    spares.begin(request)
    spares.end(request, good=good)


async def test_a_first_call_starts_nothing_and_a_second_one_a_thread_for_the_third(
    params: Callable[[TurnRequest], Any],
) -> None:
    async with connected(params) as (spares, peer):
        call(spares)
        assert len(spares) == 0
        call(spares)
        await anyio.wait_all_tasks_blocked()
        assert peer.methods() == ["thread/start", "thread/inject_items"]
        start = spares.take(REQUEST)
        assert start is not None
        assert (await start.result())["thread"]["id"] == "t1"
        assert spares.take(REQUEST) is None


async def test_a_spare_holds_the_instructions_and_nothing_of_the_input(params: Callable[[TurnRequest], Any]) -> None:
    async with connected(params) as (spares, peer):
        call(spares)
        call(spares)
        await anyio.wait_all_tasks_blocked()
    start, ready = peer.asked
    assert start["params"] == params(REQUEST)
    assert ready["params"] == {"threadId": "t1", "items": [{"type": "nothing"}]}
    assert "the input" not in json.dumps(peer.asked)


@pytest.mark.parametrize("change", [{"instructions": "be long"}, {"model": "n"}, {"effort": "high"}])
async def test_a_call_with_other_parameters_does_not_get_it(
    params: Callable[[TurnRequest], Any], change: dict[str, str]
) -> None:
    async with connected(params) as (spares, _):
        call(spares)
        call(spares)
        assert spares.take(replace(REQUEST, **change)) is None
        assert spares.take(replace(REQUEST, text="another input")) is not None


async def test_the_last_call_gets_a_successor_once_there_is_time_even_if_it_was_the_first(
    params: Callable[[TurnRequest], Any],
) -> None:
    async with connected(params) as (spares, _):
        call(spares)
        spares.fill(idle=False)
        assert len(spares) == 0
        spares.fill(idle=True)
        assert len(spares) == 1


async def test_nothing_is_started_after_a_call_that_failed(params: Callable[[TurnRequest], Any]) -> None:
    async with connected(params) as (spares, _):
        call(spares)
        call(spares, good=False)
        spares.fill(idle=True)
        assert len(spares) == 0


async def test_nothing_is_started_while_something_is_amiss_with_the_sign_in(
    params: Callable[[TurnRequest], Any],
) -> None:
    async with connected(params, calm=lambda: False) as (spares, _):
        for _ in range(3):
            call(spares)
        spares.fill(idle=True)
        assert len(spares) == 0


async def test_there_are_as_many_as_there_are_calls_at_once_within_bounds(
    params: Callable[[TurnRequest], Any],
) -> None:
    async with connected(params) as (spares, _):
        for _ in range(50):
            spares.begin(REQUEST)
        for _ in range(50):
            spares.end(REQUEST, good=True)
        spares.fill(idle=True)
        assert len(spares) == MOST
        await anyio.wait_all_tasks_blocked()
        for _ in range(40):
            spares.take(REQUEST)
            call(spares)
            await anyio.wait_all_tasks_blocked()
        assert len(spares) == 1


async def test_calls_that_come_before_their_thread_is_ready_get_another_one_too(
    params: Callable[[TurnRequest], Any],
) -> None:
    async with connected(params) as (spares, _):
        for _ in range(6):
            spares.take(REQUEST)
            call(spares)
        spares.fill(idle=False)
        assert len(spares) == 2


async def test_only_the_parameters_that_were_used_last_have_some(params: Callable[[TurnRequest], Any]) -> None:
    async with connected(params) as (spares, peer):
        for number in range(MOST_SETS + 2):
            for _ in range(2):
                call(spares, replace(REQUEST, instructions=f"number {number}"))
        await anyio.wait_all_tasks_blocked()
        assert len(spares) == MOST_SETS
        assert peer.methods().count("thread/unsubscribe") == 2


async def test_long_instructions_are_not_kept(params: Callable[[TurnRequest], Any]) -> None:
    async with connected(params) as (spares, _):
        for _ in range(3):
            call(spares, replace(REQUEST, instructions="x" * 70_000))
        spares.fill(idle=True)
        assert len(spares) == 0


async def test_one_that_waits_for_too_long_is_let_go_of(params: Callable[[TurnRequest], Any]) -> None:
    async with connected(params, lifetime=0.02) as (spares, peer):
        call(spares)
        call(spares)
        await anyio.wait_all_tasks_blocked()
        assert peer.methods() == ["thread/start", "thread/inject_items"]
        while (seconds := spares.drop_old()) is not None:
            assert seconds <= 0.02
            await anyio.sleep(seconds)
        assert spares.take(REQUEST) is None
        await anyio.wait_all_tasks_blocked()
        assert peer.asked[-1]["method"] == "thread/unsubscribe"
        assert peer.asked[-1]["params"] == {"threadId": "t1"}


async def test_a_call_does_not_get_one_that_has_waited_for_too_long(params: Callable[[TurnRequest], Any]) -> None:
    async with connected(params, lifetime=0.0) as (spares, peer):
        call(spares)
        call(spares)
        assert spares.take(REQUEST) is None
        await anyio.wait_all_tasks_blocked()
        assert peer.methods() == ["thread/start", "thread/unsubscribe"]


async def test_closing_lets_go_of_all_of_those_too_that_are_still_to_come(
    params: Callable[[TurnRequest], Any],
) -> None:
    async with connected(params) as (spares, peer):
        call(spares)
        call(spares)
        spares.close()
        call(spares)
        call(spares)
        await anyio.wait_all_tasks_blocked()
        assert peer.methods() == ["thread/start", "thread/unsubscribe"]
        assert len(spares) == 0


# --- on a session ----------------------------------------------------------------------------------------------------


def shared(scripted: Scripted, *, ahead: bool = True) -> Server:
    """An app-server that serves many calls."""
    return replace(scripted.server(), ahead=ahead, spares=True)


async def test_a_call_runs_on_the_thread_that_was_started_for_it(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path)
    async with open_session(shared(scripted)) as session:
        for _ in range(4):
            result = await session.run(REQUEST)
            session.release(result.thread)
    turns = [message["params"]["threadId"] for message in scripted.received() if message["method"] == "turn/start"]
    assert turns == ["thread-1", "thread-2", "thread-3", "thread-4"]
    methods = scripted.methods()
    # The fourth call's thread was asked for before the third call's was let go of.
    third = [at for at, method in enumerate(methods) if method == "turn/start"][2]
    assert "thread/start" in methods[third:]


async def test_nothing_is_started_where_another_wallet_might_pay(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path)
    async with open_session(shared(scripted, ahead=False)) as session:
        for _ in range(3):
            await session.run(REQUEST)
    assert scripted.methods().count("thread/start") == 3
    assert "thread/inject_items" not in scripted.methods()


async def test_a_spare_that_was_refused_is_another_threads_turn(tmp_path: Path) -> None:
    thread = {**THREAD, "thread": {"id": "{thread}", "ephemeral": True, "path": None}}
    starts: list[Any] = [(reply(thread),), (reply(thread),), (refuse(-32600, "not now"),), (reply(thread),)]
    scripted = Scripted(tmp_path, Script({"thread/start": starts}))
    async with open_session(shared(scripted)) as session:
        for _ in range(3):
            assert (await session.run(REQUEST)).text == "ok"


async def test_a_turn_that_a_spare_refuses_is_begun_on_another_thread(tmp_path: Path) -> None:
    def turn() -> tuple[Any, ...]:
        item = {"type": "agentMessage", "id": "i", "text": "ok", "phase": "final_answer"}
        place = {"threadId": "{thread}", "turnId": "{turn}"}
        return reply({"turn": TURN}), notify("item/completed", item=item, **place), turn_completed()

    turns: list[Any] = [turn(), turn(), (refuse(-32600, "no such thread"),), turn()]
    scripted = Scripted(tmp_path, Script({"turn/start": turns}))
    async with open_session(shared(scripted)) as session:
        for _ in range(3):
            assert (await session.run(REQUEST)).text == "ok"
    assert scripted.methods().count("turn/start") == 4


async def test_a_spare_with_foreign_instructions_serves_nobody(tmp_path: Path) -> None:
    thread = {**THREAD, "thread": {"id": "{thread}", "ephemeral": True, "path": None}}
    foreign = {**thread, "instructionSources": ["/home/AGENTS.md"]}
    starts: list[Any] = [(reply(thread),), (reply(thread),), (reply(foreign),)]
    scripted = Scripted(tmp_path, Script({"thread/start": starts}))
    async with open_session(shared(scripted)) as session:
        for _ in range(2):
            await session.run(REQUEST)
        with pytest.raises(ForeignInstructionsError):
            await session.run(REQUEST)
    assert scripted.methods().count("turn/start") == 2


async def test_a_retired_app_server_lets_go_of_its_spares(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path)
    async with open_session(shared(scripted)) as session:
        for _ in range(2):
            await session.run(REQUEST)
        session.retire()
        assert await anyio.to_thread.run_sync(eventually, lambda: "thread/unsubscribe" in scripted.methods())
    last = scripted.received()[-1]
    assert (last["method"], last["params"]) == ("thread/unsubscribe", {"threadId": "thread-3"})
