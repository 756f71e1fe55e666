"""A turn without an event loop, with an app-server that misbehaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.errors import ForbiddenItemError, ProtocolError, ServerCrashedError, UsageLimitReachedError
from codex_oauth.events import PhaseReached
from codex_oauth.session.opening import Late, NotBegun
from tests.scripted import (
    TURN,
    Steps,
    ask,
    close_stdout,
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
from tests.session.oneshots import ACCEPTED, ANSWER, Call

FAILED: Final = notify(
    "turn/completed",
    threadId="{thread}",
    turn={
        **TURN,
        "status": "failed",
        "error": {"message": "You've hit your usage limit.", "codexErrorInfo": "usageLimitExceeded"},
    },
)
LIMITS: Final = notify(
    "account/rateLimits/updated",
    rateLimits={
        "primary": {"usedPercent": 100, "windowDurationMins": 300, "resetsAt": 1_800_000_000},
        "planType": "plus",
    },
)


@pytest.mark.parametrize("ahead", [False, True])
def test_a_healthy_turn_is_answered(call: Callable[..., Call], ahead: bool) -> None:
    one = call()
    result = one.result(ahead=ahead)
    assert (result.text, result.model, result.turn_id) == ("ok", "m", "turn-1")
    assert (result.usage.input, result.usage.output, result.account.plan) == (1, 2, "plus")
    assert one.scripted.methods() == ["initialize", "initialized", "account/read", "thread/start", "turn/start"]
    reached = [event.phase for event in one.events if isinstance(event, PhaseReached)]
    assert reached == ["initialize", "account", "thread", "first_event", "first_text", "completed"]


def test_a_refused_turn_has_not_begun(call: Callable[..., Call]) -> None:
    with pytest.raises(NotBegun, match="refused"):
        call(turn_start=(refuse(-32602),)).result()


@pytest.mark.parametrize("accepted", [(), (ACCEPTED,)], ids=["before it is accepted", "after it is accepted"])
def test_a_crash_in_a_turn_is_told_with_status_and_last_words(call: Callable[..., Call], accepted: Steps) -> None:
    one = call(turn_start=(*accepted, stderr("x" * 60_000 + "\nlast words"), die(3)))
    with pytest.raises(ServerCrashedError) as caught:
        one.result()
    assert caught.value.exit_code == 3
    assert caught.value.stderr_tail.endswith("x\nlast words")
    assert len(caught.value.stderr_tail) <= 16 * 1024


def test_an_app_server_that_only_closes_its_output_is_told_without_a_status(call: Callable[..., Call]) -> None:
    began = time.monotonic()
    with pytest.raises(ServerCrashedError) as caught:
        call(turn_start=(ACCEPTED, close_stdout())).result()
    assert caught.value.exit_code is None
    assert time.monotonic() - began < 5


def test_where_nobody_can_know_an_exit_status_there_is_none(call: Callable[..., Call]) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(ServerCrashedError) as caught:
            call(turn_start=(ACCEPTED, stderr("why"), die(3))).result()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (caught.value.exit_code, caught.value.stderr_tail) == (None, "why")


def test_questions_are_declined_in_their_own_form(call: Callable[..., Call]) -> None:
    forms: dict[str, Any] = {
        "item/commandExecution/requestApproval": {"decision": "decline"},
        "item/fileChange/requestApproval": {"decision": "decline"},
        "item/permissions/requestApproval": {"permissions": {}},
        "item/tool/requestUserInput": {"answers": {}},
        "mcpServer/elicitation/request": {"action": "decline"},
        "applyPatchApproval": {"decision": "abort"},
        "execCommandApproval": {"decision": "abort"},
    }
    unknown = ("attestation/generate", "never/heard/of", "account/chatgptAuthTokens/refresh")
    asked = [ask(f"q-{method}", method, threadId="{thread}") for method in (*forms, *unknown)]
    one = call(turn_start=(ACCEPTED, *asked, ANSWER, turn_completed()))
    assert one.result().text == "mine"
    expected = len(asked)
    assert eventually(lambda: sum("method" not in message for message in one.scripted.received()) == expected)
    answers = {message["id"]: message for message in one.scripted.received() if "method" not in message}
    for method, form in forms.items():
        assert answers[f"q-{method}"]["result"] == form
    for method in unknown:
        assert answers[f"q-{method}"]["error"]["code"] == -32601


@pytest.mark.parametrize("steps", [(LIMITS, ACCEPTED, FAILED), (ACCEPTED, LIMITS, FAILED)], ids=["before", "after"])
def test_a_limit_that_is_reached_says_when_it_lifts(call: Callable[..., Call], steps: Steps) -> None:
    with pytest.raises(UsageLimitReachedError) as caught:
        call(turn_start=steps).result()
    assert (caught.value.resets_at, caught.value.window, caught.value.plan) == (1_800_000_000, 300, "plus")


def test_the_time_is_up_for_who_never_stops_talking(call: Callable[..., Call]) -> None:
    one = call(turn_start=(ACCEPTED, *[notify("warning", threadId="{thread}", message="x" * 500)] * 20_000, hang()))
    began = time.monotonic()
    with pytest.raises(Late):
        one.result(seconds=0.7)
    assert time.monotonic() - began < 5
    os.kill(one.scripted.pids()[0], signal.SIGKILL)


def test_a_turn_whose_time_is_up_is_interrupted(call: Callable[..., Call]) -> None:
    one = call(turn_start=(ACCEPTED, notify("turn/started", threadId="{thread}", turn=TURN)))
    with pytest.raises(Late):
        one.result(seconds=0.5)
    interrupts = [message["params"] for message in one.scripted.received() if message["method"] == "turn/interrupt"]
    assert interrupts == [{"threadId": "thread-1", "turnId": "turn-1"}]


@pytest.mark.parametrize("method", ["item/started", "item/completed"])
def test_an_item_that_is_no_answer_ends_the_turn(call: Callable[..., Call], method: str) -> None:
    one = call(turn_start=(ACCEPTED, turn_item("commandExecution", method, command="ls"), ANSWER, turn_completed()))
    with pytest.raises(ForbiddenItemError, match="commandExecution"):
        one.result()


def test_an_item_of_a_turn_that_goes_on_interrupts_it(call: Callable[..., Call]) -> None:
    one = call(turn_start=(ACCEPTED, turn_item("webSearch")))
    with pytest.raises(ForbiddenItemError):
        one.result()
    assert one.scripted.methods()[-1] == "turn/interrupt"


def test_another_threads_and_another_turns_messages_are_nobodys(call: Callable[..., Call]) -> None:
    theirs: dict[str, Any] = {"type": "agentMessage", "id": "item-9", "text": "theirs", "phase": None}
    one = call(
        turn_start=(
            notify("item/completed", threadId="other", turnId="{turn}", item=theirs),
            ACCEPTED,
            ANSWER,
            notify("item/completed", threadId="other", turnId="{turn}", item=theirs),
            notify("item/completed", threadId="{thread}", turnId="turn-other", item=theirs),
            notify("item/started", threadId="other", turnId="o", item={**theirs, "type": "commandExecution"}),
            notify("turn/completed", threadId="other", turn={**TURN, "id": "{turn}", "status": "failed"}),
            notify("turn/completed", threadId="{thread}", turn={**TURN, "id": "turn-other", "status": "failed"}),
            turn_completed(),
        )
    )
    assert one.result().text == "mine"


def test_a_turn_that_is_no_turn_is_a_breach_of_the_protocol(call: Callable[..., Call]) -> None:
    with pytest.raises(ProtocolError):
        call(turn_start=(reply({"turn": "none"}),)).result()


def test_ctrl_c_interrupts_the_turn(call: Callable[..., Call]) -> None:
    one = call(turn_start=(ACCEPTED, notify("turn/started", threadId="{thread}", turn=TURN)))
    code = f"""
import sys
from pathlib import Path
from tests.session.oneshots import Call
try:
    Call(Path({str(one.scripted.path)!r})).result(seconds=20)
except KeyboardInterrupt:
    sys.exit(7)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    with process:
        assert eventually(lambda: "turn/start" in one.scripted.methods(), timeout=15)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 7
    assert one.scripted.methods()[-1] == "turn/interrupt"
    assert ended(*one.scripted.pids())
