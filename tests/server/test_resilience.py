"""What becomes of a hook while the service, its app-server or the machine fails: it ends in time, with the model's word
or without one, and never with an allow that the model did not give."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.testing import Hang, LoopbackChatGPT
from tests.gate.answers import answer
from tests.scripted import ended as processes_ended
from tests.scripted import eventually
from tests.server.served import ALLOWED, HOOK, Served, ended, hook_input

_DEADLINE: Final = 3
"""Seconds that the policy gives a call."""


@pytest.fixture
def short(environ: dict[str, str], served: Served) -> Served:
    """A service for a user whose policy gives calls three seconds."""
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True)
    (folder / "gate.toml").write_text(f"timeout = {_DEADLINE}\n")
    return served


def outcome(client: subprocess.Popen[bytes], timeout: float = 30) -> tuple[int, bytes]:
    """How a hook ends: its status and what it wrote."""
    stdout, _ = client.communicate(timeout=timeout)
    return client.returncode, stdout


def hook(served: Served, command: str = "git status") -> subprocess.Popen[bytes]:
    """A hook of Claude Code."""
    return served.client(*HOOK, stdin=hook_input(command))


# --- kill -9 ---------------------------------------------------------------------------------------------------------


def test_a_hook_whose_service_is_killed_gets_its_answer_by_itself(served: Served, chatgpt: LoopbackChatGPT) -> None:
    process = served.start()
    app_server = served.app_server()
    chatgpt.script(Hang(), answer("deny", deny_message="No."))
    client = hook(served)
    chatgpt.wait_for_model_requests(1)
    process.kill()
    status, stdout = outcome(client)
    assert (status, b'"behavior":"deny","message":"No."' in stdout) == (0, True)
    # The app-server goes with it, and its socket is in nobody's way.
    assert processes_ended(app_server)
    assert Path(served.path).exists()
    assert outcome(hook(served)) == (0, ALLOWED)
    assert eventually(lambda: served.running_as() not in (None, process.pid))
    assert outcome(hook(served)) == (0, ALLOWED)


def test_a_hook_whose_app_server_is_killed_is_answered_by_the_next_one(
    served: Served, chatgpt: LoopbackChatGPT
) -> None:
    process = served.start()
    app_server = served.app_server()
    chatgpt.script(Hang(), answer("deny", deny_message="No."))
    client = hook(served)
    chatgpt.wait_for_model_requests(1)
    os.kill(app_server, signal.SIGKILL)
    status, stdout = outcome(client)
    assert (status, b'"behavior":"deny","message":"No."' in stdout) == (0, True)
    assert process.poll() is None
    assert served.app_server() != app_server
    assert outcome(hook(served)) == (0, ALLOWED)


def test_an_app_server_that_is_killed_again_and_again_is_no_allow(served: Served, chatgpt: LoopbackChatGPT) -> None:
    process = served.start()
    chatgpt.default = Hang()
    client = hook(served)
    for number in (1, 2):
        chatgpt.wait_for_model_requests(number)
        os.kill(served.app_server(), signal.SIGKILL)
    assert outcome(client) == (1, b"")
    assert process.poll() is None


def test_a_client_that_is_killed_takes_nobody_with_it(served: Served, chatgpt: LoopbackChatGPT) -> None:
    served.start()
    chatgpt.script(Hang(), Hang())
    killed, staying = hook(served, "one"), hook(served, "two")
    chatgpt.wait_for_model_requests(2)
    killed.kill()
    chatgpt.wait_until(lambda: chatgpt.answering == 1)
    assert eventually(lambda: served.status()["running"] == 1)
    assert outcome(hook(served, "three")) == (0, ALLOWED)
    staying.kill()
    assert eventually(lambda: served.status()["running"] == 0)


# --- a machine that sleeps, processes that are stopped ---------------------------------------------------------------


def stop_and_measure(served: Served, pid: int, seconds: float) -> tuple[tuple[int, bytes], float]:
    """What a hook gets while a process is stopped for that long, and how long it takes for it."""
    os.kill(pid, signal.SIGSTOP)
    wake = threading.Timer(seconds, os.kill, (pid, signal.SIGCONT))
    wake.start()
    try:
        began = time.monotonic()
        found = outcome(hook(served))
        return found, time.monotonic() - began
    finally:
        wake.join()


def check_stopped_service(served: Served, seconds: float) -> None:
    process = served.start()
    served.app_server()
    found, _ = stop_and_measure(served, process.pid, seconds)
    assert found == (0, ALLOWED)
    # It goes on as if nothing had been.
    before = served.status()["calls"]
    assert outcome(hook(served)) == (0, ALLOWED)
    assert served.status()["calls"] == before + 1


def check_stopped_app_server(served: Served, seconds: float) -> None:
    process = served.start()
    stopped = served.app_server()
    assert outcome(hook(served)) == (0, ALLOWED)
    (status, stdout), took = stop_and_measure(served, stopped, seconds)
    # With a thread that was started ahead or without: either another one answers, or nobody does in time.
    assert (status, stdout) in ((0, ALLOWED), (1, b""))
    assert took < _DEADLINE + 5
    assert eventually(lambda: outcome(hook(served)) == (0, ALLOWED), timeout=30)
    assert process.poll() is None


def test_a_hook_that_meets_a_stopped_service_answers_by_itself(short: Served) -> None:
    check_stopped_service(short, 4)


@pytest.mark.slow
def test_a_hook_that_meets_a_service_stopped_for_a_minute_answers_by_itself(short: Served) -> None:
    check_stopped_service(short, 60)


def test_a_stopped_app_server_makes_a_hook_late_and_is_no_allow(short: Served) -> None:
    check_stopped_app_server(short, 6)


@pytest.mark.slow
def test_an_app_server_stopped_for_a_minute_makes_a_hook_late_and_is_no_allow(short: Served) -> None:
    check_stopped_app_server(short, 60)


def test_a_service_that_is_stopped_in_the_middle_of_a_call_makes_it_late(
    short: Served, chatgpt: LoopbackChatGPT
) -> None:
    process = short.start()
    chatgpt.script(Hang())
    client = hook(short)
    chatgpt.wait_for_model_requests(1)
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert outcome(client) == (1, b"")
    assert time.monotonic() - began < _DEADLINE + 5
    process.send_signal(signal.SIGCONT)
    assert outcome(hook(short)) == (0, ALLOWED)


def test_a_machine_that_sleeps_in_the_middle_of_a_call_loses_at_most_that_one(
    short: Served, chatgpt: LoopbackChatGPT
) -> None:
    # All of it stands still, the hook too; when it goes on, the deadline is long over.
    process = short.start()
    app_server = short.app_server()
    chatgpt.script(Hang())
    client = hook(short)
    chatgpt.wait_for_model_requests(1)
    everybody = [client.pid, process.pid, app_server]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    asleep = threading.Event()
    asleep.wait(_DEADLINE + 1)
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
    # Either its deadline is the first to be noticed, or that the service has given the call up: it asks by itself then.
    assert outcome(client, timeout=10) in ((1, b""), (0, ALLOWED))
    assert outcome(hook(short)) == (0, ALLOWED)


# --- the socket ------------------------------------------------------------------------------------------------------


def test_a_socket_that_is_deleted_comes_back(served: Served) -> None:
    process = served.start()
    Path(served.path).unlink()
    assert outcome(hook(served)) == (0, ALLOWED)
    assert eventually(lambda: served.running_as() == process.pid)
    assert outcome(hook(served)) == (0, ALLOWED)
    assert served.status()["calls"] >= 1


def test_a_folder_that_is_deleted_ends_the_service_and_the_next_hook_starts_another(served: Served) -> None:
    process = served.start()
    folder = Path(served.path).parent
    for entry in folder.iterdir():
        entry.unlink()
    folder.rmdir()
    assert outcome(hook(served)) == (0, ALLOWED)
    assert ended(process) == 0
    assert eventually(lambda: outcome(hook(served)) == (0, ALLOWED) and served.running_as() is not None)


@pytest.mark.parametrize("count", [2, 10])
def test_of_several_services_that_start_at_once_one_stays(served: Served, count: int) -> None:
    starting = [served.spawn() for _ in range(count)]
    assert eventually(lambda: [process.poll() for process in starting].count(0) == count - 1, timeout=30)
    [staying] = [process for process in starting if process.poll() is None]
    assert eventually(lambda: served.running_as() == staying.pid)
    for process in starting:
        if process is not staying:
            assert process.stderr is not None
            assert b"another service has" in process.stderr.read()
    assert outcome(hook(served)) == (0, ALLOWED)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_hook_that_finds_something_else_in_the_sockets_place_answers_by_itself_and_says_so(
    served: Served, tmp_path: Path, kind: str
) -> None:
    own = Path(served.path)
    own.parent.mkdir(mode=0o700)
    if kind == "file":
        own.write_text("mine")
    else:
        own.symlink_to(tmp_path / "nowhere")
    client = hook(served)
    stdout, stderr = client.communicate(timeout=30)
    assert (client.returncode, stdout) == (0, ALLOWED)
    assert b"the warm service is not used" in stderr
    assert own.is_symlink() or own.read_text() == "mine"
    process = served.spawn()
    assert ended(process) == 2
    assert process.stderr is not None
    assert b"move it away" in process.stderr.read()


# --- other users -----------------------------------------------------------------------------------------------------

_ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(10)
    try:
        client.connect(sys.argv[1])
        print(client.recv(65536).decode().splitlines()[0])
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture
def nobody() -> list[str]:
    """How another user's program is started."""
    if os.geteuid() != 0 or not Path("/usr/bin/setpriv").exists():
        pytest.skip("only root can be another user")
    return ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "/usr/bin/env", "python3"]


def test_another_user_cannot_reach_the_socket(served: Served, place: Path, nobody: list[str]) -> None:
    served.start()
    place.chmod(0o755)
    asked = subprocess.run([*nobody, "-c", _ASK, served.path], capture_output=True, text=True, timeout=30, check=True)
    assert asked.stdout == "PermissionError\n"


def test_another_user_who_could_reach_the_socket_is_refused(served: Served, place: Path, nobody: list[str]) -> None:
    served.start()
    for path, mode in ((place, 0o755), (place / "run", 0o755), (Path(served.path).parent, 0o755)):
        path.chmod(mode)
    Path(served.path).chmod(0o666)
    asked = subprocess.run([*nobody, "-c", _ASK, served.path], capture_output=True, text=True, timeout=30, check=True)
    assert asked.stdout == "HTTP/1.1 403 Forbidden\n"


# --- a full disk -----------------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder where nothing more can be written."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "full", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    with (folder / "rest").open("wb", buffering=0) as rest, suppress(OSError):
        while rest.write(b"\0" * 4096):
            pass
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_for_the_metrics_costs_no_verdict(served: Served, full_disk: Path, environ: dict[str, str]) -> None:
    full = Served({**environ, "CODEX_OAUTH_METRICS": str(full_disk / "metrics.jsonl")})
    full.start()
    try:
        for _ in range(3):
            assert outcome(hook(full)) == (0, ALLOWED)
        assert full.status()["calls"] == 3
    finally:
        full.close()


def test_a_full_disk_for_the_log_costs_no_verdict(served: Served, full_disk: Path) -> None:
    served.settings.state_dir.mkdir(parents=True, exist_ok=True)
    log = served.settings.state_dir / "service.log"
    log.unlink(missing_ok=True)
    log.symlink_to(full_disk / "service.log")
    try:
        served.start("--on-demand")
        assert outcome(hook(served)) == (0, ALLOWED)
    finally:
        log.unlink()
