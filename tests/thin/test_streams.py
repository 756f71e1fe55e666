"""What comes in and what goes out, by descriptor: in a process of its own, whose descriptors are a test's to spoil."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

READ: Final = """
    try:
        data = streams.read_request(patience=0.3)
        report(len(data))
    except streams.NoRequest as error:
        report(str(error))
"""

Start: TypeAlias = Callable[..., Any]


@pytest.fixture
def report_of(tmp_path: Path) -> Start:
    """What a piece of code reports that runs with `streams` imported, first of all with `hold_numbers()`."""

    def run(code: str, **options: Any) -> Any:
        file = tmp_path / "report"
        file.unlink(missing_ok=True)
        program = f"""
import json, os, sys
from codex_oauth.thin import streams
def report(value):
    with open({str(file)!r}, "w") as file:
        json.dump(value, file)
there = streams.hold_numbers()
{textwrap.dedent(code)}
os._exit(0)
"""
        given: dict[str, Any] = {**dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL), **options}
        subprocess.run([sys.executable, "-c", program], check=True, timeout=20, **given)
        return json.loads(file.read_text())

    return run


def without(*numbers: int) -> Callable[[], None]:
    """Closes descriptors in the child."""

    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


def test_a_request_is_read_to_its_end(report_of: Start) -> None:
    assert report_of(READ) == 0
    reader, writer = os.pipe()
    thread = threading.Thread(target=lambda: (os.write(writer, b"x" * 40_000), os.close(writer)))
    thread.start()
    assert report_of(READ, stdin=reader) == 40_000
    os.close(reader)
    thread.join()


def test_a_request_comes_through_a_descriptor_that_does_not_block(report_of: Start) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, b"12345")
    timer = threading.Timer(0.1, os.close, (writer,))
    timer.start()
    assert report_of(READ, stdin=reader) == 5
    timer.join()
    os.close(reader)


def test_a_request_that_does_not_end_is_none(report_of: Start) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"{")
    assert report_of(READ, stdin=reader) == "the host did not end its request within 0.3 s"
    os.close(reader)
    os.close(writer)


def test_a_request_that_is_too_long_is_none(report_of: Start) -> None:
    with Path("/dev/zero").open("rb") as zeros:
        assert report_of(READ.replace("0.3", "20"), stdin=zeros) == "the request is longer than 64 MiB"


def test_a_request_of_5_mb_is_read(report_of: Start, tmp_path: Path) -> None:
    (tmp_path / "request").write_bytes(b"x" * 5_000_000)
    with (tmp_path / "request").open("rb") as file:
        assert report_of(READ, stdin=file) == 5_000_000


def test_a_persons_terminal_is_told_what_to_use(report_of: Start) -> None:
    master, terminal = pty.openpty()
    assert "codex-oauth gate explain" in report_of(READ, stdin=terminal)
    os.close(master)
    os.close(terminal)


@pytest.mark.parametrize("closed", [(0,), (0, 1), (0, 2), (0, 1, 2)])
def test_a_closed_stdin_is_said_and_no_other_file_is_read_for_it(report_of: Start, closed: tuple[int, ...]) -> None:
    code = "out = streams.stdout_alone()\n" + textwrap.dedent(READ)
    assert report_of(code, preexec_fn=without(*closed)) == "stdin is closed, so there is no request"


@pytest.mark.parametrize("closed", [(), (0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
def test_what_is_opened_next_gets_no_number_of_a_closed_stream(report_of: Start, closed: tuple[int, ...]) -> None:
    code = """
    opened = [os.open("/dev/null", os.O_RDWR), *os.pipe()]
    report([there, min(opened) > 2])
    """
    assert report_of(code, preexec_fn=without(*closed)) == [1 not in closed, True]


def test_a_closed_stdout_cannot_be_written(report_of: Start) -> None:
    code = """
    try:
        streams.write_all(1, b"answer")
    except OSError as error:
        report(error.strerror)
    """
    assert report_of(code, preexec_fn=without(1)) == "Bad file descriptor"


def test_only_the_answer_goes_to_stdout(report_of: Start) -> None:
    reader, writer = os.pipe()
    words, said = os.pipe()
    code = """
    out = streams.stdout_alone()
    print("stray", flush=True)
    os.system("echo stray")
    streams.write_words(b"words")
    streams.write_all(out, b"answer")
    report(out)
    """
    assert report_of(code, stdout=writer, stderr=said) > 2
    assert os.read(reader, 100) == b"answer"
    assert os.read(words, 100) == b"stray\nstray\nwords"
    for descriptor in (reader, writer, words, said):
        os.close(descriptor)


def test_an_answer_is_written_whole_to_who_reads_late_and_does_not_let_it_block(report_of: Start) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = bytearray()

    def read() -> None:
        while len(data) < 1_000_000:
            data.extend(os.read(reader, 65_536))

    timer = threading.Timer(0.1, read)
    timer.start()
    code = "streams.write_all(1, b'x' * 1_000_000)\nreport(True)"
    assert report_of(code, stdout=writer) is True
    timer.join()
    assert len(data) == 1_000_000
    os.close(reader)
    os.close(writer)


def test_an_answer_that_nobody_takes_is_an_error_in_the_end(report_of: Start) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    code = """
    try:
        streams.write_all(1, b"x" * 1_000_000, patience=0.1)
    except BlockingIOError:
        report("blocked")
    """
    assert report_of(code, stdout=writer) == "blocked"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("fault", ["full", "gone", "closed", "no room"])
def test_words_that_nobody_takes_keep_nothing_back(report_of: Start, fault: str) -> None:
    code = "streams.write_words(b'x' * 1_000_000)\nreport('went on')"
    if fault == "closed":
        assert report_of(code, preexec_fn=without(2)) == "went on"
        return
    if fault == "no room":
        with Path("/dev/full").open("wb") as full:
            assert report_of(code, stderr=full) == "went on"
        return
    reader, writer = os.pipe()
    if fault == "gone":
        os.close(reader)
    assert report_of(code, stderr=writer) == "went on"
    os.close(writer)
    if fault == "full":
        os.close(reader)
