"""A turn against app-servers that misbehave in the middle of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from codex_oauth.errors import (
    ContextWindowExceededError,
    EmptyReplyError,
    ForbiddenItemError,
    ProtocolError,
    ServerBusyError,
    ServerCrashedError,
    TurnFailedError,
    TurnInterruptedError,
)
from codex_oauth.events import Event, TextDelta, TurnCompleted, UnknownEvent
from codex_oauth.session import TurnRequest, open_session
from tests.conftest import WAITS
from tests.scripted import (
    TURN,
    Script,
    Scripted,
    Step,
    ask,
    die,
    ended,
    eventually,
    hang,
    notify,
    refuse,
    reply,
    stderr,
    turn_completed,
    turn_item,
)

pytestmark = pytest.mark.anyio

REQUEST = TurnRequest(text="hello", model="m")
STARTED = reply({"turn": TURN})
ANSWER = turn_item("agentMessage", "item/completed", text="answer", phase="final_answer")


def turn(*steps: Step) -> Script:
    return Script({"turn/start": steps})


async def run(scripted: Scripted, request: TurnRequest = REQUEST) -> str:
    async with open_session(scripted.server()) as session:
        with anyio.fail_after(10):
            return (await session.run(request)).text


async def test_a_turn_may_end_before_the_answer_to_its_start(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, turn(ANSWER, turn_completed(), STARTED))
    assert await run(scripted) == "answer"


async def test_what_other_turns_and_threads_say_is_not_heard(tmp_path: Path) -> None:
    def foreign(thread: str, of_turn: str) -> tuple[Step, ...]:
        item = {"type": "agentMessage", "id": "x", "text": "wrong", "phase": "final_answer"}
        place = {"threadId": thread, "turnId": of_turn}
        return (
            notify("item/completed", item=item, **place),
            notify("item/agentMessage/delta", itemId="x", delta="wrong", **place),
            notify("item/started", item={**item, "type": "commandExecution"}, **place),
            turn_completed("failed", turn=of_turn, thread=thread),
        )

    events: list[Event] = []
    steps = (STARTED, *foreign("other", "{turn}"), *foreign("{thread}", "other"), ANSWER, turn_completed())
    assert await run(Scripted(tmp_path, turn(*steps)), replace(REQUEST, observer=events.append)) == "answer"
    assert [event for event in events if isinstance(event, TextDelta)] == []


async def test_messages_that_come_twice_change_nothing(tmp_path: Path) -> None:
    events: list[Event] = []
    steps = (STARTED, STARTED, ANSWER, ANSWER, turn_completed(), turn_completed())
    assert await run(Scripted(tmp_path, turn(*steps)), replace(REQUEST, observer=events.append)) == "answer"
    assert len([event for event in events if isinstance(event, TurnCompleted)]) == 1


async def test_a_notification_of_a_later_version_is_an_unknown_event(tmp_path: Path) -> None:
    events: list[Event] = []
    news = notify("turn/mood", threadId="{thread}", turnId="{turn}", mood="bright")
    odd = notify("turn/odd", threadId="{thread}", turn="no object")
    steps = (STARTED, news, odd, ANSWER, turn_completed())
    assert await run(Scripted(tmp_path, turn(*steps)), replace(REQUEST, observer=events.append)) == "answer"
    assert [event.method for event in events if isinstance(event, UnknownEvent)] == ["turn/mood", "turn/odd"]


@pytest.mark.parametrize("method", ["item/started", "item/completed"])
@pytest.mark.parametrize("kind", ["commandExecution", "fileChange", "mcpToolCall", "webSearch", "of 2031"])
async def test_an_item_that_is_no_answer_fails_the_turn_and_stops_it(tmp_path: Path, kind: str, method: str) -> None:
    scripted = Scripted(tmp_path, turn(STARTED, turn_item(kind, method)))
    with pytest.raises(ForbiddenItemError) as caught:
        await run(scripted)
    assert caught.value.item_type == kind
    (interrupt,) = [message for message in scripted.received() if message.get("method") == "turn/interrupt"]
    assert interrupt["params"] == {"threadId": "thread-1", "turnId": "turn-1"}


async def test_a_conversation_that_codex_would_shorten_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ContextWindowExceededError, match="nine tenths"):
        await run(Scripted(tmp_path, turn(STARTED, turn_item("contextCompaction"))))


async def test_an_approval_that_is_asked_for_in_a_turn_is_declined(tmp_path: Path) -> None:
    approval = ask(
        "q-1", "item/commandExecution/requestApproval", threadId="{thread}", turnId="{turn}", itemId="i", command="rm"
    )
    scripted = Scripted(tmp_path, turn(STARTED, approval, ANSWER, turn_completed()))
    refusal = {"id": "q-1", "result": {"decision": "decline"}}
    async with open_session(scripted.server()) as session:
        assert (await session.run(REQUEST)).text == "answer"
        assert await anyio.to_thread.run_sync(eventually, lambda: refusal in scripted.received())


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ((STARTED, turn_completed()), EmptyReplyError),
        ((STARTED, ANSWER, turn_completed("interrupted")), TurnInterruptedError),
        ((STARTED, ANSWER, turn_completed("failed")), TurnFailedError),
        ((STARTED, ANSWER, turn_completed("of 2031")), TurnFailedError),
        ((STARTED, notify("turn/completed", threadId="{thread}", turn={"id": "{turn}"})), ProtocolError),
        ((STARTED, notify("item/started", threadId="{thread}", turnId="{turn}")), ProtocolError),
        ((reply({"turn": {}}),), ProtocolError),
    ],
)
async def test_a_turn_that_gives_no_answer_is_an_error(
    tmp_path: Path, steps: tuple[Step, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await run(Scripted(tmp_path, turn(*steps)))


async def test_a_crash_in_a_turn_is_told_with_status_and_last_words(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, turn(STARTED, stderr("out of luck\n"), die(101)))
    with pytest.raises(ServerCrashedError) as caught:
        await run(scripted)
    assert (caught.value.exit_code, caught.value.stderr_tail) == (101, "out of luck\n")


# --- leaving a turn --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answered", [True, False])
async def test_a_cancelled_call_interrupts_its_turn_and_spares_the_process(tmp_path: Path, answered: bool) -> None:
    begun = notify("turn/started", threadId="{thread}", turn=TURN)
    steps = (STARTED, begun) if answered else (begun,)
    healthy = Script({"turn/start": [steps, (STARTED, ANSWER, turn_completed())]})
    scripted = Scripted(tmp_path, healthy)
    async with open_session(scripted.server()) as session:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.run, REQUEST)
            await anyio.to_thread.run_sync(eventually, lambda: "turn/start" in scripted.methods())
            tasks.cancel_scope.cancel()
        assert (await session.run(REQUEST)).text == "answer"
        assert session.usable
    methods = scripted.methods()
    assert methods[methods.index("turn/start") :][:3] == ["turn/start", "turn/interrupt", "thread/unsubscribe"]


@WAITS
async def test_an_interrupt_that_is_ignored_ends_the_process(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, Script({"turn/start": (STARTED,), "turn/interrupt": ()}))
    async with open_session(scripted.server()) as session:
        began = time.monotonic()
        with anyio.move_on_after(0.3):
            await session.run(REQUEST)
        assert time.monotonic() - began < 3
        assert not session.usable  # for others; those under way may end first
        with anyio.fail_after(10):
            await session.wait_ended()
        (pid,) = scripted.pids()
        assert ended(pid)


@WAITS
async def test_a_turn_that_was_refused_is_not_interrupted_and_costs_nobody_the_process(tmp_path: Path) -> None:
    refusing = Script({"turn/start": [(refuse(-32001),), (STARTED, ANSWER, turn_completed())]})
    scripted = Scripted(tmp_path, refusing)
    async with open_session(scripted.server()) as session:
        began = time.monotonic()
        with pytest.raises(ServerBusyError):
            await session.run(REQUEST)
        assert time.monotonic() - began < 0.1
        assert (await session.run(REQUEST)).text == "answer"
        with anyio.move_on_after(6) as scope:  # longer than a suspected process is given
            await session.wait_ended()
        assert scope.cancelled_caught
    assert "turn/interrupt" not in scripted.methods()


async def test_a_turn_that_hangs_delays_no_other_one(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, Script({"turn/start": [(STARTED,), (STARTED, ANSWER, turn_completed())]}))
    async with open_session(scripted.server()) as session, anyio.create_task_group() as tasks:
        tasks.start_soon(session.run, REQUEST)
        await anyio.to_thread.run_sync(eventually, lambda: "turn/start" in scripted.methods())
        with anyio.fail_after(2):
            for _ in range(20):
                assert (await session.run(REQUEST)).text == "answer"
        tasks.cancel_scope.cancel()


async def test_a_thread_whose_turn_failed_is_let_go_of(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, turn(STARTED, turn_completed("failed")))
    async with open_session(scripted.server()) as session:
        with pytest.raises(TurnFailedError):
            await session.run(REQUEST)
        assert await anyio.to_thread.run_sync(eventually, lambda: scripted.methods()[-1] == "thread/unsubscribe")


async def test_thirty_megabytes_to_a_process_that_stopped_reading_can_be_given_up(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, Script({"thread/start": (hang(),)}))
    began = time.monotonic()
    with anyio.move_on_after(0.5):
        async with open_session(scripted.server()) as session:
            await session.run(replace(REQUEST, instructions="x" * 30_000_000))
    assert time.monotonic() - began < 2
    assert ended(*scripted.pids())
