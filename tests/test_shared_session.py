"""The app-server that many calls share: when it is replaced, and that no call notices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from codex_oauth.errors import ServerCrashedError
from codex_oauth.session import Session, TurnRequest, ignore
from codex_oauth.shared_session import SharedSession, resident
from tests.process.test_child import exists
from tests.scripted import TURN, Script, Scripted, die, ended, eventually, reply

pytestmark = pytest.mark.anyio

REQUEST = TurnRequest(text="hello", instructions="be brief", model="m")


class Calls:
    """Calls on a shared app-server."""

    def __init__(self, shared: SharedSession, scripted: Scripted) -> None:
        self.shared = shared
        self.scripted = scripted
        self.made_of: object = "one binary"
        self.account: str | None = "somebody"

    async def session(self) -> tuple[Session, bool]:
        server = replace(self.scripted.server(), made_of=self.made_of)
        return await self.shared.get(server, ignore, account=self.account)

    async def call(self) -> int:
        """Make one; the process that served it."""
        session, _ = await self.session()
        with session.used():
            await session.run(REQUEST)
        return session.pid

    async def calls_until_another_serves(self, pid: int) -> int:
        """Make calls until the app-server is another one; that one."""
        with anyio.fail_after(10):
            while (now := await self.call()) == pid:
                pass
        return now


async def gone(pid: int) -> bool:
    return await anyio.to_thread.run_sync(ended, pid)


async def test_one_serves_all_that_call_and_ends_with_the_block(tmp_path: Path) -> None:
    calls = Calls(SharedSession(), Scripted(tmp_path))
    async with calls.shared.entered():
        pids = {await calls.call() for _ in range(3)}
        assert len(pids) == 1
        assert [warm for _, warm in [await calls.session()]] == [True]
    assert await gone(pids.pop())


async def test_one_that_has_served_enough_is_replaced_while_calls_go_on(tmp_path: Path) -> None:
    calls = Calls(SharedSession(most_turns=5), Scripted(tmp_path))
    async with calls.shared.entered():
        first = await calls.call()
        second = await calls.calls_until_another_serves(first)
        assert await gone(first)
        assert len(calls.scripted.pids()) == 2
        assert exists(second)


async def test_one_that_takes_too_much_memory_is_replaced(tmp_path: Path) -> None:
    calls = Calls(SharedSession(most_memory=1), Scripted(tmp_path))
    async with calls.shared.entered():
        first = await calls.call()
        assert resident(first) > 1
        await calls.calls_until_another_serves(first)
        # And the next one not at once, whatever it takes.
        for _ in range(150):
            await calls.call()
        assert len(calls.scripted.pids()) == 2


@pytest.mark.parametrize("change", ["made_of", "account"])
async def test_another_binary_home_or_account_has_another_one(tmp_path: Path, change: str) -> None:
    calls = Calls(SharedSession(), Scripted(tmp_path))
    async with calls.shared.entered():
        first = await calls.call()
        setattr(calls, change, "another")
        if change == "account":
            # The one that runs has the other account in memory, which must not pay.
            assert await calls.call() != first
        else:
            await calls.calls_until_another_serves(first)
        assert await gone(first)


async def test_a_call_that_waited_while_something_newer_came_brings_the_old_one_not_back(tmp_path: Path) -> None:
    calls = Calls(SharedSession(), Scripted(tmp_path))
    async with calls.shared.entered():
        first = await calls.call()
        old = replace(calls.scripted.server(), made_of="an older binary")
        session, warm = await calls.shared.get(old, ignore, account=calls.account, newest=False)
        assert (session.pid, warm) == (first, True)
        for _ in range(10):
            assert await calls.call() == first


async def test_a_call_that_runs_ends_on_the_app_server_that_it_began_on(tmp_path: Path) -> None:
    slow = Script({"turn/start": (reply({"turn": TURN}),)})
    calls = Calls(SharedSession(), Scripted(tmp_path, slow, Script()))
    async with calls.shared.entered():
        session, _ = await calls.session()
        with session.used():
            calls.made_of = "another binary"
            with anyio.fail_after(10):
                while (await calls.session())[0].pid == session.pid:
                    await anyio.lowlevel.checkpoint()
            assert await calls.call() != session.pid
            assert exists(session.pid)
            assert not session.usable
        assert await gone(session.pid)


async def test_where_the_next_one_does_not_start_the_one_that_runs_goes_on(tmp_path: Path) -> None:
    broken = Script({"initialize": (die(1),)})
    calls = Calls(SharedSession(most_turns=3), Scripted(tmp_path, Script(), broken, Script()))
    async with calls.shared.entered():
        first = await calls.call()
        for _ in range(50):
            assert await calls.call() == first
        assert await anyio.to_thread.run_sync(eventually, lambda: len(calls.scripted.pids()) == 2)
        for _ in range(10):
            assert await calls.call() == first


async def test_one_that_died_is_started_again(tmp_path: Path) -> None:
    calls = Calls(SharedSession(), Scripted(tmp_path, Script({"turn/start": (die(3),)}), Script()))
    async with calls.shared.entered():
        with pytest.raises(ServerCrashedError):
            await calls.call()
        assert await calls.call()
    assert len(calls.scripted.pids()) == 2


async def test_it_cannot_be_entered_twice_at_once_and_can_be_entered_again(tmp_path: Path) -> None:
    calls = Calls(SharedSession(), Scripted(tmp_path))
    for _ in range(2):
        async with calls.shared.entered():
            await calls.call()
            with pytest.raises(RuntimeError):
                async with calls.shared.entered():
                    pass
    assert len(calls.scripted.pids()) == 2


async def test_many_that_begin_together_start_one(tmp_path: Path) -> None:
    calls = Calls(SharedSession(), Scripted(tmp_path))
    async with calls.shared.entered(), anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(calls.call)
    assert len(calls.scripted.pids()) == 1
