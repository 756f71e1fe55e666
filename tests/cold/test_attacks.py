"""What is done to a hook with an app-server of its own: it never hangs, never allows by mistake, and leaves nothing."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Hang, LoopbackChatGPT
from codex_oauth.thin.key import key_of
from codex_oauth.thin.launch import read_launch, write_launch
from codex_oauth.thin.place import launch_path
from codex_oauth.thin.start import COLD_AT_ONCE
from tests.cold.conftest import Run
from tests.gate.answers import answer
from tests.gate.test_hook import ALLOW, encoded
from tests.gate.test_request import CODEX_BASH
from tests.scripted import eventually

PAYLOAD: Final = encoded(CODEX_BASH)
CLASSIFY: Final = ("classify", "--command", "git status", "--json")

Start: TypeAlias = Callable[..., "subprocess.Popen[bytes]"]
Processes: TypeAlias = Callable[[], list[int]]


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Start:
    """A command in a process of its own that goes on, with a request on stdin."""
    (tmp_path / "payload").write_bytes(PAYLOAD)

    def started(*words: str, **options: Any) -> subprocess.Popen[bytes]:
        given: dict[str, Any] = {"env": environ, "cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        argv = [sys.executable, "-P", "-m", "codex_oauth", *words]
        with (tmp_path / "payload").open("rb") as payload:
            process: Any = subprocess.Popen(argv, stdin=payload, **{**given, **options})
            return process

    return started


def without(*numbers: int) -> Callable[[], None]:
    """Closes descriptors in the child."""

    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


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


@pytest.mark.parametrize("words", [("hook", "codex"), CLASSIFY], ids=["hook", "classify"])
@pytest.mark.parametrize("recorded", [True, False], ids=["cold", "general"])
def test_an_answer_that_cannot_be_written_is_said(
    start: Start,
    request: pytest.FixtureRequest,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    words: tuple[str, ...],
    recorded: bool,
) -> None:
    if recorded:
        request.getfixturevalue("record")
    chatgpt.default = answer("allow")
    with Path("/dev/full").open("wb") as full:
        process = start(*words, stdout=full)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.decode().splitlines()[-1] == "codex-oauth: the output could not be written: No space left on device"
    process = start(*words)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(20) == 1
    assert b"Traceback" not in err
    process.stderr.close()


@pytest.mark.parametrize("words", [("hook", "codex"), CLASSIFY], ids=["hook", "classify"])
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_closed_streams_end_in_no_verdict_or_in_the_right_one(
    start: Start, record: Path, chatgpt: LoopbackChatGPT, words: tuple[str, ...], closed: tuple[int, ...]
) -> None:
    chatgpt.default = answer("allow")
    process = start(*words, preexec_fn=without(*closed))
    out, err = process.communicate(timeout=20)
    answered = 1 not in closed and (words[0] == "classify" or 0 not in closed)
    assert process.returncode == (0 if answered else 1), err
    if answered:
        assert out == ALLOW or json.loads(out)["behavior"] == "allow"
    else:
        assert out == b""
    assert b"Traceback" not in err
    assert (2 in closed) or answered or b"closed, so there is no" in err
    locks = list((record.parent.parent / "run").glob("cold-*.lock"))
    assert [lock.stat().st_size for lock in locks] == [0] * len(locks), "words went into a file"


@pytest.mark.parametrize("recorded", [True, False], ids=["cold", "general"])
def test_a_folder_that_is_gone_keeps_nobody_from_judging(
    start: Start,
    request: pytest.FixtureRequest,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    recorded: bool,
) -> None:
    if recorded:
        request.getfixturevalue("record")
    chatgpt.default = answer("allow")
    gone = tmp_path / "gone"
    gone.mkdir()
    inside = {"cwd": gone, "preexec_fn": gone.rmdir}
    process = start("hook", "codex", **inside)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == (ALLOW, 0), err
    gone.mkdir()
    process = start(*CLASSIFY, **inside)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == (b"", 2), err
    assert b"the folder that this runs in is gone; give --cwd DIR" in err
    gone.mkdir()
    process = start(*CLASSIFY, "--cwd", "/", **inside)
    out, err = process.communicate(timeout=20)
    assert json.loads(out)["behavior"] == "allow", err


def test_a_user_without_a_home_folder_is_told_or_answered(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = answer("allow")
    homeless = {name: value for name, value in environ.items() if name != "HOME"}
    for _ in range(2):
        process = start("hook", "codex", env=homeless)
        out, err = process.communicate(timeout=20)
        assert (out, process.returncode) == (ALLOW, 0), err


def test_places_that_only_the_folder_decides_are_found_from_there(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.default = answer("allow")
    relative = {**environ, "CODEX_OAUTH_HOME": os.path.relpath(settings.home, tmp_path)}
    process = start("hook", "codex", env=relative)
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == (ALLOW, 0), err
    assert not Path(launch_path(str(settings.state_dir), key_of(relative, {}))).exists()


def test_odd_values_and_arguments_are_bytes_like_others(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = answer("allow")
    odd = {**environ, "LC_MESSAGES": "\udcff", "LANG": "\udcfe", "TZ": "\udcfd", "ODD_\udcff": "\udcff"}
    for _ in range(2):
        process = start("classify", "--json", "--command", "echo \udcff\udcfe", "--mode", "\udcff", env=odd)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        # What is no text cannot be shown whole, so it is the person's to decide.
        assert json.loads(out)["source"] == "truncated"


def test_nothing_that_is_made_is_open_to_others_whatever_the_umask(
    start: Start, environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.default = answer("allow")
    state = tmp_path / "new" / "state"
    fresh = {**environ, "XDG_STATE_HOME": str(state)}
    chatgpt.sign_in(state / "codex-oauth" / "codex-home")
    for path in (tmp_path / "new", state, state / "codex-oauth", state / "codex-oauth" / "codex-home"):
        path.chmod(0o700)
    for _ in range(2):
        process = start("hook", "codex", env=fresh, umask=0)
        out, err = process.communicate(timeout=30)
        assert (out, process.returncode) == (ALLOW, 0), err
    ours = [state / "codex-oauth" / name for name in ("launch", "run")]
    paths = [*ours, *(path for folder in ours for path in folder.rglob("*"))]
    assert len(paths) > 4
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def like_others() -> None:
    """Takes root's right to pass over permissions from the child: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    if os.getuid() == 0:
        for capability in (1, 2):
            assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0


@pytest.mark.parametrize(
    ("part", "mode", "answered"),
    [
        ("", 0o000, False),
        ("codex-oauth", 0o000, False),
        ("codex-oauth", 0o500, False),
        # Neither to be counted nor to have a record only makes it slower, and a home's mode is put right.
        ("codex-oauth/run", 0o000, True),
        ("codex-oauth/run", 0o500, True),
        ("codex-oauth/launch", 0o000, True),
        ("codex-oauth/launch", 0o500, True),
        ("codex-oauth/codex-home", 0o500, True),
        ("", 0o500, True),
    ],
)
def test_a_state_folder_that_cannot_be_used_never_allows_by_mistake(
    start: Start,
    environ: dict[str, str],
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    part: str,
    mode: int,
    answered: bool,
) -> None:
    chatgpt.default = answer("allow")
    state = tmp_path / "state"
    chatgpt.sign_in(state / "codex-oauth" / "codex-home")
    for name in ("run", "launch"):
        (state / "codex-oauth" / name).mkdir(mode=0o700)
    (state / part).chmod(mode)
    process = start("hook", "codex", env={**environ, "XDG_STATE_HOME": str(state)}, preexec_fn=like_others)
    out, err = process.communicate(timeout=20)
    (state / part).chmod(0o700)
    assert b"Traceback" not in err
    assert (out, process.returncode) == ((ALLOW, 0) if answered else (b"", 1)), err
    assert answered or not chatgpt.model_requests
