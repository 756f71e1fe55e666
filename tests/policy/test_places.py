"""How many turns run at once: the most, fewer while it is refused or memory is short, and one always."""

from __future__ import annotations

import anyio
import pytest
import trio.testing

from codex_oauth.errors import ServerBusyError
from codex_oauth.events import Event, PhaseReached
from codex_oauth.policy import Concurrency, Places, Retry, available_memory
from codex_oauth.policy.concurrency import SERVER_MEMORY
from codex_oauth.session import TurnRequest, TurnResult
from tests.policy.test_policies import RESULT

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def taken(places: Places, wanted: int) -> int:
    """How many of these get a place at once."""
    got = 0

    async def take() -> None:
        nonlocal got
        await places.take()
        got += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(wanted):
            tasks.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    return got


async def test_places_are_given_in_the_order_of_asking() -> None:
    places, order = Places(1), list[int]()

    async def ask(number: int) -> None:
        await places.take()
        order.append(number)
        places.give_back()

    await places.take()
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(ask, number)
            await anyio.wait_all_tasks_blocked()
        places.give_back()
    assert order == [0, 1, 2, 3, 4]


async def test_a_refusal_halves_the_limit_once_for_all_of_a_rush() -> None:
    clock = Clock()
    places = Places(64, clock=clock)
    assert await taken(places, 100) == 64
    for _ in range(20):
        places.refused()
    assert places.limit == 32
    clock.now += 10
    places.refused()
    assert places.limit == 16


async def test_the_limit_grows_again_with_successes_and_not_past_what_it_was() -> None:
    places = Places(4)
    assert await taken(places, 4) == 4
    places.refused()
    assert places.limit == 2
    for _ in range(2):
        places.succeeded()
    assert places.limit == 3
    for _ in range(100):
        places.succeeded()
    assert places.limit == 4


async def test_one_has_a_place_however_often_it_is_refused() -> None:
    clock = Clock()
    places = Places(8, clock=clock)
    for _ in range(10):
        clock.now += 10
        places.refused()
    assert await taken(places, 3) == 1


async def test_no_process_is_started_for_which_there_is_no_memory() -> None:
    clock, free = Clock(), [3 * SERVER_MEMORY]
    places = Places(8, memory=lambda: free[0], clock=clock)
    # Those that have just begun have not taken theirs yet.
    assert await taken(places, 8) == 3
    clock.now += 10
    free[0] = SERVER_MEMORY // 2
    assert await taken(places, 1) == 0
    free[0] = 2 * SERVER_MEMORY
    assert await taken(places, 3) == 2


async def test_one_is_started_however_little_memory_there_is() -> None:
    places = Places(8, memory=lambda: 0)
    assert await taken(places, 3) == 1
    places.give_back()
    assert await taken(places, 3) == 1


async def test_a_system_that_does_not_say_what_is_free_stops_nobody() -> None:
    assert await taken(Places(8, memory=lambda: None), 10) == 8


def test_the_free_memory_of_this_system_is_a_number_or_unknown() -> None:
    free = available_memory()
    assert free is None or free > 0


async def test_whoever_waits_and_is_given_up_takes_no_place() -> None:
    places = Places(1)
    await places.take()
    assert await taken(places, 5) == 0
    places.give_back()
    assert await taken(places, 5) == 1


class Busy:
    """A runner that is refused while more than so many run."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.running = self.peak = 0

    async def run(self, request: TurnRequest) -> TurnResult:  # noqa: ARG002
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            if self.running > self.most:
                raise ServerBusyError("thread/start: Server overloaded; retry later.", rpc_code=-32001)
            await anyio.sleep(0.01)
        finally:
            self.running -= 1
        return RESULT


def test_many_calls_on_a_server_that_bears_few_all_get_their_turn() -> None:
    places, busy = Places(64), Busy(5)
    queued: list[Event] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(64):
                retry = Retry(busy, attempts=20, on_busy=places.refused)
                tasks.start_soon(Concurrency(retry, places).run, TurnRequest(text="hello", observer=queued.append))

    anyio.run(main, backend="trio", backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)})
    assert busy.peak <= 64
    assert places.limit < 64


async def test_a_call_says_that_it_waited_and_only_then() -> None:
    events: list[Event] = []
    places, busy = Places(1), Busy(5)
    request = TurnRequest(text="hello", observer=events.append)
    await Concurrency(busy, places).run(request)
    assert events == []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(Concurrency(busy, places).run, request)
    assert [event.phase for event in events if isinstance(event, PhaseReached)] == ["queued"]
