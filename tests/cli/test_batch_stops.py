"""`codex-oauth batch` that is stopped, and goes on: nothing lost, nothing asked twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Hang, LoopbackChatGPT, Reply, Slow, Text, usage_limit_reached
from tests.cli.batches import answered, echo_but, hang_at, numbered, results, write_questions
from tests.cli.people import Piped
from tests.cli.terminal import Terminal
from tests.conftest import RunCLI

AT_ONCE = 8
AGAIN = "to go on, run the same command again: what is done is kept, and not asked again"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.mark.parametrize("size", [200, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
@pytest.mark.usefixtures("settings")
def test_a_batch_that_is_killed_three_times_ends_with_every_result_once(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path, size: int
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(size))
    command = [sys.executable, "-m", "codex_oauth", "batch", questions, str(out), "--concurrency", str(AT_ONCE)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    sizes: list[int] = []
    for part in (0.05, 0.5, 0.9):
        with start() as process:
            chatgpt.wait_until(lambda part=part: len(chatgpt.model_requests) >= part * size, timeout=300)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        sizes.append(out.stat().st_size)
    with start() as process:
        _, said = process.communicate(timeout=300)
    assert process.returncode == 0
    assert f"{size:,} of {size:,} done: {size:,} answered" in said.decode().splitlines()
    assert 0 < sizes[0] < sizes[1] < sizes[2] < out.stat().st_size
    assert len(results(out)) == size
    assert answered(out) == {f"q{number}": f"You said: number {number}" for number in range(size)}
    asked = Counter(request.text for request in chatgpt.model_requests)
    assert len(asked) == size
    # What was in flight at a kill is asked again, and nothing else.
    assert asked.total() <= size + 3 * AT_ONCE


@pytest.mark.usefixtures("settings")
def test_a_line_that_the_kill_cut_off_is_mended_and_its_item_asked_again(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(4))
    assert run_cli("batch", questions, str(out)).returncode == 0
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:3]) + lines[3][: len(lines[3]) // 2])
    done = run_cli("batch", questions, str(out))
    assert (done.returncode, done.stderr.decode().splitlines()[0]) == (0, "4 of 4 done: 4 answered")
    assert out.read_bytes().startswith(b"".join(lines[:3]))
    assert len(answered(out)) == 4
    assert Counter(request.text for request in chatgpt.model_requests)[f"number {json.loads(lines[3])['id'][1:]}"] == 2
    assert len(chatgpt.model_requests) == 5


@pytest.mark.usefixtures("settings")
def test_ctrl_c_interrupts_what_is_asked_and_keeps_what_is_done(
    environ: dict[str, str],
    run_cli: RunCLI,
    chatgpt: LoopbackChatGPT,
    processes_of: Callable[[], list[int]],
    tmp_path: Path,
    out: Path,
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(5))
    chatgpt.default = hang_at(2)
    with Terminal(environ, tmp_path, "batch", questions, str(out)) as terminal:
        chatgpt.wait_until(lambda: chatgpt.answering == 1 and len(chatgpt.model_requests) == 5)
        terminal.wait_for("4/5")
        terminal.type("\x03")
        shown = terminal.end()
    assert shown.returncode == 130
    assert "4 of 5 done: 4 answered\n" in shown.plain
    assert AGAIN in shown.plain
    assert "interrupted" in shown.plain
    assert "Traceback" not in shown.plain
    chatgpt.wait_until(lambda: chatgpt.answering == 0)
    assert processes_of() == []
    assert set(answered(out)) == {"q0", "q1", "q3", "q4"}
    chatgpt.default = echo_but(lambda _: None)
    assert run_cli("batch", questions, str(out)).returncode == 0
    assert len(answered(out)) == 5
    assert len(chatgpt.model_requests) == 6


@pytest.mark.usefixtures("settings")
def test_ctrl_c_without_a_terminal_is_the_same(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(3))
    chatgpt.default = hang_at(0)
    with Piped(environ, tmp_path, "batch", questions, str(out), "--concurrency", "1", "--json") as command:
        chatgpt.wait_for_model_requests(1)
        command.interrupt()
        ended = command.end()
    assert ended.returncode == 130
    assert AGAIN in ended.stderr
    assert (json.loads(ended.stdout)["answered"], json.loads(ended.stdout)["left"]) == (0, 3)


@pytest.mark.usefixtures("settings")
def test_a_usage_limit_lets_what_is_in_flight_finish_and_says_when_to_come_back(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(40))
    resets = int(time.time()) + 7200
    seen: list[int] = []

    def answer(number: int) -> Reply | None:
        seen.append(number)
        return usage_limit_reached(resets) if len(seen) > 10 else None

    chatgpt.default = echo_but(answer)
    done = run_cli("batch", questions, str(out), "--concurrency", "4")
    assert done.returncode == 4
    said = done.stderr.decode()
    assert said.splitlines()[0] == "10 of 40 done: 10 answered"
    assert AGAIN in said
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(resets))
    assert f"  the limit lifts at {when}" in said
    assert len(results(out)) == 10, "what the limit refused has no result"
    assert len(chatgpt.model_requests) <= 10 + 4
    chatgpt.default = echo_but(lambda _: None)
    assert run_cli("batch", questions, str(out)).returncode == 0
    assert len(answered(out)) == 40


@pytest.mark.usefixtures("settings")
def test_a_turn_that_is_paid_for_is_waited_for_when_the_limit_comes(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(10))
    late = Slow(Text("late but paid", chunks=4), 0.2)
    chatgpt.default = echo_but(lambda number: usage_limit_reached() if number else late)
    with Piped(environ, tmp_path, "batch", questions, str(out), "--concurrency", "2") as command:
        ended = command.end()
    assert ended.returncode == 4
    assert answered(out) == {"q0": "late but paid"}
    assert len(chatgpt.model_requests) == 2


def test_without_a_sign_in_nothing_is_asked_or_recorded(
    run_cli: RunCLI, signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(5))
    (signed_out.home / "auth.json").unlink()
    done = run_cli("batch", questions, str(out))
    assert done.returncode == 3
    assert done.stderr.decode().splitlines()[0] == "0 of 5 done: 0 answered"
    assert "codex-oauth login" in done.stderr.decode()
    assert chatgpt.model_requests == ()
    assert results(out) == []
    chatgpt.sign_in(signed_out.home)
    assert run_cli("batch", questions, str(out)).returncode == 0


@pytest.mark.slow  # twelve seconds of waiting
@pytest.mark.usefixtures("settings")
def test_a_service_that_answers_nobody_stops_the_run(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(100))
    chatgpt.default = Hang()
    done = run_cli("batch", questions, str(out), "--timeout", "1", "--concurrency", "24", timeout=100)
    assert done.returncode == 5
    assert AGAIN in done.stderr.decode()
    failed = results(out)
    assert 20 <= len(failed) <= 20 + 24
    assert {one["error"]["code"] for one in failed} == {"deadline_exceeded"}
    chatgpt.default = echo_but(lambda _: None)
    assert run_cli("batch", questions, str(out), "--retry-failed").returncode == 0
    assert len(answered(out)) == 100


@pytest.mark.usefixtures("settings")
def test_an_app_server_that_is_killed_is_replaced_and_its_items_asked_again(
    environ: dict[str, str],
    chatgpt: LoopbackChatGPT,
    processes_of: Callable[[], list[int]],
    tmp_path: Path,
    out: Path,
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(40))
    chatgpt.latency = 0.2
    with Piped(environ, tmp_path, "batch", questions, str(out)) as command:
        chatgpt.wait_for_model_requests(12)
        (app_server,) = processes_of()
        os.kill(app_server, signal.SIGKILL)
        ended = command.end()
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (0, "40 of 40 done: 40 answered")
    assert len(answered(out)) == 40
    assert len(chatgpt.model_requests) <= 40 + AT_ONCE
