"""Recording: what is asked for, what goes wrong, and that no call notices either."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.events import ResponseCompleted, TextDelta
from codex_oauth.metrics import read
from codex_oauth.recorder import FileSink, Recorder, TapesSink, recorder_of
from codex_oauth.recorder import recorder as recorder_module
from codex_oauth.recorder.reading import RecordFile
from codex_oauth.recorder.record import line_of, record_of
from codex_oauth.records import replace
from tests.recorder.samples import RESPONSE, VALIDATOR, number, said, tool_loop

ROOT = Path(__file__).parents[2]


class Kept:
    """A sink that keeps records, or does what a test wants it to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.closed: list[float] = []
        self.threads: set[str] = set()
        self._error = error

    def write(self, record: Mapping[str, Any], /) -> None:
        self.threads.add(threading.current_thread().name)
        if self._error is not None:
            raise self._error
        self.records.append(record)

    def close(self, timeout: float, /) -> None:
        self.closed.append(timeout)


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    return load_settings(environ={"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})


def file_of(recorder: Recorder | None) -> Path:
    assert recorder is not None
    (sink,) = recorder.sinks
    assert isinstance(sink, FileSink)
    return sink.path


def test_each_response_is_a_line_with_its_own_usage(tmp_path: Path) -> None:
    path = tmp_path / "state" / "recorded.jsonl"
    recorder = Recorder([FileSink(path)], project="mine")
    for response in tool_loop():
        recorder.observe(TextDelta("item", "text"), label="conversation")
        recorder.observe(ResponseCompleted(response), label="conversation", codex_version="0.163.0")
    assert recorder.flush()
    records = list(RecordFile(path))
    for record in records:
        VALIDATOR.validate(record)
    assert [record["request_id"] for record in records] == ["resp_1", "resp_2", "resp_3"]
    assert [record["usage"]["input"] for record in records] == [120, 200, 300]
    assert {(record["label"], record["codex_version"], record["project"]) for record in records} == {
        ("conversation", "0.163.0", "mine")
    }
    assert recorder.recorded == 3
    assert recorder.trouble.counts == {}


@pytest.mark.anyio
async def test_waiting_for_the_file_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    recorder = Recorder([FileSink(tmp_path / "recorded.jsonl")])
    assert await recorder.aflush()
    recorder.observe(ResponseCompleted(RESPONSE))
    assert await recorder.aflush()
    assert len(list(RecordFile(tmp_path / "recorded.jsonl"))) == 1
    await recorder.aclose()


@pytest.mark.anyio
async def test_what_waits_for_the_file_can_be_cancelled() -> None:
    class Stuck(Kept):
        def write(self, record: Mapping[str, Any], /) -> None:
            go.wait(20)
            super().write(record)

    go = threading.Event()
    recorder = Recorder([Stuck()])
    recorder.observe(ResponseCompleted(RESPONSE))
    with anyio.move_on_after(0.05) as scope:
        await recorder.aflush(20)
    assert scope.cancelled_caught
    go.set()
    assert recorder.flush(20)


def test_records_are_made_in_a_thread_that_ends_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_IDLE", 0.01)
    before = set(threading.enumerate())
    sink = Kept()
    recorder = Recorder([sink])
    for count in (1, 2):
        recorder.observe(ResponseCompleted(number(count)))
        assert recorder.flush(20)
        for worker in set(threading.enumerate()) - before:
            worker.join(20)
            assert not worker.is_alive()
    assert [record["request_id"] for record in sink.records] == ["resp_1", "resp_2"]
    assert sink.threads == {"codex-oauth-recorder"}


def test_a_sink_that_fails_keeps_nothing_from_the_others_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = Kept(ValueError("What is 7 times 13?")), Kept()
    recorder = Recorder([bad, good])
    for count in range(3):
        recorder.observe(ResponseCompleted(number(count)))
    recorder.close()
    assert len(good.records) == 3
    assert (recorder.recorded, recorder.trouble.counts) == (0, {"sink": 3})
    (said_of_it,) = caplog.records
    assert said_of_it.levelname == "WARNING"
    assert said_of_it.message == "Kept does not take a record: ValueError", "an error's words may be content"


def test_a_response_that_cannot_be_a_record_is_counted_and_the_next_one_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Kept()
    recorder = Recorder([sink])
    recorder.observe(ResponseCompleted(replace(RESPONSE, ended=float("nan"))))
    recorder.observe(ResponseCompleted(RESPONSE))
    recorder.close()
    assert len(sink.records) == 1
    assert recorder.trouble.counts == {"lost": 1}
    assert "not recorded" in caplog.text


def test_more_than_can_wait_is_lost_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Kept):
        def write(self, record: Mapping[str, Any], /) -> None:
            go.wait(20)
            super().write(record)

    monkeypatch.setattr(recorder_module, "_WAITING", 3)
    go = threading.Event()
    sink = Slow()
    recorder = Recorder([sink])
    began = time.monotonic()
    for count in range(10):
        recorder.observe(ResponseCompleted(number(count)))
    assert time.monotonic() - began < 5
    go.set()
    recorder.close(20)
    assert (len(sink.records), recorder.trouble.counts) == (3, {"lost": 7})


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not modes there")
def test_only_the_owner_may_read_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "state" / "recorded.jsonl"
    old = os.umask(0)
    try:
        FileSink(path, limit=1).write(record_of(RESPONSE))
        FileSink(path, limit=1).write(record_of(RESPONSE))
    finally:
        os.umask(old)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (path.parent, *path.parent.iterdir())}
    names = ("recorded.jsonl", "recorded.jsonl.1", "recorded.jsonl.lock")
    assert modes == {"state": 0o700, **dict.fromkeys(names, 0o600)}


def test_a_file_that_is_full_is_set_aside_and_both_are_read(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    size = len(line_of(record_of(number(1))))
    sink = FileSink(path, limit=2 * size)
    for count in range(1, 6):
        sink.write(record_of(number(count)))
    assert [record["request_id"] for record in RecordFile(path)] == ["resp_3", "resp_4", "resp_5"]
    assert [file.name for file in RecordFile(path).files] == ["recorded.jsonl.1", "recorded.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "recorded.jsonl").symlink_to(target)
    recorder = Recorder([FileSink(tmp_path / "recorded.jsonl")])
    recorder.observe(ResponseCompleted(RESPONSE))
    recorder.close()
    assert recorder.trouble.counts == {"sink": 1}
    assert target.read_text() == "mine"


FULL = """
import resource, signal, sys
from codex_oauth.events import ResponseCompleted
from codex_oauth.recorder import FileSink, Recorder
from tests.recorder.samples import number
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recorder = Recorder([FileSink(sys.argv[1])])
recorder.observe(ResponseCompleted(number(1)))
recorder.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
for count in (2, 3):
    recorder.observe(ResponseCompleted(number(count)))
recorder.close()
assert recorder.trouble.counts == {"sink": 2}, recorder.trouble.counts
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits")
def test_a_full_disk_fails_nothing_and_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    size = len(line_of(record_of(number(1))))
    command = [sys.executable, "-c", FULL, str(path), str(size + 40)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode().count("cannot be written") == 1, "said once"

    FileSink(path).write(record_of(number(4)))
    found = RecordFile(path)
    assert [record["request_id"] for record in found] == ["resp_1", "resp_4"]
    assert found.skipped == 1


READ_ONLY = """
import os, sys
from codex_oauth.events import ResponseCompleted
from codex_oauth.recorder import FileSink, Recorder, TapesSink
from codex_oauth.recorder.record import record_of
from tests.recorder.samples import RESPONSE
import logging  # nothing may be read any more once this is nobody
if os.geteuid() == 0:
    os.seteuid(65534)
recorder = Recorder([FileSink(sys.argv[1] + "/recorded.jsonl"), TapesSink("http://127.0.0.1:9", spool=sys.argv[1])])
recorder.observe(ResponseCompleted(RESPONSE))
recorder.close()
assert recorder.trouble.counts == {"sink": 2}, recorder.trouble.counts
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not modes there")
def test_a_folder_that_may_not_be_written_fails_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    command = [sys.executable, "-c", READ_ONLY, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert list(folder.iterdir()) == []


FOREVER = """
import sys
from codex_oauth.events import ResponseCompleted
from codex_oauth.recorder import FileSink, Recorder
from tests.recorder.samples import number, said
recorder = Recorder([FileSink(sys.argv[1])])
for count in range(1_000_000):
    recorder.observe(ResponseCompleted(number(count, input=(said("user", "words " * 20_000),))))
    recorder.flush()
    if count == 5:
        print("recording", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_process_that_is_killed_while_it_records_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    process = subprocess.Popen([sys.executable, "-c", FOREVER, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"recording\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    FileSink(path).write(record_of(number(0)))
    found = RecordFile(path)
    assert len(list(found)) >= 7
    assert found.skipped <= 1


LEFT_OPEN = """
import sys
from codex_oauth.events import ResponseCompleted
from codex_oauth.recorder import recorder_of
from codex_oauth.config import load_settings
from tests.recorder.samples import number
recorder = recorder_of(load_settings(), sys.argv[1])
for count in range(20):
    recorder.observe(ResponseCompleted(number(count)))
"""


def test_what_nobody_closes_is_recorded_as_the_interpreter_ends(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    subprocess.run([sys.executable, "-c", LEFT_OPEN, str(path)], cwd=ROOT, timeout=60, check=True)
    assert len(list(RecordFile(path))) == 20


SERVERS_THAT_HANG = """
import sys
from codex_oauth.events import ResponseCompleted
from codex_oauth.recorder import FileSink, Recorder, TapesSink
from tests.recorder.samples import number
folder, port = sys.argv[1:]
recorders = [
    Recorder([TapesSink(f"http://127.0.0.1:{port}", spool=f"{folder}/{count}"), FileSink(f"{folder}/recorded.jsonl")])
    for count in range(4)
]
for count, recorder in enumerate(recorders):
    recorder.observe(ResponseCompleted(number(count)))
"""


@pytest.mark.slow
def test_many_servers_that_hang_keep_the_interpreter_no_longer_than_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        command = [sys.executable, "-c", SERVERS_THAT_HANG, str(tmp_path), str(server.getsockname()[1])]
        subprocess.run(command, cwd=ROOT, timeout=60, check=True)
        assert time.monotonic() - began < 6
    assert len(list(RecordFile(tmp_path / "recorded.jsonl"))) == 4
    assert len(list(tmp_path.rglob("*.json"))) == 4


# --- what is asked for -----------------------------------------------------------------------------------------------


def test_nothing_is_recorded_unless_it_is_asked_for(plain: Settings, tmp_path: Path) -> None:
    assert recorder_of(plain) is None
    assert recorder_of(plain, False) is None
    assert recorder_of(plain, "off") is None
    assert recorder_of(plain, []) is None
    assert list(tmp_path.iterdir()) == []


def test_an_argument_names_the_file_or_means_the_usual_one(plain: Settings, tmp_path: Path) -> None:
    assert file_of(recorder_of(plain, True)) == file_of(recorder_of(plain, "on")) == plain.state_dir / "recorded.jsonl"
    assert file_of(recorder_of(plain, tmp_path / "mine.jsonl")) == tmp_path / "mine.jsonl"
    assert file_of(recorder_of(plain, "~/mine.jsonl")) == Path("~/mine.jsonl").expanduser()
    assert file_of(recorder_of(replace(plain, record=tmp_path / "set.jsonl"))) == tmp_path / "set.jsonl"
    assert recorder_of(replace(plain, record=tmp_path / "set.jsonl"), False) is None


def test_settings_may_name_a_tapes_server(plain: Settings, tmp_path: Path) -> None:
    both = recorder_of(replace(plain, record=tmp_path / "x.jsonl", record_tapes="http://127.0.0.1:8082"))
    assert both is not None
    assert [type(sink) for sink in both.sinks] == [FileSink, TapesSink]
    alone = recorder_of(replace(plain, record_tapes="http://127.0.0.1:8082"))
    assert alone is not None
    (sink,) = alone.sinks
    assert isinstance(sink, TapesSink)
    assert sink.spool.folder.parent == plain.state_dir / "tapes"
    with pytest.raises(ConfigurationError, match="another machine"):
        recorder_of(replace(plain, record_tapes="http://tapes.example"))


def test_sinks_and_recorders_of_ones_own_are_taken(plain: Settings) -> None:
    sink = Kept()
    own = Recorder([sink], redact=False)
    assert recorder_of(plain, own) is own
    for given in (sink, [sink], (sink,)):
        recorder = recorder_of(replace(plain, record_redact=False), given)
        assert recorder is not None
        recorder.observe(ResponseCompleted(replace(RESPONSE, instructions="password=hunter2hunter2")))
        recorder.close()
    assert [record["instructions"] for record in sink.records] == ["password=hunter2hunter2"] * 3


@pytest.mark.parametrize("wrong", [Kept, 5, b"path", ["path"], [Kept(), None], ""])
def test_what_is_no_sink_is_refused(plain: Settings, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="record="):
        recorder_of(plain, wrong)


def nested(levels: int) -> dict[str, Any]:
    """A value of so many levels."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def test_records_of_a_later_version_and_other_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    good = record_of(RESPONSE)
    lines: list[Any] = [
        good,
        {**good, "version": 2},
        {**good, "input": [said("user", "x"), 5]},
        {**good, "usage": {"input": 1}},
        {**good, "usage": {**good["usage"], "input": 10**400}},
        {**good, "timing": {**good["timing"], "ms": float("nan")}},
        {**good, "timing": {**good["timing"], "ms": float("inf")}},
        {**good, "redacted": "two"},
        {**good, "output": [{"type": "message", "role": "assistant", "content": ["text"]}]},
        {**good, "output": [{"type": "reasoning", "summary": ["text"]}]},
        {**good, "input": [{"type": "function_call_output", "call_id": "a", "output": [1]}]},
        {**good, "schema": nested(300)},
        {key: value for key, value in good.items() if key != "thread_id"},
        {"command": "complete"},
        [],
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"torn": "\n', encoding="utf-8")
    found = RecordFile(path)
    assert list(found) == [good]
    assert (found.skipped, found.newer) == (14, 1)
    assert next(read(path)) == good
