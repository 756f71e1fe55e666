"""Starting the service once, and the places for calls with an app-server of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.thin.place import Untrusted
from codex_oauth.thin.start import COLD_AT_ONCE, ColdPlace, StartLock

HOLD: Final = """
import sys, time
from codex_oauth.thin.start import ColdPlace, StartLock
if sys.argv[1] == "place":
    print(ColdPlace(sys.argv[2]).take(time.monotonic() + float(sys.argv[3])), flush=True)
else:
    lock = StartLock(sys.argv[2])
    print(lock.acquire(), flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that takes a lock or a place and keeps it until it is ended."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def got(self) -> bool:
        """Whether it has it; waits for its word."""
        assert self._process.stdout is not None
        return self._process.stdout.readline() == b"True\n"

    def end(self, *, kill: bool = False) -> None:
        """Ends it."""
        with self._process as process:
            if kill:
                process.kill()


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    made: list[Holder] = []
    yield made
    for holder in made:
        holder.end(kill=True)


@pytest.fixture
def socket(tmp_path: Path) -> str:
    return str(tmp_path / "run" / "key.sock")


def test_one_starts_the_service_and_the_others_do_not(socket: str, holders: list[Holder]) -> None:
    holders += [Holder("lock", socket) for _ in range(4)]
    assert sorted(holder.got() for holder in holders) == [False, False, False, True]
    assert not StartLock(socket).acquire()


@pytest.mark.parametrize("kill", [False, True])
def test_the_next_one_starts_it_once_its_holder_has_ended(socket: str, holders: list[Holder], kill: bool) -> None:
    holders.append(Holder("lock", socket))
    assert holders[0].got()
    lock = StartLock(socket)
    assert not lock.acquire()
    holders.pop().end(kill=kill)
    assert lock.acquire()
    os.close(lock.inherited())


def test_a_lock_goes_on_with_whoever_inherits_it(socket: str) -> None:
    lock, other = StartLock(socket), StartLock(socket)
    assert lock.acquire()
    duplicate = os.dup(lock.inherited())
    os.close(lock.inherited())
    assert not other.acquire()
    os.close(duplicate)
    assert other.acquire()
    os.close(other.inherited())


def test_the_lock_lies_where_only_this_user_can_put_anything(socket: str) -> None:
    before = os.umask(0)
    try:
        os.close(StartLock(socket).inherited())
    finally:
        os.umask(before)
    folder = Path(socket).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Path(f"{socket}.start").stat().st_mode & 0o777 == 0o600
    folder.chmod(0o755)
    with pytest.raises(Untrusted):
        StartLock(socket)


def test_a_link_in_the_locks_place_is_not_followed(socket: str, tmp_path: Path) -> None:
    Path(socket).parent.mkdir(mode=0o700)
    Path(f"{socket}.start").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        StartLock(socket)
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("kill", [False, True])
def test_one_more_than_there_are_places_waits_for_the_first_that_ends(
    tmp_path: Path, holders: list[Holder], kill: bool
) -> None:
    folder = str(tmp_path / "run")
    holders += [Holder("place", folder, "20") for _ in range(COLD_AT_ONCE)]
    assert all(holder.got() for holder in holders)
    assert not ColdPlace(folder).take(time.monotonic())
    took: list[bool] = []
    place = ColdPlace(folder)
    thread = threading.Thread(target=lambda: took.append(place.take(time.monotonic() + 20)))
    thread.start()
    thread.join(0.2)
    assert took == []
    holders.pop(3).end(kill=kill)
    thread.join(20)
    assert took == [True]
    os.close(place.descriptor)


def test_a_place_that_does_not_come_in_time_is_none(tmp_path: Path, holders: list[Holder]) -> None:
    folder = str(tmp_path / "run")
    holders += [Holder("place", folder, "20") for _ in range(COLD_AT_ONCE)]
    assert all(holder.got() for holder in holders)
    began = time.monotonic()
    assert not ColdPlace(folder).take(began + 0.1)
    assert 0.1 <= time.monotonic() - began < 5


def test_the_places_are_made_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        place = ColdPlace(str(tmp_path / "state" / "run"))
        assert place.take(time.monotonic())
    finally:
        os.umask(before)
    for made in ("state", "state/run"):
        assert (tmp_path / made).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state" / "run").iterdir()} == {0o600}
    os.close(place.descriptor)
