"""The socket's place: one service has it, and nobody is driven out of it who may be there."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.server import Listening, Taken


@pytest.fixture
def path(place: Path) -> str:
    """Where to listen, in a folder that is not there yet."""
    return str(place / "own" / "a.sock")


@pytest.fixture
def listening(path: str) -> Iterator[Listening]:
    """Somebody who listens there."""
    one = Listening(path)
    one.open()
    yield one
    one.close()


def accepted(listening: Listening) -> bool:
    """Whether somebody who connects to the path arrives at this socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listening.path)
        try:
            listening.socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True


def test_folder_and_socket_are_for_their_owner_alone(listening: Listening) -> None:
    assert accepted(listening)
    path = Path(listening.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {entry.name for entry in path.parent.iterdir()} == {"a.sock", "a.sock.lock"}


def test_a_second_one_is_told_that_the_place_is_taken(listening: Listening, path: str) -> None:
    with pytest.raises(Taken, match="another service has"):
        Listening(path).open()
    assert accepted(listening)


def test_who_comes_after_it_has_closed_gets_the_place(listening: Listening, path: str) -> None:
    listening.close()
    assert not Path(path).exists()
    after = Listening(path)
    after.open()
    assert accepted(after)
    after.close()


def test_a_socket_that_nobody_listens_on_any_more_is_replaced(path: str) -> None:
    Path(path).parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    listening = Listening(path)
    listening.open()
    assert accepted(listening)
    listening.close()


def test_what_stayed_of_one_that_was_killed_while_it_began_is_in_nobodys_way(path: str) -> None:
    Path(path).parent.mkdir(mode=0o700)
    Path(path).with_suffix(".new").touch()
    listening = Listening(path)
    listening.open()
    assert accepted(listening)
    listening.close()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "link to a socket"])
def test_something_else_in_its_place_is_left_there_and_refused(path: str, place: Path, kind: str) -> None:
    own = Path(path)
    own.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as elsewhere:
        elsewhere.bind(str(place / "elsewhere.sock"))
        match kind:
            case "file":
                own.write_text("mine")
            case "folder":
                own.mkdir()
            case "link":
                own.symlink_to(place / "nowhere")
            case _:
                own.symlink_to(place / "elsewhere.sock")
        before = own.lstat()
        with pytest.raises(ConfigurationError, match=r"a\.sock is (a link|not a socket); move it away"):
            Listening(path).open()
        assert os.path.samestat(own.lstat(), before)


def test_a_lock_that_is_a_link_is_refused_and_nothing_is_made_where_it_leads(path: str, place: Path) -> None:
    Path(path).parent.mkdir(mode=0o700)
    Path(f"{path}.lock").symlink_to(place / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot listen there"):
        Listening(path).open()
    assert not (place / "elsewhere").exists()


def test_a_lock_that_is_a_pipe_is_refused(path: str) -> None:
    Path(path).parent.mkdir(mode=0o700)
    os.mkfifo(f"{path}.lock", 0o600)
    with pytest.raises(ConfigurationError, match="is not a file; move it away"):
        Listening(path).open()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_folder_that_others_can_enter_is_refused(path: str, mode: int) -> None:
    Path(path).parent.mkdir()
    Path(path).parent.chmod(mode)
    with pytest.raises(ConfigurationError, match="is open to others: chmod 700"):
        Listening(path).open()
    assert list(Path(path).parent.iterdir()) == []


def test_a_folder_that_is_a_link_is_refused(path: str, place: Path) -> None:
    (place / "real").mkdir(mode=0o700)
    Path(path).parent.symlink_to(place / "real")
    with pytest.raises(ConfigurationError, match="is not a folder; move it away"):
        Listening(path).open()
    assert list((place / "real").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["folder", "socket"])
def test_what_belongs_to_another_user_is_refused(path: str, what: str) -> None:
    own = Path(path)
    own.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(path)
        theirs.listen()
        os.chown(own if what == "socket" else own.parent, 65534, 65534)
        before = own.lstat()
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            Listening(path).open()
        assert os.path.samestat(own.lstat(), before)


def test_a_path_that_is_too_long_is_refused_by_name(place: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen there"):
        Listening(str(place / ("long" * 40) / "a.sock")).open()


# --- what becomes of the place while it listens ----------------------------------------------------------------------


def test_a_socket_that_was_deleted_can_be_made_anew(listening: Listening) -> None:
    assert listening.look() == "here"
    Path(listening.path).unlink()
    assert listening.look() == "gone"
    listening.bind()
    assert listening.look() == "here"
    assert accepted(listening)


def test_who_finds_another_socket_in_its_place_leaves_it_there(listening: Listening) -> None:
    Path(listening.path).unlink()
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(listening.path)
        assert listening.look() == "taken"
        listening.close()
        assert Path(listening.path).exists()


@pytest.mark.parametrize("what", ["lock", "folder"])
def test_who_has_lost_the_lock_has_lost_the_place(listening: Listening, path: str, what: str) -> None:
    for entry in Path(path).parent.iterdir():
        if what == "folder" or entry.name.endswith(".lock"):
            entry.unlink()
    if what == "folder":
        Path(path).parent.rmdir()
    assert listening.look() == "taken"
    after = Listening(path)
    after.open()
    listening.close()
    assert after.look() == "here"
    assert accepted(after)
    after.close()


def test_who_withdraws_still_gets_those_who_have_connected(listening: Listening, path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        listening.withdraw()
        assert not Path(path).exists()
        after = Listening(path)
        after.open()
        listening.socket.accept()[0].close()
        after.close()
