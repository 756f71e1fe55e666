"""However a program is ended, nothing of its call stays: no process, no file, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import HANG, Hang, LoopbackChatGPT, Text
from tests.real.endpoints import ACCOUNT, SETTINGS
from tests.real.processes import running_on
from tests.scripted import eventually

_DRIVER: Final = """
import sys
import anyio
from codex_oauth.client import AsyncCodex

async def main():
    codex = AsyncCodex()
    print("begun", flush=True)
    async with codex.stream("hello", timeout=20) as events:
        async for event in events:
            print(type(event).__name__, getattr(event, "phase", ""), flush=True)
    print("left", flush=True)

anyio.run(main)
"""
"""A program that says how far its call has come."""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@contextmanager
def started(argv: list[str], environ: Mapping[str, str], cwd: Path, **streams: int) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, *argv],
        env={name: value for name, value in environ.items() if name != "PYTHONDEVMODE"},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=streams.get("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def leftovers(*folders: Path) -> set[str]:
    return {path.name for folder in folders for path in folder.rglob("*")}


# --- kill -9 of the program ------------------------------------------------------------------------------------------

_POINTS: Final = [
    "begun",
    "PhaseReached spawn",
    "PhaseReached initialize",
    "PhaseReached account",
    "PhaseReached thread",
    "PhaseReached first_event",
    "PhaseReached first_text",
    "TextDelta",
    "PhaseReached completed",
    "left",
]


@pytest.mark.parametrize("fresh", [False, True], ids=["prepared", "fresh"])
@pytest.mark.parametrize("point", _POINTS)
def test_a_program_that_is_killed_leaves_nothing_behind(
    environ: dict[str, str],
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    temporary: Path,
    point: str,
    fresh: bool,
) -> None:
    environ["TMPDIR"] = str(temporary)
    home = settings.home
    if fresh:
        environ["XDG_STATE_HOME"] = str(tmp_path / "state")
        home = tmp_path / "state" / "codex-oauth" / "codex-home"
        chatgpt.sign_in(home)
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    with started(["-c", _DRIVER], environ, cwd) as program:
        assert program.stdout is not None
        while not (line := program.stdout.readline()).startswith(point):
            assert line, program.stderr.read() if program.stderr else ""
        program.kill()
    assert eventually(lambda: running_on(home) == [])
    assert leftovers(temporary, cwd) == set()
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER], env=environ, cwd=cwd, capture_output=True, timeout=30, check=True
    )
    assert done.stdout.endswith(b"left\n")
    assert not {name for name in leftovers(home.parent) if name.endswith((".new", ".probe"))}
    assert leftovers(temporary, cwd) == set()


@pytest.mark.parametrize("milliseconds", [50, 100, 150, 200, 250, 300, 350, 400])
def test_a_first_start_that_is_killed_can_be_made_anew(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, temporary: Path, milliseconds: int
) -> None:
    environ |= {"TMPDIR": str(temporary), "XDG_STATE_HOME": str(tmp_path / "state")}
    home = tmp_path / "state" / "codex-oauth" / "codex-home"
    chatgpt.sign_in(home)
    with started(["-c", _DRIVER], environ, tmp_path) as program:
        assert program.stdout is not None
        program.stdout.readline()
        # No event marks the steps of a first start: they are cut at a row of moments.
        with suppress(subprocess.TimeoutExpired):
            program.wait(milliseconds / 1000)
        program.kill()
    assert eventually(lambda: running_on(home) == [])
    subprocess.run([sys.executable, "-c", _DRIVER], env=environ, cwd=tmp_path, timeout=30, check=True)
    assert not {name for name in leftovers(home.parent) if name.endswith((".new", ".probe"))}
    assert leftovers(temporary) == set()


# --- Ctrl-C and SIGTERM ----------------------------------------------------------------------------------------------

_SYNC: Final = "from codex_oauth import Codex\nCodex().complete('hello')"
_SYNC_WITH: Final = "from codex_oauth import Codex\nwith Codex() as codex: codex.complete('hello')"
_STREAM: Final = "from codex_oauth import Codex\nwith Codex().stream('hello') as events:\n    for _ in events: pass"
_ASYNC: Final = "import anyio; from codex_oauth import AsyncCodex\nanyio.run(AsyncCodex().complete, 'hello')"

_PATHS: Final[Mapping[str, str]] = {"account": ACCOUNT, "settings": SETTINGS}
_REPLIES: Final[Mapping[str, Hang]] = {"request": Hang(), "text": Hang("so far")}

Signalled: TypeAlias = Callable[[list[str], str, signal.Signals], tuple[int, str]]


@pytest.fixture
def signalled(environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> Signalled:
    """Sends a program a signal when the service has seen its call get that far; gives its status and its stderr."""

    def run(argv: list[str], moment: str, number: signal.Signals) -> tuple[int, str]:
        if moment in _PATHS:
            chatgpt.respond(_PATHS[moment], HANG)
            reached = partial(chatgpt.wait_for_requests, 1, path=_PATHS[moment])
        else:
            chatgpt.script(_REPLIES[moment])
            reached = partial(chatgpt.wait_for_model_requests, 1)
        with started(argv, environ, tmp_path) as program:
            reached()
            program.send_signal(number)
            _, stderr = program.communicate(timeout=10)
        if moment == "account":
            chatgpt.close()  # see SLOW: what it waits for goes away
        return program.returncode, stderr

    return run


@pytest.mark.parametrize("moment", ["account", "settings", "text"])
@pytest.mark.parametrize(
    "arguments",
    [["complete", "hello"], ["complete", "--stream", "hello"], ["classify", "--command", "ls"]],
    ids=["complete", "stream", "classify"],
)
def test_ctrl_c_ends_a_command_with_one_line(
    settings: Settings, signalled: Signalled, arguments: list[str], moment: str
) -> None:
    status, stderr = signalled(["-m", "codex_oauth", *arguments], moment, signal.SIGINT)
    assert (status, stderr.strip()) == (130, "interrupted")
    assert eventually(lambda: running_on(settings.home) == [], 3)


def test_ctrl_c_ends_the_demo_with_one_line(environ: dict[str, str], temporary: Path, tmp_path: Path) -> None:
    environ["TMPDIR"] = str(temporary)
    with started(["-m", "codex_oauth", "demo"], environ, tmp_path) as program:
        assert program.stdout is not None
        assert eventually(lambda: running_on(temporary) != [], 10)
        program.send_signal(signal.SIGINT)
        _, stderr = program.communicate(timeout=10)
    assert (program.returncode, stderr.strip()) == (130, "interrupted")
    assert eventually(lambda: running_on(temporary) == [], 1)
    assert leftovers(temporary) == set()


@pytest.mark.parametrize("text", [_SYNC, _SYNC_WITH, _STREAM, _ASYNC], ids=["sync", "with", "stream", "async"])
@pytest.mark.parametrize("moment", ["account", "settings", "text"])
def test_ctrl_c_ends_a_program_with_a_keyboard_interrupt(
    settings: Settings, signalled: Signalled, text: str, moment: str
) -> None:
    status, stderr = signalled(["-c", text], moment, signal.SIGINT)
    assert status == -signal.SIGINT
    assert stderr.endswith("KeyboardInterrupt\n")
    assert "ExceptionGroup" not in stderr
    assert eventually(lambda: running_on(settings.home) == [], 3)


@pytest.mark.parametrize("moment", ["account", "request"])
def test_sigterm_leaves_no_process(
    environ: dict[str, str], settings: Settings, signalled: Signalled, moment: str, temporary: Path
) -> None:
    environ["TMPDIR"] = str(temporary)
    assert signalled(["-m", "codex_oauth", "complete", "hello"], moment, signal.SIGTERM) == (-signal.SIGTERM, "")
    assert eventually(lambda: running_on(settings.home) == [], 3)
    assert leftovers(temporary) == set()


@pytest.mark.parametrize("arguments", [["complete"], ["complete", "--stream"], ["complete", "--json"]])
def test_a_closed_stdout_is_no_traceback(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, arguments: list[str], tmp_path: Path
) -> None:
    chatgpt.script(Text("a long reply " * 10_000, chunks=50))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with started(["-m", "codex_oauth", *arguments, "hello"], environ, tmp_path, stdout=writer) as program:
            _, stderr = program.communicate(timeout=20)
    finally:
        os.close(writer)
    assert (program.returncode, stderr) == (1, "")
    assert eventually(lambda: running_on(settings.home) == [], 1)
