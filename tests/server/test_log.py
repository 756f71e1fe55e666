"""The log: it stays small, and follows its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from codex_oauth.server.log import LOG_LIMIT

_PROGRAM = """
import sys
from pathlib import Path
from codex_oauth.server import Log
log = Log(Path(sys.argv[1]))
"""


def run(path: Path, program: str) -> bytes:
    """What a program that has a log there writes to the stderr that it was started with."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM + program, str(path)], capture_output=True, timeout=30, check=True
    )
    return done.stderr


def test_lines_go_to_the_file_and_so_does_all_of_stderr(tmp_path: Path) -> None:
    path = tmp_path / "state" / "service.log"
    assert run(path, "log.line('first\\nof all'); print('second', file=sys.stderr)") == b""
    first, second = path.read_text().splitlines()
    assert first.endswith(" first of all")
    assert second == "second"
    assert oct(path.stat().st_mode)[-3:] == "600"


def test_a_full_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    run(path, f"log.line('x' * {LOG_LIMIT}); log.check(); log.line('after')")
    assert path.read_text().splitlines()[0].endswith(" after")
    assert path.with_name("service.log.1").stat().st_size > LOG_LIMIT


def test_a_file_that_another_service_has_set_aside_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    run(path, "log.line('before'); Path(sys.argv[1]).rename(sys.argv[1] + '.1'); log.check(); log.line('after')")
    assert path.read_text().splitlines()[0].endswith(" after")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.symlink_to(tmp_path / "elsewhere")
    assert run(path, "log.line('said')").endswith(b" said\n")
    assert not (tmp_path / "elsewhere").exists()


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "service.log")
    assert run(tmp_path / "service.log", "log.line('said')").endswith(b" said\n")
