"""Where sockets and launch records lie, and which places are trusted."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.thin.place import (
    Untrusted,
    anchored,
    here,
    launch_path,
    make_folder,
    own_folder,
    own_socket,
    read_own,
    runtime_dir,
    socket_path,
    state_dir,
    write_own,
)

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the places of another system")

NOBODY: Final = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "own"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A socket, bound by a relative path: those of tests are too long."""
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s")
        yield folder / "s"


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    """Sets the umask for one test."""
    before = os.umask(0o022)
    yield lambda mask: (os.umask(mask), None)[1]
    os.umask(before)


@on_linux
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/h"}, "/h/.local/state/codex-oauth"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/codex-oauth"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s//"}, "/s/codex-oauth"),
        ({"HOME": "/h", "XDG_STATE_HOME": "relative"}, "/h/.local/state/codex-oauth"),
        ({"HOME": "/h", "XDG_STATE_HOME": ""}, "/h/.local/state/codex-oauth"),
        ({"XDG_STATE_HOME": "/s"}, "/s/codex-oauth"),
        ({"HOME": "relative"}, None),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_the_state_folder_is_the_one_of_the_configuration(
    environ: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codex_oauth.config import load_settings

    monkeypatch.setenv("HOME", environ.get("HOME", ""))
    assert state_dir(environ) == expected
    if expected is not None:
        assert str(load_settings(environ={**environ, "XDG_CONFIG_HOME": "/nowhere"}).state_dir) == expected


@pytest.mark.parametrize(
    "name", ["CODEX_OAUTH_HOME", "CODEX_OAUTH_CONFIG", "CODEX_OAUTH_METRICS", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "HOME"]
)
def test_a_place_that_depends_on_the_folder_is_no_place_to_share(name: str) -> None:
    assert all(anchored({name: value}) for value in ("/x", "~/x", ""))
    assert not any(anchored({name: value}) for value in ("x", "./x", "../x"))
    assert anchored({"CODEX_OAUTH_METRICS": "off"})


@on_linux
def test_sockets_are_in_the_runtime_directory_where_there_is_one(tmp_path: Path) -> None:
    assert runtime_dir({"XDG_RUNTIME_DIR": "/run"}, "/s") == "/run/codex-oauth"
    assert runtime_dir({"XDG_RUNTIME_DIR": "/run/"}, "/s") == "/run/codex-oauth"
    for none in ({}, {"XDG_RUNTIME_DIR": "relative"}, {"XDG_RUNTIME_DIR": str(tmp_path / "none")}):
        assert runtime_dir(none, "/s") == "/s/run"


@pytest.mark.parametrize("long", ["/" + "s" * 90, "/" + "ü" * 45])
def test_a_path_that_is_too_long_for_a_socket_gets_a_short_one(long: str) -> None:
    path = socket_path({}, long, "0" * 32)
    assert path == f"/tmp/codex-oauth-{os.getuid()}/{'0' * 16}.sock"
    assert len(os.fsencode(path)) < 100


def test_every_path_is_short_enough_to_listen_on() -> None:
    for length in range(1, 120):
        assert len(os.fsencode(socket_path({}, "/" + "s" * length, "0" * 32))) < 104


def test_keys_have_paths_of_their_own() -> None:
    one, other = "a" * 32, "b" * 32
    assert socket_path({}, "/s", one) != socket_path({}, "/s", other)
    assert launch_path("/s", one) != launch_path("/s", other)


def test_a_folder_of_this_user_alone_is_trusted(folder: Path) -> None:
    own_folder(str(folder))


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o704, 0o720, 0o755, 0o777, 0o1777])
def test_a_folder_that_is_open_to_others_is_not(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(Untrusted, match="open to others: chmod 700 "):
        own_folder(str(folder))


def test_a_link_to_a_trusted_folder_is_not(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(Untrusted, match="not a folder"):
        own_folder(str(link))


@as_root
def test_a_folder_of_somebody_else_is_not(folder: Path) -> None:
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(Untrusted, match="belongs to another user"):
        own_folder(str(folder))


def test_what_is_not_there_is_no_breach(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        own_folder(str(folder / "none"))
    with pytest.raises(FileNotFoundError):
        own_socket(str(folder / "none"))
    with pytest.raises(FileNotFoundError):
        own_socket(str(folder / "none" / "none"))


def test_a_socket_of_this_user_is_trusted(bound: Path) -> None:
    own_socket(str(bound))


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link", "pipe"])
def test_what_is_no_socket_is_not(bound: Path, kind: str) -> None:
    path = bound.with_name("other")
    if kind == "file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(bound if kind == "link" else "none")
    with pytest.raises(Untrusted, match="not a socket"):
        own_socket(str(path))


@as_root
def test_a_socket_of_somebody_else_is_not(bound: Path) -> None:
    os.chown(bound, NOBODY, NOBODY)
    with pytest.raises(Untrusted, match="belongs to another user"):
        own_socket(str(bound))


def test_a_socket_in_an_open_folder_is_not(bound: Path) -> None:
    bound.parent.chmod(0o755)
    with pytest.raises(Untrusted, match="open to others"):
        own_socket(str(bound))


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_folders_are_made_for_this_user_alone_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], None], mask: int
) -> None:
    umask(mask)
    make_folder(str(tmp_path / "a" / "b" / "c"))
    make_folder(str(tmp_path / "a" / "b" / "c"))
    for made in ("a", "a/b", "a/b/c"):
        assert (tmp_path / made).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_what_is_in_a_folders_place_stays_there(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "taken"
    if kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to("none")
    with pytest.raises(OSError, match="taken"):
        make_folder(str(path / "below"))
    assert path.is_symlink() or path.read_text() == "mine"


def test_a_file_is_written_whole_and_for_this_user_alone(folder: Path, umask: Callable[[int], None]) -> None:
    umask(0)
    path = folder / "new" / "file"
    for data in (b"one", b"two" * 100_000, b""):
        write_own(str(path), data)
        assert read_own(str(path), 300_000) == data
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_what_a_killed_process_left_is_in_nobodys_way(folder: Path, tmp_path: Path) -> None:
    path, victim = folder / "file", tmp_path / "victim"
    victim.write_text("untouched")
    (folder / f"file.{os.getpid()}.new").symlink_to(victim)
    write_own(str(path), b"data")
    assert (path.read_bytes(), victim.read_text()) == (b"data", "untouched")


def test_a_file_that_cannot_be_put_in_its_place_is_not_left_behind(folder: Path) -> None:
    (folder / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_own(str(folder / "taken"), b"data")
    assert [entry.name for entry in folder.iterdir()] == ["taken"]


@pytest.mark.parametrize("fault", ["too long", "group-writable", "link", "pipe", "folder", "open folder", "none"])
def test_a_file_that_others_may_have_written_is_not_read(folder: Path, fault: str) -> None:
    path = folder / "file"
    path.write_bytes(b"1234")
    if fault == "too long":
        assert read_own(str(path), 3) is None
    elif fault == "group-writable":
        path.chmod(0o620)
    elif fault == "link":
        path.rename(folder / "real")
        path.symlink_to("real")
    elif fault == "open folder":
        folder.chmod(0o770)
    else:
        path.unlink()
        if fault == "pipe":
            os.mkfifo(path, 0o600)
        elif fault == "folder":
            path.mkdir(mode=0o700)
    assert read_own(str(path), 4) == (b"1234" if fault == "too long" else None)


@as_root
def test_a_file_of_somebody_else_is_not_read(folder: Path) -> None:
    path = folder / "file"
    path.write_bytes(b"1234")
    os.chown(path, NOBODY, NOBODY)
    assert read_own(str(path), 4) is None


def test_a_folder_that_is_gone_is_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert here() == str(folder)
    folder.rmdir()
    assert here() == ""
