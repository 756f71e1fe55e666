"""What is done to a hook with an app-server of its own: it never hangs, never allows by mistake, and leaves nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from codex_oauth.testing import Hang, LoopbackChatGPT
from codex_oauth.thin.launch import read_launch, write_launch
from codex_oauth.thin.start import COLD_AT_ONCE
from tests.cold.conftest import Run, Start
from tests.gate.answers import answer
from tests.gate.test_hook import ALLOW, encoded
from tests.gate.test_request import CODEX_BASH
from tests.scripted import eventually

PAYLOAD: Final = encoded(CODEX_BASH)
CLASSIFY: Final = ("classify", "--command", "git status", "--json")

Processes: TypeAlias = Callable[[], list[int]]


def test_a_hook_that_is_killed_anywhere_leaves_no_app_server(
    start: Start, record: Path, chatgpt: LoopbackChatGPT, processes_of: Processes
) -> None:
    chatgpt.default = Hang()
    for point in range(10):
        with start("hook", "codex") as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.03 * point)
            process.kill()
    assert eventually(lambda: not processes_of(), timeout=10)


@pytest.mark.parametrize(("words", "status"), [(("hook", "codex"), 1), (CLASSIFY, 130)], ids=["hook", "classify"])
def test_ctrl_c_ends_it_without_a_verdict(
    start: Start,
    record: Path,
    chatgpt: LoopbackChatGPT,
    processes_of: Processes,
    words: tuple[str, ...],
    status: int,
) -> None:
    chatgpt.default = Hang()
    process = start(*words)
    assert eventually(lambda: bool(chatgpt.model_requests), timeout=20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == (b"", status)
    assert err.decode().splitlines()[-1] == "interrupted"
    assert b"Traceback" not in err
    assert eventually(lambda: not processes_of(), timeout=10)
    assert read_launch(str(record)) is not None


def test_a_program_that_hangs_is_late_once_and_then_passed_by(
    run: Run, record: Path, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    launch = read_launch(str(record))
    assert launch is not None
    program, pid = tmp_path / "program", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {pid}\ntrap '' TERM\nexec /bin/sleep 600\n")
    program.chmod(0o755)
    launch.argv[0] = str(program)
    write_launch(str(record), launch)
    began = time.monotonic()
    ran = run(*CLASSIFY, "--timeout", "1")
    assert (ran.returncode, ran.stdout) == (5, b"")
    assert time.monotonic() - began < 10
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert not record.exists()
    chatgpt.script(answer("allow"))
    assert run("hook", "codex", stdin=PAYLOAD).stdout == ALLOW
    assert record.exists()


@pytest.mark.parametrize(
    "program", ["exit 0", "exit 1", "echo junk; exit 1", "/bin/cat", "kill -9 $$", "exec 1>&-; /bin/cat"]
)
def test_a_program_that_is_no_app_server_is_passed_by(
    run: Run, record: Path, chatgpt: LoopbackChatGPT, tmp_path: Path, program: str
) -> None:
    launch = read_launch(str(record))
    assert launch is not None
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    launch.argv[0] = str(path)
    write_launch(str(record), launch)
    chatgpt.script(answer("allow"))
    ran = run("hook", "codex", stdin=PAYLOAD)
    assert (ran.stdout, ran.returncode) == (ALLOW, 0), ran.stderr


def test_thirty_hooks_at_once_have_eight_app_servers_and_thirty_answers(
    start: Start, record: Path, chatgpt: LoopbackChatGPT, processes_of: Processes
) -> None:
    chatgpt.default = answer("allow")
    hooks = [start("hook", "codex") for _ in range(30)]
    most = 0
    while any(hook.poll() is None for hook in hooks):
        most = max(most, len(app_servers(processes_of())))
    assert most <= COLD_AT_ONCE
    for hook in hooks:
        out, err = hook.communicate(timeout=20)
        assert (out, hook.returncode) == (ALLOW, 0), err
    assert eventually(lambda: not processes_of(), timeout=10)


def app_servers(pids: list[int]) -> list[int]:
    """Those that have not ended, and lead a session: an app-server starts short programs of its own."""
    found: list[int] = []
    for pid in pids:
        with suppress(OSError, IndexError):
            state, _, _, session = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:4]
            if state not in "ZX" and int(session) == pid:
                found.append(pid)
    return found


def test_who_finds_every_place_taken_is_late_by_its_own_time_limit(
    run: Run, record: Path, chatgpt: LoopbackChatGPT
) -> None:
    folder = record.parent.parent / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as places:
        for number in range(COLD_AT_ONCE):
            lock = places.enter_context((folder / f"cold-{number}.lock").open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        ran = run(*CLASSIFY, "--timeout", "0.5")
    assert (ran.returncode, ran.stdout) == (5, b"")
    assert b"no reply within 0.5 s" in ran.stderr
    assert not chatgpt.model_requests
