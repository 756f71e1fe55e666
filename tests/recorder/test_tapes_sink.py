"""Posting to a tapes server that is up, down, slow, ill, or no such server at all."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.events import ResponseCompleted
from codex_oauth.metrics.writer import held
from codex_oauth.recorder import Recorder, TapesSink
from codex_oauth.recorder.record import record_of
from codex_oauth.recorder.spool import Spool, SpoolFull
from codex_oauth.records import replace
from tests.recorder.samples import ACCOUNT, RESPONSE, number, tool_loop
from tests.recorder.tapes_server import TapesServer

ROOT = Path(__file__).parents[2]
GRACE = 20.0


@pytest.fixture
def tapes() -> Iterator[TapesServer]:
    with TapesServer() as server:
        yield server


def sink_for(server: TapesServer, folder: Path, **options: Any) -> TapesSink:
    chosen: dict[str, Any] = {"first_pause": 0.01, "timeout": 5.0, **options}
    return TapesSink(server.url, spool=folder, **chosen)


def write(sink: TapesSink, *counts: int) -> None:
    for count in counts:
        sink.write(record_of(number(count)))


def ids(server: TapesServer) -> list[str]:
    """The ids of what was posted, each time that it was."""
    return [payload["meta"]["request_id"] for payload, _ in server.posts]


def test_responses_are_posted_in_order_and_nothing_stays_behind(tapes: TapesServer, tmp_path: Path) -> None:
    sink = sink_for(tapes, tmp_path)
    for response in tool_loop():
        sink.write(record_of(response))
    sink.close(GRACE)
    assert ids(tapes) == ["resp_1", "resp_2", "resp_3"]
    assert [status for _, status in tapes.posts] == [202, 202, 202]
    assert sink.accepted == 3
    assert sink.spool.state() == (0, 0, 0, 0)
    assert sink.trouble.counts == {}


def test_what_is_recorded_twice_is_kept_once(tapes: TapesServer, tmp_path: Path) -> None:
    sink = sink_for(tapes, tmp_path)
    for _ in range(2):
        for response in tool_loop():
            sink.write(record_of(replace(response, response_id=None)))
    sink.close(GRACE)
    assert (len(tapes.posts), len(tapes.kept)) == (6, 3)


@pytest.mark.parametrize("illness", [502, 500, 503, "drop", "lost"])
def test_what_the_server_cannot_take_now_is_posted_again_under_the_same_id(
    tapes: TapesServer, tmp_path: Path, illness: Any
) -> None:
    tapes.ill.extend([illness, illness])
    sink = sink_for(tapes, tmp_path)
    write(sink, 1, 2)
    tapes.wait_until(lambda: len(tapes.kept) == 2)
    sink.close(GRACE)
    assert list(tapes.kept) == ["resp_1", "resp_2"], "each once, in order"
    assert sink.trouble.counts["down"] == 2
    assert sink.spool.state().waiting == 0


def test_a_server_that_does_not_answer_in_time_gets_the_same_again(tapes: TapesServer, tmp_path: Path) -> None:
    tapes.ill.append("hang")
    sink = sink_for(tapes, tmp_path, timeout=0.2)
    write(sink, 1)
    tapes.wait_until(lambda: len(tapes.kept) == 1)
    sink.close(GRACE)
    assert (set(ids(tapes)), len(tapes.posts) > 1) == ({"resp_1"}, True)
    assert sink.spool.state().waiting == 0


def test_what_came_while_the_server_was_down_is_posted_when_it_is_up_again(
    tapes: TapesServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sink_for(tapes, tmp_path)
    write(sink, 1)
    tapes.wait_until(lambda: len(tapes.kept) == 1)
    tapes.stop()
    write(sink, *range(2, 12))
    assert sink.spool.state().waiting in (10, 11), "the first may not be removed yet"
    tapes.start()
    tapes.wait_until(lambda: len(tapes.kept) == 11)
    sink.close(GRACE)
    assert list(tapes.kept) == [f"resp_{count}" for count in range(1, 12)]
    assert sink.spool.state().waiting == 0
    said = [record.message for record in caplog.records]
    assert len(said) <= 1, "said once"
    assert all("wait in" in words for words in said)


def test_the_next_process_posts_what_the_last_one_could_not(tapes: TapesServer, tmp_path: Path) -> None:
    tapes.stop()
    sink = sink_for(tapes, tmp_path)
    write(sink, 1, 2)
    began = time.monotonic()
    sink.close(GRACE)
    assert time.monotonic() - began < GRACE / 2, "a server that is not there is not waited for"
    assert sink.spool.state().waiting == 2

    tapes.start()
    later = sink_for(tapes, tmp_path)
    write(later, 3)
    tapes.wait_until(lambda: len(tapes.kept) == 3)
    later.close(GRACE)
    assert ids(tapes) == ["resp_1", "resp_2", "resp_3"]


def test_a_hanging_server_holds_up_the_end_for_no_longer_than_it_may(tapes: TapesServer, tmp_path: Path) -> None:
    tapes.ill.append("hang")
    sink = sink_for(tapes, tmp_path)
    write(sink, 1)
    tapes.wait_until(lambda: len(tapes.posts) == 1)
    began = time.monotonic()
    sink.close(0.1)
    assert time.monotonic() - began < 2
    assert sink.spool.state().waiting == 1


@pytest.mark.parametrize("status", [400, 404, 413, 422, 429])
def test_what_the_server_refuses_is_set_aside_and_never_posted_again(
    tapes: TapesServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    tapes.ill.extend([status, status])
    sink = sink_for(tapes, tmp_path)
    write(sink, 1, 2, 3)
    tapes.wait_until(lambda: len(tapes.posts) == 3)
    sink.close(GRACE)
    assert ids(tapes) == ["resp_1", "resp_2", "resp_3"]
    assert list(tapes.kept) == ["resp_3"], "the next ones go on"
    assert sink.spool.state() == (0, 0, 2, 0)
    aside = [json.loads(line) for line in sink.spool.rejected.read_bytes().splitlines()]
    assert [(line["status"], line["payload"]["meta"]["request_id"]) for line in aside] == [
        (status, "resp_1"),
        (status, "resp_2"),
    ]
    assert sink.trouble.counts == {"rejected": 2}
    (record,) = caplog.records
    assert (record.levelno, str(status) in record.message, "rejected.jsonl" in record.message) == (
        logging.WARNING,
        True,
        True,
    )
    assert "as the test wants it" not in record.message, "what a server says may quote the payload"


def test_a_port_that_is_no_ingest_keeps_what_waits(
    tapes: TapesServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tapes.ill.extend([200] * 2)
    sink = sink_for(tapes, tmp_path)
    write(sink, 1)
    tapes.wait_until(lambda: len(tapes.kept) == 1)
    sink.close(GRACE)
    assert [status for _, status in tapes.posts] == [200, 200, 202]
    assert "not the ingest port" in caplog.text


def test_a_full_spool_takes_no_more_and_says_so(tapes: TapesServer, tmp_path: Path) -> None:
    tapes.stop()
    sink = sink_for(tapes, tmp_path, most_bytes=4_000)
    recorder = Recorder([sink])
    for count in range(1, 6):
        recorder.observe(ResponseCompleted(number(count)))
    recorder.close()
    state = sink.spool.state()
    assert state.bytes <= 4_000
    assert (state.waiting + state.lost, state.lost > 0) == (5, True)
    assert recorder.trouble.counts == {"sink": state.lost}
    tapes.start()
    with pytest.raises(SpoolFull):
        write(sink, 9)
    write(sink_for(tapes, tmp_path), 6)
    tapes.wait_until(lambda: len(tapes.kept) == state.waiting + 1)
    assert list(tapes.kept) == [f"resp_{count}" for count in (*range(1, state.waiting + 1), 6)], "the oldest are kept"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not modes there")
def test_only_the_owner_may_read_what_waits_or_was_refused(tapes: TapesServer, tmp_path: Path) -> None:
    tapes.ill.append(422)
    old = os.umask(0)
    try:
        sink = sink_for(tapes, tmp_path / "spools")
        write(sink, 1)
        tapes.wait_until(lambda: bool(tapes.posts))
        tapes.stop()
        write(sink, 2)
        sink.close(GRACE)
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sink.spool.folder.rglob("*")}
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(sink.spool.folder.stat().st_mode) == 0o700


def test_two_do_not_empty_a_spool_at_once(tapes: TapesServer, tmp_path: Path) -> None:
    sink = sink_for(tapes, tmp_path)
    with held(sink.spool.folder / "drain.lock") as alone:
        assert alone
        write(sink, 1)
        sink.close(0.3)
        assert tapes.posts == []
    write(sink, 2)
    tapes.wait_until(lambda: len(tapes.kept) == 2)
    sink.close(GRACE)
    assert ids(tapes) == ["resp_1", "resp_2"]


WRITER = """
import sys
from codex_oauth.recorder import TapesSink
from codex_oauth.recorder.record import record_of
from tests.recorder.samples import number
url, folder, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sink = TapesSink(url, spool=folder, first_pause=0.01, timeout=5.0)
for at in range(first, first + count):
    sink.write(record_of(number(at)))
print("written", flush=True)
sink.close(20.0)
"""


def start_writer(tapes: TapesServer, folder: Path, first: int, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, tapes.url, str(folder), str(first), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def test_many_processes_post_each_response_once(tapes: TapesServer, tmp_path: Path) -> None:
    writers = [start_writer(tapes, tmp_path, first, 15) for first in (100, 200)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert sorted(ids(tapes)) == sorted(f"resp_{first + at}" for first in (100, 200) for at in range(15))
    for first in (100, 200):
        own = [name for name in ids(tapes) if name.startswith(f"resp_{first // 100}")]
        assert own == sorted(own), "each one's in its order"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_process_that_is_killed_between_post_and_answer_repeats_at_most_the_same_id(
    tapes: TapesServer, tmp_path: Path
) -> None:
    tapes.ill.append("hang")
    writer = start_writer(tapes, tmp_path, 1, 3)
    tapes.wait_until(lambda: len(tapes.posts) == 1)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=20)

    sink = sink_for(tapes, tmp_path)
    write(sink, 4)
    tapes.wait_until(lambda: len(tapes.kept) == 4)
    sink.close(GRACE)
    assert ids(tapes) == ["resp_1", "resp_1", "resp_2", "resp_3", "resp_4"]
    assert sink.spool.state() == (0, 0, 0, 0)


def test_what_a_killed_process_left_half_written_is_cleared(tapes: TapesServer, tmp_path: Path) -> None:
    sink = sink_for(tapes, tmp_path)
    sink.spool.folder.mkdir(parents=True)
    left, fresh = sink.spool.folder / "0-1-0.part", sink.spool.folder / "0-1-1.part"
    for path in (left, fresh):
        path.write_bytes(b'{"half":')
    os.utime(left, (0, 0))
    write(sink, 1)
    sink.close(GRACE)
    assert list(tapes.kept) == ["resp_1"]
    assert (left.exists(), fresh.exists()) == (False, True)


def test_nothing_of_the_account_is_posted_or_kept(tapes: TapesServer, tmp_path: Path) -> None:
    tapes.ill.append(422)
    sink = sink_for(tapes, tmp_path)
    write(sink, 1, 2)
    tapes.wait_until(lambda: len(tapes.posts) == 2)
    sink.close(GRACE)
    everything = json.dumps([payload for payload, _ in tapes.posts]) + sink.spool.rejected.read_text()
    assert ACCOUNT.email is not None
    assert ACCOUNT.email.lower() not in everything.lower()


def test_a_response_without_output_is_not_posted(tapes: TapesServer, tmp_path: Path) -> None:
    sink = sink_for(tapes, tmp_path)
    sink.write({**record_of(RESPONSE), "output": []})
    sink.close(GRACE)
    assert (tapes.posts, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:8082", "http://"),
        ("ftp://127.0.0.1", "http://"),
        ("http://", "name a host"),
        ("http://tapes.example:8082", "https://"),
        ("http://10.0.0.1:8082", "https://"),
        ("https://user:word@tapes.example", "a host and a port"),
        ("https://tapes.example/?key=1", "a host and a port"),
        ("http://127.0.0.1:99999", "no URL"),
        ("https://tapes..example", "cannot be"),
        (f"https://{'a' * 64}.example", "cannot be"),
        ("https://tapes.example/ü", "percent-encoded"),
        ("https://tapes.example/a b", "percent-encoded"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        TapesSink(url, spool=tmp_path)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:8082", "http://[::1]:8082/", "https://tapes.example/base/v1/ingest"])
def test_an_address_has_one_spool_however_it_is_written(url: str, tmp_path: Path) -> None:
    one, other = TapesSink(url, spool=tmp_path), TapesSink(url.rstrip("/") + "/", spool=tmp_path)
    assert one.spool.folder == other.spool.folder
    assert list(tmp_path.iterdir()) == [], "nothing is made until something waits"


def test_how_much_waits_is_known_without_looking_at_each_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", most_bytes=1000)
    spool.add("a", b"x" * 600)
    spool.add("b", b"x" * 300)
    for path in spool.waiting():
        path.write_bytes(b"")
    assert spool.state() == (2, 900, 0, 0)
    with pytest.raises(SpoolFull):
        spool.add("c", b"x" * 101)


def test_the_state_of_a_spool_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert Spool(tmp_path / "none").state() == (0, 0, 0, 0)
