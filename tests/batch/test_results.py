"""A batch's output: whole lines, mended after a kill, and never another file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.batch.results import Recorded, open_results
from codex_oauth.errors import ConfigurationError

FIRST = {"id": "a", "line": 1, "digest": "d1", "text": "yes", "usage": {"input": 5, "output": 2}, "error": None}
SECOND = {"id": None, "line": 2, "digest": "d2", "error": {"code": "empty_reply", "message": "m"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def whole(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def read(path: Path) -> list[Recorded]:
    with open_results(path) as results:
        return list(results.read())


def test_what_is_added_is_read_again(path: Path) -> None:
    with open_results(path) as results:
        assert list(results.read()) == []
        results.add(FIRST)
        results.add(SECOND)
        results.sync()
    assert path.read_bytes() == whole(FIRST, SECOND)
    assert read(path) == [
        Recorded(line=1, key='"a"', digest="d1", failure=None, usage={"input": 5, "output": 2}),
        Recorded(line=2, key="#2", digest="d2", failure="empty_reply", usage={}),
    ]


def test_any_text_comes_back_as_it_was(path: Path) -> None:
    text = 'Ünï 🦘🏽 \u0000 \x1b[31m \u2028 \r\n\t \\ " \ud800 end'
    with open_results(path) as results:
        results.add({**FIRST, "text": text})
    assert path.read_bytes().count(b"\n") == 1
    assert json.loads(path.read_bytes())["text"] == text


@pytest.mark.parametrize("length", [1, 5, 9, 30, len(whole(SECOND)) - 2])
def test_a_line_that_was_cut_off_is_taken_away(path: Path, length: int) -> None:
    path.write_bytes(whole(FIRST) + whole(SECOND)[:length])
    assert [recorded.key for recorded in read(path)] == ['"a"']
    assert path.read_bytes() == whole(FIRST)
    with open_results(path) as results:
        list(results.read())
        results.add(SECOND)
    assert path.read_bytes() == whole(FIRST, SECOND)


@pytest.mark.parametrize("tail", [b"\0" * 100, b'{"id": "b", "li' + b"\0" * 4000])
def test_zeros_after_a_loss_of_power_are_taken_away(path: Path, tail: bytes) -> None:
    path.write_bytes(whole(FIRST) + tail)
    assert len(read(path)) == 1
    assert path.read_bytes() == whole(FIRST)


def test_a_result_that_only_lacks_its_end_of_line_is_kept(path: Path) -> None:
    path.write_bytes(whole(FIRST, SECOND)[:-1])
    assert len(read(path)) == 2
    assert path.read_bytes() == whole(FIRST, SECOND)


@pytest.mark.parametrize(
    "content",
    [
        b"some notes\n",
        b"some notes",
        b'{"id": "a", "prompt": "an input, given as the output by mistake"}',
        b'{"id": "a", "prompt": "an input"}\n{"id": "b", "prompt": "of two lines"}\n',
        b'"an input"\n',
        whole(FIRST) + b'{"id": "a", "line": 1, "digest": "d1", "error": {}}\n',
        whole(FIRST) + b"\xff\xfe\n" + whole(SECOND),
        b"[" * 100_000,
    ],
)
def test_a_file_of_somebody_elses_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"line \d is no result of a batch"):
        read(path)
    assert path.read_bytes() == content


def test_what_is_no_file_is_no_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, complaint in (
        (tmp_path, "cannot be written: Is a directory"),
        (tmp_path / "none" / "out.jsonl", "cannot be written: No such file or directory"),
        (tmp_path / "pipe", "not a regular file"),
    ):
        with pytest.raises(ConfigurationError, match=complaint), open_results(path):
            pass


def test_only_one_has_it_open_at_a_time(path: Path) -> None:
    with open_results(path), pytest.raises(ConfigurationError, match="another run is adding to it"), open_results(path):
        pass
    with open_results(path):
        pass


def test_a_process_that_is_killed_gives_it_up(path: Path) -> None:
    program = """if True:
        import sys, time
        from pathlib import Path
        from codex_oauth.batch.results import open_results
        with open_results(Path(sys.argv[1])):
            print("open", flush=True)
            time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(ConfigurationError, match="another run"):
            read(path)
        process.kill()
    assert read(path) == []


def test_a_full_disk_is_said_and_nothing_of_the_line_stays(path: Path) -> None:
    # In a process of its own: the limit is for all of its files.
    program = """if True:
        import resource, signal, sys
        from pathlib import Path
        from codex_oauth.batch.results import open_results
        from codex_oauth.errors import ConfigurationError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        record = {"id": "a", "line": 1, "digest": "d", "text": "x" * 900, "error": None}
        with open_results(Path(sys.argv[1])) as results:
            results.add(record)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
            for _ in range(2):
                try:
                    results.add(record)
                except ConfigurationError as error:
                    print(error.message)
    """
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=30, check=True
    )
    lines = done.stdout.splitlines()
    assert lines == [f"{path}: cannot be written: the disk is full"] * 2
    assert len(read(path)) == 1
