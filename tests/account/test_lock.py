"""The lock of a refresh: one process at a time, and held as long as the app-server that refreshes."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from codex_oauth.account.lock import SharedLock

HOLDER = """if True:
    import subprocess, sys
    from pathlib import Path
    from codex_oauth.account.lock import SharedLock

    lock = SharedLock(Path(sys.argv[1]))
    assert lock.acquire()
    child = None
    if "shared" in sys.argv:
        # It lives until its stdin ends, which is this process's too.
        child = subprocess.Popen(["cat"], pass_fds=lock.descriptors)
    elif "with a stranger" in sys.argv:
        child = subprocess.Popen(["cat"])
    print("held", flush=True)
    if "let go" in sys.argv:
        lock.close()
        print("let go", flush=True)
    sys.stdin.read() if child is None else child.wait()
"""

Hold = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".codex-oauth-refresh.lock"


@pytest.fixture
def hold(path: Path) -> Iterator[Hold]:
    """Starts a process that holds the lock until its stdin ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*how: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), *how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert pipe(process.stdout).readline() == b"held\n"
        return process

    yield start
    for process in started:
        pipe(process.stdin).close()
        pipe(process.stdout).close()
        process.kill()
        process.wait(timeout=60)


def pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


def is_free(path: Path) -> bool:
    lock = SharedLock(path)
    taken = lock.acquire()
    lock.close()
    return taken


def wait_until_free(path: Path) -> None:
    """Wait in the system's own queue, as `SharedLock` does not."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def test_it_is_taken_once_and_given_up(path: Path) -> None:
    lock, other = SharedLock(path), SharedLock(path)
    assert lock.acquire()
    assert len(lock.descriptors) == 1
    assert not other.acquire()
    assert other.descriptors == ()
    lock.close()
    assert lock.descriptors == ()
    assert other.acquire()
    other.close()
    lock.close()
    assert is_free(path)


def test_its_file_is_its_owners_alone_and_stays(path: Path) -> None:
    assert is_free(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_bytes() == b""


def test_a_place_where_it_cannot_be_is_an_error_of_the_system(path: Path) -> None:
    path.parent.write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match="exists"):
        SharedLock(path).acquire()
    path.parent.unlink()
    path.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        SharedLock(path).acquire()


def test_another_process_keeps_it_until_it_lets_go(path: Path, hold: Hold) -> None:
    process = hold("let go")
    assert pipe(process.stdout).readline() == b"let go\n"
    assert is_free(path)


def test_another_process_keeps_it_while_it_lives(path: Path, hold: Hold) -> None:
    process = hold()
    assert not is_free(path)
    pipe(process.stdin).close()
    assert process.wait(timeout=60) == 0
    assert is_free(path)


@pytest.mark.parametrize("how", [(), ("with a stranger",)], ids=["alone", "with a child that does not share it"])
def test_a_process_that_is_killed_lets_go(path: Path, hold: Hold, how: tuple[str, ...]) -> None:
    process = hold(*how)
    process.kill()
    process.wait(timeout=60)
    assert is_free(path)


def test_a_child_that_shares_it_keeps_it_after_its_holder_was_killed(path: Path, hold: Hold) -> None:
    process = hold("shared")
    process.kill()
    process.wait(timeout=60)
    assert not is_free(path)
    pipe(process.stdin).close()  # so the child ends
    wait_until_free(path)
    assert is_free(path)


def test_a_child_that_shares_it_keeps_it_after_its_holder_let_go(path: Path, hold: Hold) -> None:
    process = hold("shared", "let go")
    assert pipe(process.stdout).readline() == b"let go\n"
    assert not is_free(path)
    pipe(process.stdin).close()
    wait_until_free(path)
    assert process.wait(timeout=60) == 0
    assert is_free(path)
