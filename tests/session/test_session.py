"""A session against app-servers that misbehave before there is a turn."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import pytest

from codex_oauth.errors import (
    AccountError,
    CodexOAuthError,
    ForeignInstructionsError,
    LineTooLongError,
    NotLoggedInError,
    ProtocolError,
    ReauthenticationRequired,
    RpcError,
    ServerCrashedError,
    WrongAccountError,
)
from codex_oauth.events import Event, PhaseReached
from codex_oauth.session import TurnRequest, open_session
from tests.conftest import WAITS
from tests.process.test_child import exists
from tests.scripted import (
    Script,
    Scripted,
    Step,
    close_stdout,
    die,
    ended,
    eventually,
    hang,
    notify,
    raw,
    refuse,
    reply,
    stderr,
)

pytestmark = pytest.mark.anyio

REQUEST = TurnRequest(text="hello", instructions="be brief", model="m")


async def test_a_healthy_app_server_is_asked_all_it_can_be_asked_at_once(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path)
    events: list[Event] = []
    async with open_session(scripted.server(first=REQUEST), events.append) as session:
        result = await session.run(REQUEST)
    assert (result.text, result.account.plan, session.codex_version) == ("ok", "plus", "0.200.0")
    assert scripted.methods() == ["initialize", "initialized", "account/read", "thread/start", "turn/start"]
    assert [event.phase for event in events if isinstance(event, PhaseReached)] == ["spawn", "initialize", "account"]
    assert all(not exists(pid) for pid in scripted.pids())


@pytest.mark.parametrize("method", ["initialize", "account/read", "thread/start"])
async def test_a_crash_is_told_with_status_and_last_words(tmp_path: Path, method: str) -> None:
    scripted = Scripted(tmp_path, Script({method: (stderr("thread 'main' panicked\n"), die(101))}))
    with pytest.raises(ServerCrashedError) as caught:
        async with open_session(scripted.server()) as session:
            await session.run(REQUEST)
    assert caught.value.exit_code == 101
    assert caught.value.stderr_tail == "thread 'main' panicked\n"


async def test_a_crash_by_a_signal_is_told_too(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, Script({"account/read": (die(-9),)}))
    with pytest.raises(ServerCrashedError) as caught:
        async with open_session(scripted.server()):
            pass
    assert caught.value.exit_code == -9


async def test_an_app_server_that_only_closes_its_output_is_gone_too(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, Script({"thread/start": (close_stdout(), hang())}))
    with anyio.fail_after(5), pytest.raises(ServerCrashedError, match="closed its output"):
        async with open_session(scripted.server()) as session:
            await session.run(REQUEST)
    assert ended(*scripted.pids())


@WAITS
@pytest.mark.parametrize("method", ["initialize", "account/read", "thread/start"])
@pytest.mark.parametrize("steps", [(hang(),), (), (raw('{"id": 1, "res'), hang())], ids=["hang", "silence", "mid-line"])
async def test_a_caller_that_has_waited_enough_gets_away_and_the_process_goes(
    tmp_path: Path, method: str, steps: tuple[Step, ...]
) -> None:
    scripted = Scripted(tmp_path, Script({method: steps}))
    began = time.monotonic()
    with anyio.move_on_after(0.4) as scope:
        async with open_session(scripted.server()) as session:
            await session.run(REQUEST)
    assert scope.cancelled_caught
    assert time.monotonic() - began < 0.9
    assert ended(*scripted.pids())


@WAITS
async def test_a_caller_gets_away_from_a_process_that_ignores_everything(tmp_path: Path) -> None:
    deaf = Script({"thread/start": (hang(),)}, ignores=("SIGTERM",), ignores_eof=True)
    scripted = Scripted(tmp_path, deaf)
    began = time.monotonic()
    with anyio.move_on_after(0.4):
        async with open_session(scripted.server(grace=1)) as session:
            await session.run(REQUEST)
    assert time.monotonic() - began < 0.9
    (pid,) = scripted.pids()
    assert exists(pid)
    assert ended(pid)


@pytest.mark.parametrize(
    ("account", "error"),
    [
        ({"account": None, "requiresOpenaiAuth": True}, ReauthenticationRequired),
        ({"account": {"type": "apiKey"}, "requiresOpenaiAuth": True}, WrongAccountError),
        ({"account": {"type": "amazonBedrock"}, "requiresOpenaiAuth": False}, WrongAccountError),
        ({"account": {"type": "of 2031"}, "requiresOpenaiAuth": True}, WrongAccountError),
        ({"account": {"type": "chatgpt"}, "requiresOpenaiAuth": True}, ProtocolError),
        ({}, ProtocolError),
    ],
)
async def test_no_turn_is_started_for_another_wallet(
    tmp_path: Path, account: dict[str, object], error: type[CodexOAuthError]
) -> None:
    scripted = Scripted(tmp_path, Script({"account/read": (reply(account),)}))
    with pytest.raises(error):
        async with open_session(scripted.server(first=REQUEST)) as session:
            await session.run(REQUEST)
    assert "turn/start" not in scripted.methods()


async def test_whoever_never_signed_in_is_told_so(tmp_path: Path) -> None:
    from dataclasses import replace

    scripted = Scripted(tmp_path, Script({"account/read": (reply({"account": None, "requiresOpenaiAuth": True}),)}))
    with pytest.raises(NotLoggedInError) as caught:
        async with open_session(replace(scripted.server(first=REQUEST), signed_in=False)):
            pass
    assert isinstance(caught.value, AccountError)
    assert "thread/start" not in scripted.methods()


async def test_instructions_of_others_stop_the_call_before_its_turn(tmp_path: Path) -> None:
    thread = {"id": "{thread}", "ephemeral": True, "path": None}
    started = {"cwd": "/", "model": "m", "modelProvider": "openai", "thread": thread}
    scripted = Scripted(tmp_path, Script({"thread/start": (reply({**started, "instructionSources": ["/AGENTS.md"]}),)}))
    async with open_session(scripted.server()) as session:
        with pytest.raises(ForeignInstructionsError) as caught:
            await session.run(REQUEST)
        assert await anyio.to_thread.run_sync(eventually, lambda: scripted.methods()[-1] == "thread/unsubscribe")
    assert caught.value.sources == ("/AGENTS.md",)
    assert "turn/start" not in scripted.methods()


async def test_a_refused_request_is_an_rpc_error_and_ends_nothing(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path, Script({"thread/start": [(refuse(-32600),), (refuse(-32603),)]}))
    async with open_session(scripted.server()) as session:
        for code in (-32600, -32603):
            with pytest.raises(RpcError) as caught:
                await session.run(REQUEST)
            assert caught.value.rpc_code == code
        assert session.usable


async def test_noise_and_news_from_a_later_version_change_nothing(tmp_path: Path) -> None:
    noise = (
        raw("a stray print\n\n\x00\xff\n[]\n"),
        notify("of/2031", threadId="{thread}", turn="odd"),
        notify("of/2032", threadId="{thread}", turn={"id": ["odd"]}),
        notify("of/2033", threadId="{thread}", turnId={"odd": 1}),
        notify("account/rateLimits/updated", rateLimits={"primary": {"usedPercent": "odd", "resetsAt": []}}),
        notify("account/rateLimits/updated", rateLimits=[]),
        notify("of/2034"),
    )
    scripted = Scripted(
        tmp_path,
        Script({"thread/unsubscribe": (*noise, reply({"status": "x"})), "account/read": noise + HEALTHY_ACCOUNT}),
    )
    async with open_session(scripted.server()) as session:
        first = await session.run(REQUEST)
        session.release(first.thread)
        second = await session.run(REQUEST)
        assert (first.text, second.text) == ("ok", "ok")
        assert session.dispatcher.unreadable_lines > 0


HEALTHY_ACCOUNT: tuple[Step, ...] = (
    reply({"account": {"type": "chatgpt", "email": None, "planType": "plus"}, "requiresOpenaiAuth": True}),
)


async def test_an_endless_line_ends_a_waiting_turn_and_the_session(tmp_path: Path) -> None:
    started = reply({"turn": {"id": "{turn}", "status": "inProgress"}})
    scripted = Scripted(tmp_path, Script({"turn/start": (started, raw("x" * 65536, 2000))}))
    async with open_session(scripted.server()) as session:
        with anyio.fail_after(20):
            with pytest.raises(LineTooLongError):
                await session.run(REQUEST)
            assert not session.usable
            await session.wait_ended()
