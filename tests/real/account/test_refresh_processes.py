"""Sixteen processes on one home whose token has expired: one of them refreshes it, whatever happens to it."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from codex_oauth.account import read_sign_in
from codex_oauth.config import Settings
from codex_oauth.testing import HANG, LoopbackChatGPT, NoResponse, Request
from tests.real.account.crowd import app_server_on, crowd, is_whole, parent_of, replies
from tests.real.account.people import nothing_runs

TOKEN = "/oauth/token"
SIZE = 16

few_and_many = pytest.mark.parametrize(
    "run", [*range(2), *[pytest.param(number, marks=pytest.mark.slow) for number in range(2, 20)]]
)


def report(name: str, chatgpt: LoopbackChatGPT, ends: list[tuple[int, str, str]]) -> None:
    """For whoever runs the many with `-s`."""
    statuses = dict(sorted(Counter(status for status, _, _ in ends).items()))
    print(f"\n{name}: {len(chatgpt.refresh_requests)} refresh requests, exit statuses {statuses}", end=" ")


@few_and_many
def test_one_request_refreshes_for_sixteen(
    environ: Mapping[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, run: int
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    before = read_sign_in(settings.home)
    with crowd(SIZE, environ, tmp_path) as programs:
        programs.go()
        ends = programs.ends()
    report("together", chatgpt, ends)
    assert Counter(ends) == replies(SIZE)
    assert len(chatgpt.refresh_requests) == 1
    assert is_whole(settings.home)
    assert read_sign_in(settings.home) != before
    assert nothing_runs(settings.home)


@few_and_many
def test_a_process_that_is_killed_while_it_refreshes_takes_nobody_along(
    environ: Mapping[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, run: int
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refresh_delay = 0.3
    with crowd(SIZE, environ, tmp_path) as programs:
        programs.go()
        chatgpt.wait_for_requests(1, path=TOKEN, timeout=30)
        killed = parent_of(app_server_on(settings.home))
        os.kill(killed, signal.SIGKILL)
        ends = programs.ends()
    report("killed process", chatgpt, ends)
    (number,) = [number for number, program in enumerate(programs.programs) if program.pid == killed]
    assert ends.pop(number) == (-signal.SIGKILL, "", "")
    expected = replies(SIZE)
    del expected[(0, f"You said: number {number}\n", "")]
    assert Counter(ends) == expected
    assert len(chatgpt.refresh_requests) == 1
    assert is_whole(settings.home)
    assert nothing_runs(settings.home)


@pytest.mark.parametrize("lost", ["request", "answer"])
@few_and_many
def test_an_app_server_that_is_killed_while_it_refreshes_holds_nobody_up(
    environ: Mapping[str, str],
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    lost: Literal["request", "answer"],
    run: int,
) -> None:
    """Where the service has not seen to the request, the next one gets its token. Where it has, the refresh token is
    used up and its successor lost: everybody is told to sign in."""
    chatgpt.sign_in(settings.home, expires_in=-60)
    first = threading.Event()

    def once(request: Request) -> NoResponse | None:
        if first.is_set() or lost == "answer":
            return None
        first.set()
        return HANG

    chatgpt.respond(TOKEN, once)
    chatgpt.refresh_delay = 30.0 if lost == "answer" else 0.0
    with crowd(SIZE, environ, tmp_path) as programs:
        programs.go()
        chatgpt.wait_for_requests(1, path=TOKEN, timeout=30)
        pid = app_server_on(settings.home)
        unlucky = parent_of(pid)
        chatgpt.refresh_delay = 0.0
        os.kill(pid, signal.SIGKILL)
        ends = programs.ends()
    report(f"killed app-server, lost {lost}", chatgpt, ends)
    (number,) = [number for number, program in enumerate(programs.programs) if program.pid == unlucky]
    status, said, complained = ends.pop(number)
    assert (status, said) == (1, "")
    assert complained.startswith("codex-oauth: ")
    assert "Traceback" not in complained
    if lost == "request":
        expected = replies(SIZE)
        del expected[(0, f"You said: number {number}\n", "")]
        assert Counter(ends) == expected
        assert chatgpt.refresh_outcomes == {"granted": 1}
        assert is_whole(settings.home)
    else:
        message = (
            "codex-oauth: the sign-in of this home is no longer accepted: its refresh token was already used, most "
            "likely by a copy of it; sign in again: codex-oauth login\n"
        )
        assert Counter(ends) == {(3, "", message): SIZE - 1}
        # codex itself asks twice before it gives up (0.163).
        assert chatgpt.refresh_outcomes in ({"granted": 1, "refresh_token_reused": times} for times in (1, 2))
    assert nothing_runs(settings.home)
