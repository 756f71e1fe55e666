"""Asking a service that is none, is somebody else's, or misbehaves: played by a scripted peer on a socket."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from codex_oauth.thin.ask import Answer, Late, NoService, ask
from codex_oauth.thin.place import Untrusted
from codex_oauth.thin.wire import ALIVE, decode_call
from codex_oauth.version import __version__

KEY: Final = "0" * 32
HEAD: Final = b"HTTP/1.1 200 OK\r\nx-exit-status: %d\r\nx-stdout-length: %d\r\ncontent-length: %d\r\n\r\n"
ALIVE_WORD: Final = b"HTTP/1.1 102 Processing\r\nx-deadline: %s\r\n\r\n"
GOOD: Final = ALIVE_WORD % b"30.0" + HEAD % (0, 3, 5) + b"outer"

Play: TypeAlias = Callable[[socket.socket], None]


class Peer:
    """Listens in a folder of its own, and plays a part for each client in a thread."""

    def __init__(self, folder: Path, play: Play | bytes) -> None:
        self.path = str(folder / "s")
        self.received: list[bytes] = []
        self.over = threading.Event()
        self._play = play
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(5)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, suppress(OSError):
                    client.settimeout(10)
                    if not callable(self._play):
                        self.received.append(request_of(client))
                        client.sendall(self._play)
                    else:
                        self._play(client)


def request_of(client: socket.socket) -> bytes:
    """A whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a short name."""
    made = Path(f"/tmp/ask-{os.getpid()}-{time.monotonic_ns()}")
    made.mkdir(mode=0o700)
    yield made
    for left in made.iterdir():
        left.unlink()
    made.rmdir()


@pytest.fixture
def peer(folder: Path) -> Iterator[Callable[[Play | bytes], Peer]]:
    """Starts a peer."""
    peers: list[Peer] = []

    def start(play: Play | bytes) -> Peer:
        peers.append(Peer(folder, play))
        return peers[-1]

    yield start
    for one in peers:
        one.close()


def silence(client: socket.socket) -> None:
    """Says nothing until the client has gone."""
    poll = select.poll()
    poll.register(client, select.POLLHUP)
    poll.poll(10_000)


def asked(path: str, stdin: bytes = b"in") -> Answer:
    return ask(path, KEY, ["hook", "codex"], stdin, {"PATH": "/bin", "CLAUDE_PROJECT_DIR": "/project"})


def refused(path: str, stdin: bytes = b"in") -> NoService:
    with pytest.raises(NoService) as caught:
        asked(path, stdin)
    return caught.value


def test_an_answer_is_what_the_command_would_have_written(peer: Callable[..., Peer]) -> None:
    service = peer(GOOD)
    answer = asked(service.path)
    assert (answer.stdout, answer.stderr, answer.status) == (b"out", b"er", 0)
    head, _, body = service.received[0].partition(b"\r\n\r\n")
    assert f"x-codex-oauth-version: {__version__}\r\nx-codex-oauth-key: {KEY}".encode() in head
    length = int(head.partition(b"x-meta-length: ")[2].partition(b"\r\n")[0])
    assert decode_call(body[:length]) == (str(Path.cwd()), "/bin", "/project", ["hook", "codex"])
    assert body[length:] == b"in"


def test_an_answer_may_come_byte_by_byte_and_with_more_behind_it(peer: Callable[..., Peer]) -> None:
    def play(client: socket.socket) -> None:
        request_of(client)
        for byte in GOOD:
            client.send(bytes([byte]))
        client.sendall(b"more")

    answer = asked(peer(play).path)
    assert (answer.stdout, answer.stderr) == (b"out", b"er")


def test_a_large_request_and_a_large_answer_go_through(peer: Callable[..., Peer]) -> None:
    size = 8_000_000
    service = peer(ALIVE_WORD % b"30" + HEAD % (10, size, size) + b"x" * size)
    answer = asked(service.path, stdin=b"y" * 5_000_000)
    assert (len(answer.stdout), answer.stderr, answer.status) == (size, b"", 10)
    assert service.received[0].endswith(b"y" * 1000)


def test_there_is_none_where_there_is_no_socket(folder: Path) -> None:
    assert not refused(str(folder / "none")).there
    assert not refused(str(folder / "none" / "none")).there


def test_there_is_none_where_nobody_listens(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "s"))
    assert not refused(str(folder / "s")).there


def test_a_service_that_says_nothing_is_given_up_soon(peer: Callable[..., Peer]) -> None:
    service = peer(silence)
    began = time.monotonic()
    error = refused(service.path)
    assert error.there
    assert ALIVE * 0.9 < time.monotonic() - began < ALIVE + 3


def test_a_service_that_reads_nothing_is_given_up_soon(peer: Callable[..., Peer]) -> None:
    service = peer(silence)
    began = time.monotonic()
    error = refused(service.path, stdin=b"x" * 5_000_000)
    assert error.there
    assert time.monotonic() - began < ALIVE + 3


@pytest.mark.parametrize("more", [b"", b"HTTP/1.1 200", HEAD % (0, 3, 5) + b"out"], ids=["word", "head", "body"])
def test_a_service_that_falls_silent_after_its_word_is_late(peer: Callable[..., Peer], more: bytes) -> None:
    over = threading.Event()

    def play(client: socket.socket) -> None:
        client.sendall(ALIVE_WORD % b"0.2" + more)
        over.wait(10)

    service = peer(play)
    began = time.monotonic()
    with pytest.raises(Late, match=r"no answer within 0\.2 s") as caught:
        asked(service.path)
    over.set()
    assert caught.value.seconds == 0.2
    assert 0.2 < time.monotonic() - began < 4


def test_words_that_keep_coming_do_not_put_the_end_off(peer: Callable[..., Peer]) -> None:
    over = threading.Event()

    def play(client: socket.socket) -> None:
        while not over.wait(0.05):
            client.sendall(ALIVE_WORD % b"0.2")

    service = peer(play)
    began = time.monotonic()
    with pytest.raises(Late):
        asked(service.path)
    over.set()
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("length", [0, 1, 20, len(ALIVE_WORD % b"30.0"), len(GOOD) - 6, len(GOOD) - 5, len(GOOD) - 1])
def test_a_service_that_breaks_off_is_none(peer: Callable[..., Peer], length: int) -> None:
    assert refused(peer(GOOD[:length]).path).there


def test_a_service_that_closes_before_it_has_read_is_none(peer: Callable[..., Peer]) -> None:
    assert refused(peer(socket.socket.close).path, stdin=b"x" * 3_000_000).there


@pytest.mark.parametrize(
    "words",
    [
        b"junk\r\n\r\n",
        b"\0" * 1000 + b"\r\n\r\n",
        b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nout",
        HEAD.replace(b"%d", b"%s") % (b"0", b"x", b"3"),
        HEAD % (0, -1, 3) + b"out",
        HEAD % (0, 3, -3) + b"out",
        HEAD % (0, 4, 3) + b"out",
        HEAD % (256, 3, 3) + b"out",
        HEAD % (-1, 3, 3) + b"out",
        HEAD % (0, 3, 10**12) + b"out",
        HEAD % (0, 3, 10**400) + b"out",
        ALIVE_WORD % b"nan" + HEAD % (0, 0, 0),
        ALIVE_WORD % b"inf" + HEAD % (0, 0, 0),
        ALIVE_WORD % b"-1" + HEAD % (0, 0, 0),
        ALIVE_WORD % b"1e300" + HEAD % (0, 0, 0),
        ALIVE_WORD % b"soon" + HEAD % (0, 0, 0),
    ],
)
def test_what_is_no_answer_is_never_taken_for_one(peer: Callable[..., Peer], words: bytes) -> None:
    assert refused(peer(words).path).there


@pytest.mark.parametrize(
    "status", [b"409 Conflict", b"503 Service Unavailable", b"404 Not Found", b"500 Oh", b"201 No"]
)
def test_any_other_status_is_no_answer(peer: Callable[..., Peer], status: bytes) -> None:
    head = b"HTTP/1.1 " + status + (HEAD % (0, 3, 3))[15:]
    for before in (b"", ALIVE_WORD % b"30"):
        error = refused(peer_once(peer, before + head + b"out"))
        assert error.there
        assert status[:3].decode() in str(error)


def peer_once(peer: Callable[..., Peer], words: bytes) -> str:
    service = peer(words)
    moved = f"{service.path}{time.monotonic_ns()}"
    Path(service.path).rename(moved)
    return moved


def test_a_full_queue_of_connections_is_waited_for(folder: Path) -> None:
    path = str(folder / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        waiting: list[socket.socket] = []
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            try:
                client.connect(path)
            except BlockingIOError:
                break

        def serve() -> None:
            for client in waiting[:-1]:
                listener.accept()[0].close()
                client.close()
            with listener.accept()[0] as client:
                request_of(client)
                client.sendall(GOOD)

        timer = threading.Timer(0.1, serve)
        timer.start()
        assert asked(path).stdout == b"out"
        timer.join()
        waiting[-1].close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_socket_that_another_user_answers_is_not_trusted(folder: Path) -> None:
    path = folder / "s"
    code = f"""
import os, socket
os.chdir({str(folder)!r})
os.setgid(65534)
os.setuid(65534)
listener = socket.socket(fileno=0)
listener.listen(1)
print(flush=True)
listener.accept()[0].recv(1)
"""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        process = subprocess.Popen([sys.executable, "-c", code], stdin=listener.fileno(), stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(Untrusted, match="answered by another user"):
                asked(str(path))
        assert process.returncode == 0
    os.chown(path, 65534, 65534)
    with pytest.raises(Untrusted, match="belongs to another user"):
        asked(str(path))


def test_a_folder_that_is_gone_keeps_nobody_from_asking(
    peer: Callable[..., Peer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = peer(GOOD)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert asked(service.path).stdout == b"out"
