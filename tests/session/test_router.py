"""Notifications find their thread's route, in order, and a route's end comes after everything that came before."""

from __future__ import annotations

import anyio
import pytest

from codex_oauth.errors import ServerCrashedError
from codex_oauth.session.router import Router

pytestmark = pytest.mark.anyio


async def test_a_route_gets_its_own_threads_notifications_in_order() -> None:
    router = Router()
    with router.open("a") as a, router.open("b") as b:
        for number in range(3):
            assert router.deliver(f"a{number}", {"threadId": "a"})
            assert router.deliver(f"b{number}", {"threadId": "b"})
        assert [(await a.next()).method for _ in range(3)] == ["a0", "a1", "a2"]
        assert [(await b.next()).method for _ in range(3)] == ["b0", "b1", "b2"]


async def test_what_belongs_to_no_route_is_dropped() -> None:
    router = Router()
    with router.open("a"):
        for params in ({}, {"threadId": "b"}, {"threadId": None}, {"threadId": ["a"]}):
            assert not router.deliver("x", params)
    assert not router.deliver("x", {"threadId": "a"})


async def test_whoever_waits_is_woken_by_the_next_one() -> None:
    router = Router()
    got: list[str] = []
    with router.open("a") as route:
        async with anyio.create_task_group() as tasks:

            async def take() -> None:
                got.append((await route.next()).method)

            tasks.start_soon(take)
            await anyio.wait_all_tasks_blocked()
            router.deliver("x", {"threadId": "a"})
        assert got == ["x"]


async def test_the_end_comes_after_what_came_before_it_and_for_ever() -> None:
    router = Router()
    with router.open("a") as route:
        router.deliver("last", {"threadId": "a"})
        router.end(ServerCrashedError("gone"))
        assert (await route.next()).method == "last"
        for _ in range(2):
            with pytest.raises(ServerCrashedError):
                await route.next()
    with router.open("late") as late, pytest.raises(ServerCrashedError):
        await late.next()


async def test_a_second_route_of_a_thread_takes_over_and_outlives_the_first() -> None:
    router = Router()
    with router.open("a") as second_of_two:
        with router.open("a") as route:
            router.deliver("x", {"threadId": "a"})
            assert (await route.next()).method == "x"
        assert not router.deliver("y", {"threadId": "a"})
    assert second_of_two is not route
