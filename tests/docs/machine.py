"""A machine of somebody's who follows the pages: its own home folder, and what its commands print."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from codex_oauth.testing import LoopbackChatGPT
from tests.conftest import clean_environment

__all__ = ("Machine", "Person", "plain", "shown_in", "terminal_lines")

Person = Callable[[str], object]
"""What somebody does when the command has printed this page's address, or this code."""

_WAITS_FOR = re.compile(rb"https://auth\.openai\.com/oauth/authorize\S+|LOOP-\d+|(?:L O O P - \d \d \d \d \d)")


class Machine:
    """A folder that is somebody's HOME, beside a prepared state folder."""

    def __init__(self, chatgpt: LoopbackChatGPT, folder: Path, *, state: Path | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._named = {str(folder): "~"}
        self.environ = {
            **clean_environment(),
            **chatgpt.environment,
            "HOME": str(folder),
            "CODEX_OAUTH_SERVICE": "off",
        }
        if state is not None:
            self.environ["XDG_STATE_HOME"] = str(state)
        self.state = (state or folder / ".local" / "state") / "codex-oauth"

    @property
    def home(self) -> Path:
        """The home that calls use by themselves."""
        return self.state / "codex-home"

    def called(self, path: Path, name: str) -> None:
        """Say that the page has another name for this path."""
        self._named[str(path)] = name

    def run(self, *arguments: str, person: Person | None = None, stdin: str = "", **variables: str) -> str:
        """What `codex-oauth …` prints through a pipe, on both streams, with the page's names for its paths."""
        process = subprocess.Popen(
            [sys.executable, "-m", "codex_oauth", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self.environ, **variables},
            cwd=self.folder,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(stdin.encode())
        process.stdin.close()
        with process:
            return self._follow(process.stdout.fileno(), person, [])

    def run_in_terminal(
        self, *arguments: str, person: Person | None = None, types: Sequence[tuple[str, str]] = (), **variables: str
    ) -> str:
        """The same, in a terminal of 80 columns, where somebody types each answer once its question is shown."""
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (50, 80))
        with subprocess.Popen(
            [sys.executable, "-m", "codex_oauth", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**self.environ, "NO_COLOR": "1", "TERM": "xterm", **variables},
            cwd=self.folder,
            start_new_session=True,
        ):
            os.close(slave)
            printed = self._follow(master, person, [(question.encode(), answer.encode()) for question, answer in types])
        os.close(master)
        return "\n".join(terminal_lines(printed))

    def _follow(self, end: int, person: Person | None, types: list[tuple[bytes, bytes]]) -> str:
        printed = b""
        # The end of a terminal is an error on Linux, and nothing elsewhere.
        with suppress(OSError):
            while piece := os.read(end, 65536):
                printed += piece
                if types and types[0][0] in printed:
                    os.write(end, types.pop(0)[1])
                # Both are followed by more, so that neither is seen in part.
                elif person is not None and (found := _WAITS_FOR.search(printed, 0, printed.rfind(b"\n") + 1)):
                    what = found[0].decode()
                    person(what if "://" in what else what.replace(" ", ""))
                    person = None
        return self.named(printed.decode())

    def named(self, text: str) -> str:
        """What was printed, with the page's names for this machine's paths."""
        for path in sorted(self._named, key=len, reverse=True):
            text = text.replace(path, self._named[path])
        return text

    def copy_sign_in_to(self, other: Machine) -> None:
        """What nobody should do."""
        other.home.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.home / "auth.json", other.home / "auth.json")


def terminal_lines(printed: str) -> list[str]:
    """The lines that a terminal was left with, near enough: without colours, and of each line what was written last."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed).replace("\r\n", "\n")
    return [line.rpartition("\r")[2] for line in text.splitlines()]


def plain(text: str) -> list[str]:
    """Lines without what differs from one run to the next: spans, times of day, codes, and an address's query."""
    text = re.sub(r"(https://auth\.openai\.com/oauth/authorize\?)\S+", r"\1…", text)
    text = re.sub(r"LOOP-\d+", "LOOP-#", text)
    text = re.sub(r"(?:L O O P - )[\d ]+\d", "L O O P - #", text)
    text = re.sub(r"[\d.]+ (?:s|min|h|d)\b(?: \d+ (?:min|h))?", "# s", text)
    text = re.sub(r"\(\w{3} \d\d:\d\d\)", "(#)", text)
    return [line.rstrip() for line in text.splitlines()]


def shown_in(block: str, printed: Sequence[str]) -> bool:
    """Whether a block of a page is what was printed, or some lines of it that stood together."""
    wanted = plain(block)
    return any(
        lines[first : first + len(wanted)] == wanted
        for lines in map(plain, printed)
        for first in range(len(lines) - len(wanted) + 1)
    )
