"""The same question asked at the same moment: one call, and for each an answer and a deadline of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import anyio
import anyio.abc
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import (
    CodexOAuthError,
    DeadlineExceededError,
    NetworkUnavailableError,
    TurnInterruptedError,
    UsageLimitReachedError,
)
from codex_oauth.gate import PermissionRequest, Verdict, classify
from codex_oauth.gate.flights import Flights, flight_key
from codex_oauth.gate.hook import HookAnswer
from codex_oauth.gate.hook import answer as answer_to
from codex_oauth.gate.settling import Question
from codex_oauth.metrics import read
from codex_oauth.testing import Hang, LoopbackChatGPT, usage_limit_reached
from codex_oauth.types import Account, Reply, Timing, Usage
from tests.gate.answers import answer
from tests.gate.test_hook import ALLOW
from tests.gate.test_request import CLAUDE_BASH

pytestmark = pytest.mark.anyio

LONG: Final = 30.0
"""Seconds that no test takes."""


def reply() -> Reply[Any]:
    return Reply(
        output={"behavior": "allow"}, text="", usage=Usage(input=7), model="m", effort=None,
        account=Account(kind="chatgpt"), timing=Timing(thread=0.0, completed=1e6, total=1e6), repaired=False,
        warm=True, turn_id="1",
    )  # fmt: skip


class Calls:
    """Calls that end when they are told to, each with a reply or an error; and what those got who asked for them."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []
        self.cancelled = 0
        self.got: dict[str, tuple[Reply[Any], bool] | CodexOAuthError] = {}
        self._ends: list[anyio.Event] = []
        self._failures: dict[int, Exception] = {}

    async def make(self, timeout: float) -> Reply[Any]:
        """A call. Its own deadline is an error, as that of a client's call is."""
        number = len(self.timeouts)
        self.timeouts.append(timeout)
        self._ends.append(anyio.Event())
        try:
            with anyio.move_on_after(timeout):
                await self._ends[number].wait()
                if number in self._failures:
                    raise self._failures[number]
                return reply()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        raise DeadlineExceededError("late")

    def end(self, number: int, failure: Exception | None = None) -> None:
        """Let a call end."""
        if failure is not None:
            self._failures[number] = failure
        self._ends[number].set()

    async def ask(
        self, flights: Flights, tasks: anyio.abc.TaskGroup, name: str, timeout: float = LONG, key: str = "same"
    ) -> anyio.CancelScope:
        """Another one asks, and waits when this returns."""
        scope = anyio.CancelScope()

        async def fly() -> None:
            with scope:
                try:
                    self.got[name] = await flights.fly(key, self.make, timeout=timeout)
                except CodexOAuthError as error:
                    self.got[name] = error

        tasks.start_soon(fly)
        await anyio.wait_all_tasks_blocked()
        return scope


async def test_one_call_is_made_for_all_who_ask_the_same_and_each_has_an_answer() -> None:
    calls = Calls()
    async with Flights() as flights, anyio.create_task_group() as tasks:
        for name in "abc":
            await calls.ask(flights, tasks, name)
        await calls.ask(flights, tasks, "d", key="other")
        assert len(calls.timeouts) == 2
        calls.end(0)
        calls.end(1)
        await anyio.wait_all_tasks_blocked()
        await calls.ask(flights, tasks, "e")
        calls.end(2)
    found = {name: got for name, got in calls.got.items() if isinstance(got, tuple)}
    assert {name: shared for name, (_, shared) in found.items()} == {
        "a": False, "b": True, "c": True, "d": False, "e": False
    }  # fmt: skip
    # One call was paid for, and whoever changes an answer changes their own.
    assert [found[name][0].usage.input for name in "abc"] == [7, 0, 0]
    found["b"][0].output["behavior"] = "deny"
    assert [found[name][0].output["behavior"] for name in "ac"] == ["allow", "allow"]


async def test_the_times_of_a_shared_call_are_those_since_one_asked() -> None:
    calls = Calls()
    async with Flights() as flights, anyio.create_task_group() as tasks:
        await calls.ask(flights, tasks, "first")
        await calls.ask(flights, tasks, "later")
        calls.end(0)
    (first, _), (later, _) = (got for _, got in sorted(calls.got.items()) if isinstance(got, tuple))
    assert first.began is not None
    assert later.began is not None
    assert first.began < later.began
    # The turn had begun before the later one asked, and ended at one moment for both.
    assert later.timing.thread == 0.0
    ended = [(each.timing.completed or 0.0) + (each.began or 0.0) * 1000 for each in (first, later)]
    assert ended[0] == pytest.approx(ended[1], abs=0.01)


@pytest.mark.parametrize("leaving", [("a",), ("b",), ("a", "b")], ids=str)
async def test_who_leaves_leaves_the_others_their_answer(leaving: tuple[str, ...]) -> None:
    calls = Calls()
    async with Flights() as flights, anyio.create_task_group() as tasks:
        scopes = {name: await calls.ask(flights, tasks, name) for name in "abc"}
        for name in leaving:
            scopes[name].cancel()
        await anyio.wait_all_tasks_blocked()
        assert calls.cancelled == 0
        calls.end(0)
    assert sorted(calls.got) == sorted(set("abc") - set(leaving))
    assert len(calls.timeouts) == 1


async def test_a_call_that_nobody_waits_for_is_ended_and_who_comes_then_has_another() -> None:
    calls = Calls()
    async with Flights() as flights, anyio.create_task_group() as tasks:
        scopes = [await calls.ask(flights, tasks, name) for name in "ab"]
        for scope in scopes:
            scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert calls.cancelled == 1
        await calls.ask(flights, tasks, "c")
        assert len(calls.timeouts) == 2
        calls.end(1)
    assert [name for name, got in calls.got.items() if isinstance(got, tuple) and not got[1]] == ["c"]


async def test_a_failure_is_everybodys() -> None:
    calls = Calls()
    failure = UsageLimitReachedError("used up")
    async with Flights() as flights, anyio.create_task_group() as tasks:
        for name in "abc":
            await calls.ask(flights, tasks, name)
        calls.end(0, failure)
    assert list(calls.got.values()) == [failure] * 3
    assert len(calls.timeouts) == 1


@pytest.mark.parametrize("failure", [DeadlineExceededError("late"), NetworkUnavailableError("no network")], ids=repr)
async def test_the_deadline_of_who_began_is_nobody_elses(failure: CodexOAuthError) -> None:
    calls = Calls()
    async with Flights() as flights, anyio.create_task_group() as tasks:
        await calls.ask(flights, tasks, "a")
        for name in "bc":
            await calls.ask(flights, tasks, name)
        calls.end(0, failure)
        await anyio.wait_all_tasks_blocked()
        assert calls.got == {"a": failure}
        # One of them has made another call, for both, with the time that it has left.
        assert len(calls.timeouts) == 2
        assert calls.timeouts[1] < LONG
        calls.end(1)
    assert sorted(got[1] for got in calls.got.values() if isinstance(got, tuple)) == [False, True]


async def test_who_has_no_time_left_for_another_call_has_the_failure_that_is_there() -> None:
    calls = Calls()
    failure = NetworkUnavailableError("no network")
    async with Flights() as flights, anyio.create_task_group() as tasks:
        await calls.ask(flights, tasks, "a")
        await calls.ask(flights, tasks, "b", timeout=0.05)
        calls.end(0, failure)
    assert list(calls.got.values()) == [failure, failure]


async def test_each_keeps_its_own_deadline() -> None:
    calls = Calls()
    async with Flights() as flights, anyio.create_task_group() as tasks:
        await calls.ask(flights, tasks, "a")
        with anyio.fail_after(LONG):
            with pytest.raises(DeadlineExceededError, match=r"no reply within 0.05 s"):
                await flights.fly("same", calls.make, timeout=0.05)
        assert calls.got == {}
        assert calls.cancelled == 0
        calls.end(0)
    assert isinstance(calls.got["a"], tuple)


async def test_what_ends_ends_its_calls_and_takes_no_more() -> None:
    calls = Calls()
    flights = Flights()
    async with anyio.create_task_group() as tasks:
        async with flights:
            for name in "ab":
                await calls.ask(flights, tasks, name)
        await anyio.wait_all_tasks_blocked()
    assert {type(got) for got in calls.got.values()} == {TurnInterruptedError}
    assert (len(calls.got), calls.cancelled) == (2, 1)
    calls.got.clear()
    async with anyio.create_task_group() as tasks:
        await calls.ask(flights, tasks, "c")
    assert isinstance(calls.got["c"], TurnInterruptedError)


def test_a_question_is_the_same_where_every_word_the_model_and_the_wallet_are(settings: Settings) -> None:
    asked = Question(text="t", instructions="i", model=None, effort=None, timeout=None)
    same = flight_key(asked, settings)
    assert flight_key(replace(asked, timeout=5.0), settings) == same
    others = [
        flight_key(replace(asked, **changed), settings)
        for changed in ({"text": "u"}, {"instructions": "j"}, {"model": "m"}, {"effort": "low"})
    ]
    others += [flight_key(asked, replace(settings, **changed)) for changed in ({"profile": "work"}, {"model": "n"})]
    assert len({same, *others}) == 7


# --- on the real binary -----------------------------------------------------------------------------------------


async def test_hooks_that_ask_the_same_share_a_call_and_each_has_an_answer_and_a_line(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = answer("allow")
    answers: list[HookAnswer] = []

    async def hook(command: str, session: str) -> None:
        payload = {**CLAUDE_BASH, "session_id": session, "tool_input": {"command": command}}
        answers.append(await answer_to(json.dumps(payload).encode(), "claude", codex, flights=flights))

    async with codex, Flights() as flights, anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(hook, "git status", f"session {number}")
        tasks.start_soon(hook, "git diff", "another")
    assert [got.stdout for got in answers] == [ALLOW] * 6
    assert len(chatgpt.model_requests) == 2
    assert settings.metrics is not None
    entries = list(read(settings.metrics))
    assert sorted(entry["shared"] for entry in entries) == [False, False, True, True, True, True]
    assert len({entry["gate"]["session"] for entry in entries}) == 6
    for entry in entries:
        assert (entry["tokens"]["input"] == 0) == entry["shared"]
        assert entry["phases"]["asked"] <= entry["phases"]["completed"] <= entry["phases"]["total"]


async def test_a_failure_of_a_shared_call_is_a_failure_for_each_who_asked(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = usage_limit_reached()
    found: list[type[Exception]] = []

    async def judge() -> None:
        try:
            await classify(PermissionRequest.from_command("ls"), codex=codex, flights=flights)
        except CodexOAuthError as error:
            found.append(type(error))

    async with codex, Flights() as flights, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(judge)
    assert found == [UsageLimitReachedError] * 3
    assert len(chatgpt.model_requests) == 1


async def test_who_is_cancelled_in_a_shared_call_stops_nobodys_turn(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    gate = Hang()
    chatgpt.script(gate)
    chatgpt.default = answer("allow")
    found: list[Verdict] = []

    async def judge(scope: anyio.CancelScope, timeout: float) -> None:
        with scope:
            request = PermissionRequest.from_command("ls")
            found.append(await classify(request, codex=codex, flights=flights, timeout=timeout))

    first, second = anyio.CancelScope(), anyio.CancelScope()
    async with codex, Flights() as flights, anyio.create_task_group() as tasks:
        tasks.start_soon(judge, first, 1.5)
        await anyio.to_thread.run_sync(chatgpt.wait_until, lambda: len(chatgpt.model_requests) == 1)
        tasks.start_soon(judge, second, LONG)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
    # What the first had begun goes on, to its deadline; then the second has a call of its own.
    assert [verdict.behavior for verdict in found] == ["allow"]
    assert len(chatgpt.model_requests) == 2
