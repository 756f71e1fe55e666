"""Processes are measured whole, with what they leave behind, and the network in front of the stand-in is slow."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.imports import import_times, milliseconds
from benchmarks.lines import Side
from benchmarks.running import Command, children_of, run, run_watched
from tests.conftest import clean_environment

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="it is read from /proc")


def python(code: str, tmp_path: Path, *, stdin: bytes = b"", answer: bytes = b"") -> Command:
    return Command(argv=(sys.executable, "-c", code), env=clean_environment(), cwd=tmp_path, stdin=stdin, answer=answer)


def others() -> frozenset[int]:
    """What other tests of this process have started: nothing to do with what is measured, and not to be killed."""
    return frozenset(children_of(os.getpid()))


def test_a_process_is_timed_to_its_answer_and_to_its_end(tmp_path: Path) -> None:
    command = python("import sys; print(sys.stdin.read())", tmp_path, stdin=b"a question", answer=b"question")

    found = run(command, others())

    assert found.answered is not None
    assert 0 < found.answered <= found.seconds
    assert found.cpu > 0
    assert found.left == 0


def test_a_process_without_output_has_no_time_to_its_answer(tmp_path: Path) -> None:
    assert run(python("pass", tmp_path), others()).answered is None


@pytest.mark.parametrize("code", ["import sys; print('x'); sys.exit('what went wrong')", "print('another answer')"])
def test_a_run_that_failed_or_said_something_else_is_no_measurement(code: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"what went wrong|another answer"):
        run(python(code, tmp_path, answer=b"the answer"), others())


@linux_only
def test_the_memory_of_a_process_is_its_peak(tmp_path: Path) -> None:
    found = run_watched(python("a = bytearray(64 << 20); del a; import time; time.sleep(0.2)", tmp_path), others())

    assert 64 * 1024 < found["client"] < 128 * 1024
    assert found["codex"] == 0


def test_a_module_is_counted_only_where_the_interpreter_does_not_load_it_itself(tmp_path: Path) -> None:
    env = clean_environment()
    known = import_times(("-c", "pass"), env=env, cwd=tmp_path)
    found = import_times(("-c", "import json"), env=env, cwd=tmp_path)

    assert "json.decoder" in found.keys() - known.keys()
    assert 0 < milliseconds(found, known) < sum(found.values())
    assert milliseconds(known, known) == 0


def test_a_program_that_cannot_import_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no_such_module"):
        import_times(("-c", "import no_such_module"), env=clean_environment(), cwd=tmp_path)


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets, until its peer ends."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65_536):
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_the_relay_delays_each_round_trip_keeps_the_order_and_counts(echo: int) -> None:
    with Side.module("relay", str(echo), "40") as relay:
        with socket.create_connection(("127.0.0.1", relay.ask("port")["port"]), timeout=10) as connection:
            began = time.monotonic()
            connection.sendall(b"a")
            connection.sendall(b"b" * 100_000)
            received = b""
            while len(received) < 100_001:
                received += connection.recv(65_536)
            took = time.monotonic() - began
        counts = relay.ask("counts")

    assert took >= 0.04
    assert received == b"a" + b"b" * 100_000
    assert counts == {"connections": 1, "sent": 100_001, "received": 100_001}


def test_a_process_that_ends_instead_of_answering_is_told() -> None:
    with (
        Side([sys.executable, "-c", "import sys; sys.stdin.readline()"]) as side,
        pytest.raises(RuntimeError, match="ended"),
    ):
        side.ask("anything")
