"""The way to a turn without an event loop, with an app-server that misbehaves."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from codex_oauth.session.opening import Connection, Late, NotBegun, open_turn
from codex_oauth.thin.greeting import greet, thread_path
from codex_oauth.thin.place import write_own
from tests.scripted import (
    close_stdout,
    die,
    ended,
    hang,
    notify,
    raw,
    refuse,
    reply,
    turn_completed,
)
from tests.session.oneshots import ACCEPTED, ANSWER, THREAD, Call, spawned


@pytest.mark.parametrize(
    "script",
    [
        {"initialize": (refuse(-32600),)},
        {"account_read": (refuse(-32603, "workspace routing discovery failed"),)},
        {"thread_start": (refuse(-32001, "Server overloaded; retry later."),)},
        {"initialize": (reply({}),)},
        {"initialize": (reply({"userAgent": 7}),)},
        {"account_read": (reply({"account": None, "requiresOpenaiAuth": True}),)},
        {"account_read": (reply({"account": "chatgpt"}),)},
        {"account_read": (reply({"account": {"type": "apiKey"}}),)},
        {"thread_start": (reply({}),)},
        {"thread_start": (reply({"modelProvider": "openai", "model": "m", "thread": "t"}),)},
        {"thread_start": (reply({"modelProvider": "other", "model": "m", "thread": {"id": "t"}}),)},
        {
            "thread_start": (
                reply(
                    {
                        "modelProvider": "openai",
                        "model": "m",
                        "thread": {"id": "t"},
                        "instructionSources": ["/AGENTS.md"],
                    }
                ),
            )
        },
        {"initialize": (die(1),)},
        {"account_read": (die(-9),)},
        {"thread_start": (close_stdout(),)},
        {"thread_start": (raw('{"id": 11, "result": []}\n'),)},
    ],
)
def test_whatever_is_not_as_usual_before_the_turn_is_left_to_others(call: Callable[..., Call], script: Any) -> None:
    one = call(**script)
    with pytest.raises(NotBegun):
        one.opened()
    assert "turn/start" not in one.scripted.methods()


def test_stray_lines_are_passed_over(call: Callable[..., Call]) -> None:
    stray = raw('\n\xff\xfe\nwarning: {\n[]\n7\n"text"\nnull\n{"id": 99, "result": {}}\n{}\n' + "[" * 100_000 + "\n")
    one = call(
        initialize=(stray, reply({"userAgent": "codex_oauth/1.2 (x)"})),
        turn_start=(stray, ACCEPTED, stray, ANSWER, turn_completed()),
    )
    assert one.result().text == "mine"


def test_a_prompt_of_a_megabyte_is_written_to_who_reads_late(call: Callable[..., Call]) -> None:
    # It writes more than a pipe holds before it reads on: whoever wrote all first would wait for ever.
    chatter = notify("warning", message="x" * 1000)
    one = call(thread_start=(reply(THREAD), *[chatter] * 300))
    text = "prompt" * 200_000
    assert one.result(text).text == "ok"
    (sent,) = [message for message in one.scripted.received() if message.get("method") == "turn/start"]
    assert sent["params"]["input"][0]["text"] == text


@pytest.mark.parametrize("method", ["initialize", "account_read", "thread_start", "turn_start"])
def test_the_time_is_up_wherever_nothing_comes(call: Callable[..., Call], method: str) -> None:
    one = call(**{method: ()})
    began = time.monotonic()
    with pytest.raises(Late):
        one.result(seconds=0.5)
    assert 0.3 < time.monotonic() - began < 5


def test_the_time_is_up_for_who_never_reads_a_long_prompt(call: Callable[..., Call]) -> None:
    one = call(thread_start=(reply(THREAD), hang()))
    began = time.monotonic()
    with pytest.raises(Late):
        one.result("prompt" * 200_000, seconds=0.5)
    assert time.monotonic() - began < 5
    os.kill(one.scripted.pids()[0], signal.SIGKILL)


def test_what_a_small_pipe_does_not_take_at_once_is_sent_later(call: Callable[..., Call]) -> None:
    import fcntl

    one = call()
    started = spawned(one.scripted.path)
    fcntl.fcntl(started.stdin, fcntl.F_SETPIPE_SZ, 4096)
    line = json.dumps({"id": 3, "method": "thread/start", "params": {"baseInstructions": "x" * 40_000}}).encode()
    write_own(thread_path(one.record), line + b"\n")
    assert greet(started, one.record) == line + b"\n"
    one.connection = Connection(started, time.perf_counter() + 10)
    assert one.connection.response(3)["result"]["thread"]["id"] == "thread-1"
    (sent,) = [message for message in one.scripted.received() if message.get("method") == "thread/start"]
    assert sent["params"]["baseInstructions"] == "x" * 40_000


@pytest.mark.parametrize("line", [b"", b"{}", b"{}\n{}\n", b"\xff\n\n", b"x" * 60_000 + b"\n"])
def test_what_is_no_line_is_not_sent_ahead(call: Callable[..., Call], line: bytes) -> None:
    one = call()
    write_own(thread_path(one.record), line)
    assert one.result().text == "ok"
    assert one.scripted.methods()[:4] == ["initialize", "initialized", "account/read", "thread/start"]


def test_a_program_that_has_ended_at_once_is_greeted_all_the_same(call: Callable[..., Call]) -> None:
    one = call()
    one.scripted.path.write_text("#!/bin/sh\nexec 0<&-\nexit 1\n")
    started = spawned(one.scripted.path)
    assert ended(started.pid)
    assert greet(started, "/none") == b""
    one.connection = Connection(started, time.perf_counter() + 10)
    with pytest.raises(NotBegun):
        open_turn(one.connection, thread={}, ahead=None, turn={})
