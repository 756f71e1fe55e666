"""Many calls at once, from tasks, threads and processes; and for long."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.home import prepare_home, ready_home
from codex_oauth.process import find_binary
from codex_oauth.testing import LoopbackChatGPT


def test_forty_programs_that_start_together_on_a_fresh_home_all_get_their_reply(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    environ.pop("PYTHONDEVMODE", None)  # it prints how long things took
    chatgpt.sign_in(tmp_path / "state" / "codex-oauth" / "codex-home")
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "codex_oauth", "complete", "--timeout", "100", f"number {number}"],
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(40)
    ]
    replies = [program.communicate(timeout=110) for program in programs]
    assert replies == [(f"You said: number {number}\n".encode(), b"") for number in range(40)]
    assert [program.returncode for program in programs] == [0] * 40


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.anyio
async def test_forty_tasks_of_one_client_all_get_their_own_reply(codex: AsyncCodex, shared: bool) -> None:
    replies: dict[int, str] = {}

    async def ask(number: int) -> None:
        replies[number] = (await codex.complete(f"number {number}", timeout=60)).text

    async def ask_all() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(ask, number)

    if shared:
        async with codex:
            await ask_all()
    else:
        await ask_all()
    assert replies == {number: f"You said: number {number}" for number in range(40)}


@pytest.mark.anyio
async def test_more_calls_than_an_app_server_takes_at_once_all_get_their_reply(settings: Settings) -> None:
    """It refuses past some 195 requests in flight; there are fewer at once from then on."""
    codex = AsyncCodex(settings=replace(settings, metrics=None), max_concurrency=300)
    replies: set[str] = set()

    async def ask(number: int) -> None:
        replies.add((await codex.complete(f"number {number}", timeout=60)).text)

    async with codex, anyio.create_task_group() as tasks:
        for number in range(300):
            tasks.start_soon(ask, number)
    assert replies == {f"You said: number {number}" for number in range(300)}


@pytest.mark.parametrize("entered", [False, True])
def test_many_threads_of_one_blocking_client_all_get_their_own_reply(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, entered: bool
) -> None:
    chatgpt.latency = 0.2
    program = f"""
import threading
from codex_oauth import Codex
codex, replies = Codex(), {{}}
def ask(number):
    replies[number] = codex.complete(f"number {{number}}", timeout=60).text
def ask_all():
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
if {entered}:
    with codex: ask_all()
else:
    ask_all()
assert replies == {{n: f"You said: number {{n}}" for n in range(30)}}, replies
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], env=environ, cwd=tmp_path, timeout=90, check=True)
    assert chatgpt.peak_answering > 1


@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("trio", "trio"), ("asyncio", "trio")])
def test_a_client_may_be_used_in_one_event_loop_after_another(settings: Settings, backends: tuple[str, str]) -> None:
    codex = AsyncCodex(settings=settings, max_concurrency=1)

    async def ask() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(codex.complete, str(number))
        async with codex:
            assert (await codex.complete("shared")).text == "You said: shared"

    for backend in backends:
        anyio.run(ask, backend=backend)


# --- one home --------------------------------------------------------------------------------------------------------

_HOLDER = """
import sys, time
from codex_oauth.config import load_settings
from codex_oauth.home.managed import _alone
with _alone(load_settings()):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_process_that_dies_in_the_first_start_holds_nobody_up(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    chatgpt.sign_in(tmp_path / "state" / "codex-oauth" / "codex-home")
    with subprocess.Popen([sys.executable, "-c", _HOLDER], env=environ, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        waiting = subprocess.Popen(
            [sys.executable, "-m", "codex_oauth", "complete", "hello"],
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        holder.kill()
    assert waiting.communicate(timeout=20)[0] == b"You said: hello\n"


@pytest.mark.anyio
async def test_two_binaries_that_take_turns_on_one_home_do_it_no_harm(fresh_settings: Settings, tmp_path: Path) -> None:
    first = find_binary(fresh_settings).path
    second = tmp_path / "other" / "codex"
    second.parent.mkdir()
    try:
        os.link(first, second)
    except OSError:
        shutil.copy2(first, second)
    clients = [AsyncCodex(settings=replace(fresh_settings, codex_bin=path)) for path in (first, second)]
    for _ in range(2):
        for codex in clients:
            assert (await codex.complete("hello")).text == "You said: hello"
    async with anyio.create_task_group() as tasks:
        for codex in clients * 3:
            tasks.start_soon(partial(codex.complete, "hello", timeout=60))
    with closing(sqlite3.connect(next(fresh_settings.home.glob("state_*.sqlite")))) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# --- for long --------------------------------------------------------------------------------------------------------


def size(home: Path) -> int:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())


def log_rows(home: Path) -> int:
    rows = 0
    for path in home.glob("logs_*.sqlite"):
        with closing(sqlite3.connect(path)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                if not table.startswith(("sqlite_", "_sqlx_")):
                    rows += database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    return rows


@pytest.mark.slow  # ten seconds
@pytest.mark.parametrize("backend", ["asyncio"])
def test_three_hundred_warm_calls_take_no_more_memory_files_or_disk_than_fifty(
    fresh_settings: Settings, backend: str
) -> None:
    def state(pid: int) -> tuple[int, int, int, int]:
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        theirs = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        ours = sum(1 for _ in Path("/proc/self/fd").iterdir())
        return resident, theirs, ours, size(fresh_settings.home)

    async def main() -> None:
        async with AsyncCodex(settings=replace(fresh_settings, metrics=None)) as codex:
            for _ in range(60):
                await codex.complete("hello")
            (pid,) = app_servers(fresh_settings.home)
            before = state(pid)
            for _ in range(240):
                await codex.complete("hello")
            after = state(pid)
        resident, theirs, ours, disk = (now / then for now, then in zip(after, before, strict=True))
        assert resident < 1.5
        assert theirs < 1.3
        assert ours < 1.3
        assert disk < 1.1

    anyio.run(main, backend=backend)
    assert log_rows(fresh_settings.home) == 0


def app_servers(home: Path) -> list[int]:
    needle = f"CODEX_HOME={home}".encode()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and needle in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_home_keeps_no_logs_from_its_first_start_on(fresh_settings: Settings) -> None:
    prepare_home(fresh_settings, find_binary(fresh_settings))
    databases = list(fresh_settings.home.glob("logs_*.sqlite"))
    assert databases
    before = {path: path.stat().st_size for path in databases}
    codex = AsyncCodex(settings=fresh_settings)
    for _ in range(10):
        anyio.run(codex.complete, "hello")
    assert {path: path.stat().st_size for path in databases} == before


def test_a_log_database_that_is_no_database_is_left_alone(fresh_settings: Settings) -> None:
    binary = find_binary(fresh_settings)
    prepare_home(fresh_settings, binary)
    odd = fresh_settings.home / "logs_99.sqlite"
    odd.write_bytes(b"not a database, and long enough to be told from an empty one" * 10)
    (fresh_settings.home / "codex-oauth.json").unlink()
    prepare_home(fresh_settings, binary)
    assert ready_home(fresh_settings, binary) is not None
    assert odd.read_bytes().startswith(b"not a database")
