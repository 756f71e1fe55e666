"""People who sign in, and commands that wait for them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from codex_oauth.testing import LoopbackChatGPT, Request

POLL = "/api/accounts/deviceauth/token"


def decide_at_once(chatgpt: LoopbackChatGPT, *, approve: bool = True) -> None:
    """Have every device code approved, or denied, before codex first asks about it."""

    def decide(request: Request) -> None:
        code = str(request.fields["user_code"])
        if approve:
            chatgpt.approve_device(code)
        else:
            chatgpt.deny_device(code)

    chatgpt.respond(POLL, decide)


class Piped:
    """`python -m codex_oauth …` without a terminal, while it runs. Leaving the block ends it."""

    def __init__(self, environ: dict[str, str], folder: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codex_oauth", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            cwd=folder,
            bufsize=0,  # nothing is read ahead, so that `end` has the rest
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def said(self, word: str) -> str:
        """The next line on stderr that has this word in it."""
        assert self._process.stderr is not None
        while line := self._process.stderr.readline():
            if word.encode() in line:
                return line.decode()
        raise EOFError(f"it ended without a word of {word!r}")

    def interrupt(self) -> None:
        """What Ctrl-C is without a terminal."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        stdout, stderr = self._process.communicate(timeout=60)
        return subprocess.CompletedProcess((), self._process.returncode, stdout.decode(), stderr.decode())
