"""The access log's file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.endpoint import access
from codex_oauth.endpoint.access import AccessLog
from codex_oauth.errors import ConfigurationError


def lines(path: Path) -> list[Any]:
    """What a log holds."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_is_one_json_object_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "access.jsonl"
    log = AccessLog(path)
    log.write({"a": "two\nlines\x1b[31m\u202e", "b": None, "c": 1})
    log.close()
    assert lines(path) == [{"a": "two\nlines\x1b[31m\u202e", "c": 1}]
    assert b"\x1b" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "access.jsonl"
    path.write_bytes(b"x" * access.MOST)
    log = AccessLog(path)
    log.write({"number": 1})
    log.write({"number": 2})
    log.close()
    assert lines(path) == [{"number": 2}]
    assert path.with_name("access.jsonl.1").stat().st_size > access.MOST


def test_two_endpoints_with_one_file_set_it_aside_once(tmp_path: Path) -> None:
    path = tmp_path / "access.jsonl"
    path.write_bytes(b"x" * access.MOST)
    one, two = AccessLog(path), AccessLog(path)
    one.write({"number": 1})
    one.write({"number": 2})
    two.write({"number": 3})  # to the file that was set aside meanwhile
    two.write({"number": 4})
    one.close()
    two.close()
    assert lines(path) == [{"number": 2}, {"number": 4}]
    assert path.with_name("access.jsonl.1").stat().st_size > access.MOST


UNREAD = """
from codex_oauth.endpoint.access import AccessLog
log = AccessLog()
for number in range(5000):
    log.write({"number": number, "agent": "x" * 50})
"""


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting() -> None:
    with subprocess.Popen([sys.executable, "-c", UNREAD], stderr=subprocess.PIPE) as writing:
        assert writing.wait(20) == 0
        assert writing.stderr is not None
        written = [json.loads(line)["number"] for line in writing.stderr]
    assert written == list(range(len(written)))
    assert written


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in (".", "pipe", "link"):
        with pytest.raises(ConfigurationError):
            AccessLog(tmp_path / name)
    assert not (tmp_path / "elsewhere").exists()
