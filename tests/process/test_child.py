"""The child process: how it is started, drained and ended, and that it never outlives its purpose."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_oauth.config import child_environment
from codex_oauth.errors import CodexNotFoundError, UnsupportedCodexError
from codex_oauth.process import Child, CommandSpec, app_server_command, spawn
from codex_oauth.process.watchdog import reap
from tests.scripted import ended, eventually

DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n"
"""A program that says when SIGTERM no longer reaches it."""
FOREVER = "while True: signal.pause()\n"


def python(folder: Path, program: str, **changes: Any) -> CommandSpec:
    argv = (sys.executable, "-ISc", program)
    arguments: dict[str, Any] = {"grace": 1, **changes}
    return CommandSpec(argv=argv, env={"PATH": os.defpath}, cwd=folder, **arguments)


def exists(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def zombies() -> list[int]:
    """Children of this process that were not waited for."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue
            if state == "Z" and int(parent) == os.getpid():
                found.append(int(entry.name))
    return found


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@asynccontextmanager
async def running(spec: CommandSpec) -> AsyncGenerator[Child]:
    child = spawn(spec)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child.drain_stderr)
            yield child
            await child.stop()
    finally:
        await child.stop()


# --- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_child_sees_the_allowed_variables_and_no_others(tmp_path: Path) -> None:
    allowed = {
        "PATH": os.defpath,
        "HOME": "/h",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": "/t",
        "HTTPS_PROXY": "http://p",
        "https_proxy": "http://p",
        "no_proxy": "x",
        "SSL_CERT_FILE": "/c",
        "CODEX_CA_CERTIFICATE": "/c",
    }
    withheld = (
        *("OPENAI_API_KEY", "CODEX_API_KEY", "ANTHROPIC_API_KEY", "CODEX_ACCESS_TOKEN", "OPENAI_BASE_URL"),
        *("CODEX_HOME", "CODEX_SQLITE_HOME", "RUST_LOG", "LD_PRELOAD", "PYTHONPATH", "AWS_SECRET_ACCESS_KEY"),
    )
    inherited = child_environment({**allowed, **dict.fromkeys(withheld, "planted")})
    spec = app_server_command(codex=Path("/usr/bin/env"), home=Path("/codex-home"), inherited=inherited, cwd=tmp_path)
    shown = CommandSpec(argv=(*spec.argv[:-1], "-0"), env=spec.env, cwd=tmp_path)
    async with running(shown) as child:
        printed = b""
        while chunk := await child.read():
            printed += chunk
    seen = dict(line.split("=", 1) for line in printed.decode().split("\0") if line)
    assert seen == {**allowed, "CODEX_HOME": "/codex-home"}


@pytest.mark.anyio
async def test_a_child_leads_a_session_and_a_group_of_its_own(tmp_path: Path) -> None:
    program = "import os; print(os.getpid(), os.getpgrp(), os.getsid(0), flush=True)"
    async with running(python(tmp_path, program)) as child:
        pid, group, session = map(int, (await child.read()).split())
    assert pid == group == session == child.pid


@pytest.mark.anyio
async def test_a_child_inherits_no_descriptor_but_its_three_pipes(tmp_path: Path) -> None:
    other = spawn(python(tmp_path, FOREVER))
    program = "import os; print(os.listdir('/proc/self/fd'), flush=True)"
    try:
        async with running(python(tmp_path, program)) as child:
            descriptors = set(json.loads((await child.read()).replace(b"'", b'"')))
    finally:
        await other.stop()
    assert descriptors - {"3"} == {"0", "1", "2"}  # 3 is the listing itself


@pytest.mark.parametrize(
    ("mode", "error"),
    [(None, CodexNotFoundError), (0o600, CodexNotFoundError), (0o700, UnsupportedCodexError)],
    ids=["missing", "not executable", "not a program"],
)
@pytest.mark.anyio
async def test_what_cannot_be_started_is_named(tmp_path: Path, mode: int | None, error: type[Exception]) -> None:
    path = tmp_path / "codex"
    if mode is not None:
        path.write_bytes(b"\0\0\0\0")
        path.chmod(mode)
    before = open_descriptors()
    with pytest.raises(error, match=str(path)):
        spawn(CommandSpec(argv=(str(path), "app-server"), env={}, cwd=tmp_path))
    assert open_descriptors() == before


# --- stderr ----------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_ten_megabytes_of_stderr_stop_nobody_and_leave_their_tail(tmp_path: Path) -> None:
    program = (
        "import os\nfor n in range(10_000): os.write(2, b'%05d' % n + b'x' * 1000 + b'\\n')\n"
        "os.write(2, b'the very end'); print('done', flush=True)"
    )
    async with running(python(tmp_path, program)) as child:
        with anyio.fail_after(10):
            assert await child.read() == b"done\n"
            await child.last_words()
    assert child.stderr_tail.endswith("the very end")
    assert 16_000 < len(child.stderr_tail) <= 16 * 1024
    assert child.returncode == 0


@pytest.mark.anyio
async def test_a_tail_may_be_cut_within_a_character(tmp_path: Path) -> None:
    async with running(python(tmp_path, "import os; os.write(2, 'é'.encode() * 20_000)")) as child:
        assert await child.read() == b""
        await child.last_words()
    assert set(child.stderr_tail) <= {"é", "\ufffd"}


# --- stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_end_of_stdin_is_enough_for_a_child_that_reads(tmp_path: Path) -> None:
    async with running(CommandSpec(argv=("cat",), env={"PATH": os.defpath}, cwd=tmp_path)) as child:
        assert await child.stop() == 0


@pytest.mark.anyio
async def test_a_child_that_does_not_read_is_sent_sigterm_after_its_grace(tmp_path: Path) -> None:
    async with running(python(tmp_path, "import signal\n" + FOREVER)) as child:
        assert await child.stop() == -signal.SIGTERM


@pytest.mark.anyio
async def test_a_child_that_ignores_everything_is_killed_after_its_grace(tmp_path: Path) -> None:
    async with running(python(tmp_path, DEAF + FOREVER, grace=1)) as child:
        assert await child.read() == b"ready\n"
        began = time.monotonic()
        assert await child.stop() == -signal.SIGKILL
        assert 1.9 < time.monotonic() - began < 4


@pytest.mark.anyio
async def test_an_impatient_caller_leaves_the_killing_to_a_watchdog(tmp_path: Path) -> None:
    async with running(python(tmp_path, DEAF + FOREVER)) as child:
        assert await child.read() == b"ready\n"
        began = time.monotonic()
        assert await child.stop(patience=0.3) is None
        assert time.monotonic() - began < 0.6
        assert exists(child.pid)
        assert ended(child.pid)
        assert time.monotonic() - began < 5
    reap()
    assert zombies() == []


@pytest.mark.anyio
async def test_stopping_again_and_from_many_tasks_gives_the_same_status(tmp_path: Path) -> None:
    async with running(python(tmp_path, "import signal\n" + FOREVER)) as child:
        statuses: list[int | None] = []

        async def stop() -> None:
            statuses.append(await child.stop())

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(stop)
        statuses.append(await child.stop())
    assert statuses == [-signal.SIGTERM] * 11


@pytest.mark.anyio
async def test_a_cancelled_stop_is_still_a_whole_one(tmp_path: Path) -> None:
    async with running(python(tmp_path, "import signal\n" + FOREVER)) as child:
        with anyio.move_on_after(0) as scope:
            await child.stop()
        assert child.returncode == -signal.SIGTERM
        assert scope.cancel_called


@pytest.mark.anyio
async def test_a_grandchild_left_in_the_group_goes_too(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys\n"
        "late = subprocess.Popen([sys.executable, '-ISc', 'import time; time.sleep(600)'])\n"
        "print(late.pid, flush=True)\nsys.stdin.read()"
    )
    async with running(python(tmp_path, program)) as child:
        grandchild = int(await child.read())
        assert exists(grandchild)
        with anyio.fail_after(5):  # it holds the pipes open, which must keep nobody waiting
            await child.stop()
    assert ended(grandchild)


@pytest.mark.anyio
async def test_whoever_writes_while_the_child_is_stopped_gets_a_broken_pipe(tmp_path: Path) -> None:
    """The event loop must not go on to watch the pipe's number: the next child's pipe may have it."""
    broken = anyio.Event()

    async def write(child: Child) -> None:
        with pytest.raises(BrokenPipeError):
            await child.write(b"x" * 10_000_000)
        broken.set()

    async with running(python(tmp_path, "import signal\n" + FOREVER)) as child, anyio.create_task_group() as tasks:
        tasks.start_soon(write, child)
        await anyio.wait_all_tasks_blocked()
        child.close_stdin()
        with anyio.fail_after(5):
            await broken.wait()
        async with running(CommandSpec(argv=("cat",), env={"PATH": os.defpath}, cwd=tmp_path)) as other:
            tasks.start_soon(other.write, b"y" * 1_000_000)
            received = 0
            with anyio.fail_after(5):
                while received < 1_000_000:
                    received += len(await other.read())


@pytest.mark.anyio
async def test_whoever_reads_while_the_child_is_stopped_gets_the_end(tmp_path: Path) -> None:
    async with running(python(tmp_path, "import signal\n" + FOREVER)) as child:
        read: list[bytes] = []

        async def take() -> None:
            read.append(await child.read())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            await anyio.wait_all_tasks_blocked()
            await child.stop(patience=0.2)
        assert read == [b""]
        assert await child.read() == b""


@pytest.mark.anyio
async def test_two_hundred_children_leave_neither_descriptors_nor_zombies(tmp_path: Path) -> None:
    async def once(spec: CommandSpec) -> None:
        async with running(spec):
            pass

    true = CommandSpec(argv=("true",), env={"PATH": os.defpath}, cwd=tmp_path)
    cat = CommandSpec(argv=("cat",), env={"PATH": os.defpath}, cwd=tmp_path)
    await once(cat)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = open_descriptors()
        for _ in range(50):
            async with anyio.create_task_group() as tasks:
                for spec in (true, cat, true, cat):
                    tasks.start_soon(once, spec)
        gc.collect()
        assert open_descriptors() == before
    reap()  # of other tests' children, those that a watchdog ended meanwhile
    assert zombies() == []


# --- when this process is killed -------------------------------------------------------------------------------------

_PARENT = """
import sys, anyio
from pathlib import Path
from codex_oauth.process import CommandSpec, spawn

async def main():
    program, folder = sys.argv[1:]
    argv = (sys.executable, "-ISc", program)
    child = spawn(CommandSpec(argv=argv, env={}, cwd=Path(folder), grace=1))
    print(child.pid, (await child.read()).decode().strip(), flush=True)
    await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.mark.parametrize(
    "program",
    [
        "print('ready', flush=True)\nimport sys; sys.stdin.read()",
        "import signal\nprint('ready', flush=True)\n" + FOREVER,
        DEAF + FOREVER,
    ],
    ids=["reads", "does not read", "ignores sigterm too"],
)
def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path, program: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, ready = parent.stdout.readline().split()
        assert ready == "ready"
        assert exists(int(pid))
        parent.kill()
    assert ended(int(pid))


def test_a_watchdog_goes_with_what_it_watched(tmp_path: Path) -> None:
    def shells() -> set[int]:
        found: set[int] = set()
        for entry in Path("/proc").iterdir():
            try:
                mine = entry.name.isdigit() and f"\nPPid:\t{os.getpid()}\n" in (entry / "status").read_text()
                if mine and b"codex-oauth-watchdog" in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
        return found

    before = shells()

    async def main() -> None:
        async with running(python(tmp_path, "import sys; sys.stdin.read()")):
            assert eventually(lambda: len(shells() - before) == 1)

    anyio.run(main)
    assert shells() <= before
