"""Three denials in a row, or twenty in all, are a matter for the person."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codex_oauth.gate.denials import IN_A_ROW, IN_ALL, Denials


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "gate" / "denials"


def deny(denials: Denials, times: int = 1) -> None:
    for _ in range(times):
        denials.count(denied=True)


def test_after_three_in_a_row_it_is_too_many(folder: Path) -> None:
    denials = Denials(folder, "s")
    deny(denials, IN_A_ROW - 1)
    assert denials.too_many() is None
    deny(denials)
    assert denials.too_many() == "3 requests in a row were denied."


def test_what_is_not_denied_ends_the_row(folder: Path) -> None:
    denials = Denials(folder, "s")
    deny(denials, 2)
    denials.count(denied=False)
    deny(denials, 2)
    assert denials.too_many() is None


def test_twenty_in_all_are_too_many_for_good(folder: Path) -> None:
    denials = Denials(folder, "s")
    for _ in range(IN_ALL):
        assert denials.too_many() is None
        deny(denials)
        denials.count(denied=False)
    assert denials.too_many() == "20 requests of this session were denied."
    denials.count(denied=False)
    assert denials.too_many() is not None


def test_each_session_has_a_count_of_its_own(folder: Path) -> None:
    deny(Denials(folder, "one"), 3)
    assert Denials(folder, "two").too_many() is None
    assert Denials(folder, "one").too_many()


def test_without_a_session_nothing_is_counted(folder: Path) -> None:
    deny(Denials(folder, None), 5)
    assert Denials(folder, None).too_many() is None
    assert not folder.exists()


@pytest.mark.parametrize("session", ["../../outside", "/etc/passwd", "a" * 10_000, "\ud800", "with\0nul", "名前"])
def test_a_sessions_name_may_be_anything(folder: Path, session: str) -> None:
    deny(Denials(folder, session), 3)
    assert Denials(folder, session).too_many()
    (file,) = folder.iterdir()
    assert len(file.name) == 32


def test_a_session_without_a_denial_leaves_no_file(folder: Path) -> None:
    Denials(folder, "s").count(denied=False)
    assert not folder.exists()


def test_requests_at_the_same_moment_are_all_counted(folder: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        for _ in range(64):
            threads.submit(deny, Denials(folder, "s"))
    (file,) = folder.iterdir()
    assert file.read_bytes() == b"d" * 64


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_user_may_read_it(folder: Path) -> None:
    deny(Denials(folder, "s"))
    (file,) = folder.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, 0o600]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nor_can_others_put_anything_above_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        deny(Denials(tmp_path / "gate" / "denials", "s"))
    finally:
        os.umask(before)
    made = [tmp_path / "gate", tmp_path / "gate" / "denials"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700, 0o700]


def test_old_sessions_are_forgotten(folder: Path) -> None:
    deny(Denials(folder, "old"))
    deny(Denials(folder, "recent"))
    week_ago = time.time() - 8 * 24 * 3600
    for file in folder.iterdir():
        os.utime(file, (week_ago, week_ago))
        break
    deny(Denials(folder, "new"))
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_made_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    denials = Denials(tmp_path / "file" / "denials", "s")
    deny(denials, 5)
    assert denials.too_many() is None
