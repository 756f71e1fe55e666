"""What the tests of a turn without an event loop share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.scripted import Script, Scripted, Steps, ended
from tests.session.oneshots import Call


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Callable[..., Call]]:
    """Makes a call with steps by method; underscores stand for slashes."""
    calls: list[Call] = []

    def make(**on: Steps) -> Call:
        scripted = Scripted(tmp_path, Script({name.replace("_", "/"): steps for name, steps in on.items()}))
        one = Call(scripted.path)
        one.scripted = scripted
        calls.append(one)
        return one

    yield make
    for one in calls:
        if one.connection is None:
            continue
        one.connection.close()
        try:
            assert ended(one.connection.pid)
        finally:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(one.connection.pid, signal.SIGKILL)
                os.waitpid(one.connection.pid, 0)
