"""Starting an app-server with the system's own call, and seeing to it that it ends."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from codex_oauth.thin.child import Started, spawn_app_server, spawn_watchdog
from codex_oauth.thin.launch import Launch
from tests.scripted import ended, eventually


def launch_of(program: Path, cwd: Path) -> Launch:
    return Launch(
        argv=[str(program), "app-server"],
        env={"CODEX_HOME": "/h", "PATH": "/nowhere"},
        path="",
        cwd=str(cwd),
        wanted="",
        model="m",
        efforts=(),
        service="off",
        until=0,
        files={},
    )


class Child:
    """A shell script as an app-server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[Started] = []

    def start(self, script: str, **environ: str) -> Started:
        """Starts it in its folder."""
        program = self._folder / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        self.started.append(spawn_app_server(launch_of(program, self._folder), environ))
        return self.started[-1]

    def close(self) -> None:
        """Ends it."""
        for started in self.started:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            os.waitpid(started.pid, 0)
            for descriptor in (started.stdin, started.stdout, started.stderr):
                with suppress(OSError):
                    os.close(descriptor)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path)
    yield made
    made.close()


def output_of(descriptor: int) -> bytes:
    """What comes until the end."""
    os.set_blocking(descriptor, True)
    data = b""
    while piece := os.read(descriptor, 65_536):
        data += piece
    return data


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_it_runs_in_its_folder_with_pipes_and_a_session_of_its_own(child: Child, tmp_path: Path) -> None:
    here, before = Path.cwd(), descriptors()
    started = child.start("pwd; echo error >&2; read -r line; echo $line; ls /proc/self/fd 2>&-", PATH="/bin")
    os.write(started.stdin, b"in\n")
    out = output_of(started.stdout).decode().splitlines()
    assert out[:2] == [str(tmp_path), "in"]
    assert output_of(started.stderr) == b"error\n"
    assert Path.cwd() == here
    assert os.getsid(0) != started.pid
    assert len(descriptors() - before) == 3


def test_it_sees_only_its_own_environment(child: Child) -> None:
    started = child.start("/usr/bin/env", PATH="/bin", OPENAI_API_KEY="secret", LD_LIBRARY_PATH="/x", LC_ALL="C")
    lines = set(output_of(started.stdout).decode().split())
    assert {"CODEX_HOME=/h", "PATH=/nowhere", "LC_ALL=C"} <= lines
    assert not [line for line in lines if "secret" in line or line.startswith("LD_")]


@pytest.mark.parametrize("others", [0, 1, 5])
def test_a_place_is_taken_until_it_has_ended_too(tmp_path: Path, others: int) -> None:
    # A process of its own, in which the place's descriptor is the first of all, the second, or a later one.
    code = f"""
import os, time
from pathlib import Path
from codex_oauth.thin.child import spawn_app_server
from codex_oauth.thin.start import ColdPlace
from tests.thin.test_child import launch_of
others = [os.open("/", os.O_RDONLY) for _ in range({others})]
place = ColdPlace({str(tmp_path / "run")!r})
assert place.take(time.monotonic())
program = Path({str(tmp_path / "program")!r})
print(place.descriptor, spawn_app_server(launch_of(program, Path("/")), {{}}, place.descriptor).pid, flush=True)
os._exit(0)
"""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    program.chmod(0o700)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=Path(__file__).parents[2])
    descriptor, pid = (int(word) for word in ran.stdout.split())
    assert descriptor == 3 + others
    (file,) = (tmp_path / "run").iterdir()
    with file.open("r+b") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(pid, signal.SIGKILL)
        fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.mark.parametrize("missing", ["program", "folder"])
def test_a_start_that_fails_leaves_nothing_open_and_the_folder_as_it_was(tmp_path: Path, missing: str) -> None:
    here, before = Path.cwd(), descriptors()
    program = Path("/bin/true") if missing == "folder" else tmp_path / "none"
    with pytest.raises(OSError, match="No such file"):
        spawn_app_server(launch_of(program, tmp_path / "none" if missing == "folder" else tmp_path), {})
    assert Path.cwd() == here
    assert descriptors() == before


@pytest.mark.parametrize("script", ["trap '' TERM; echo; while :; do /bin/sleep 60; done", "echo; exec /bin/sleep 60"])
def test_a_group_that_hangs_is_ended_once_its_client_has_gone(child: Child, script: str) -> None:
    started = child.start(script)
    os.set_blocking(started.stdout, True)
    assert os.read(started.stdout, 1) == b"\n"
    pid, writer = spawn_watchdog(started.pid, 1)
    assert not ended(started.pid, timeout=0.3)
    os.close(writer)
    assert ended(started.pid, timeout=10)
    os.waitpid(pid, 0)


def test_the_watchdog_ends_with_a_group_that_has_ended_by_itself(child: Child) -> None:
    started = child.start("read -r line")
    pid, writer = spawn_watchdog(started.pid, 60)
    os.close(started.stdin)
    assert ended(started.pid)
    os.waitpid(started.pid, 0)
    os.close(writer)
    assert ended(pid, timeout=10)
    os.waitpid(pid, 0)
    child.started.clear()
    for descriptor in (started.stdout, started.stderr):
        os.close(descriptor)


def test_the_watchdog_outlives_a_hang_up_and_ctrl_c_of_its_client(child: Child) -> None:
    started = child.start("echo; exec /bin/sleep 60")
    pid, writer = spawn_watchdog(started.pid, 1)
    assert eventually(lambda: os.getsid(pid) == pid)
    assert os.getsid(started.pid) == started.pid
    os.close(writer)
    assert ended(started.pid, timeout=10)
    os.waitpid(pid, 0)
