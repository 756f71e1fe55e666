"""The endpoint as users start it, `codex-oauth serve --http`, in a process of its own in front of a stand-in."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from codex_oauth.config import load_settings
from codex_oauth.testing import LoopbackChatGPT
from tests.conftest import clean_environment

__all__ = ("Served", "serving")

_BASE_URL: Final = re.compile(r"export OPENAI_BASE_URL=(\S+)")
_TOKEN: Final = re.compile(r"shown this once: (\S+)")
_PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Served:
    """An endpoint that serves.

    Attributes:
        base_url: What a client is given, with `/v1`.
        token: Its token, as it was printed.
        chatgpt: What it thinks is ChatGPT.
        access_log: Its access log.
    """

    base_url: str
    token: str
    chatgpt: LoopbackChatGPT
    access_log: Path

    @property
    def environment(self) -> dict[str, str]:
        """A client's: with the two variables that the endpoint says to export, and nobody's keys and proxies."""
        return {**clean_environment(), "OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": self.token}

    def answered(self) -> list[dict[str, Any]]:
        """The lines of the access log: a request each, in the order in which they ended."""
        return [json.loads(line) for line in self.access_log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def serving(state: Path, folder: Path, *options: str) -> Generator[Served]:
    """Serve, while the block lasts; it has to end with status 0 on SIGTERM then.

    Args:
        state: A state folder with a prepared home; its sign-in is made, and removed in the end.
        folder: An empty folder for its token, its log and its metrics.
        options: More for the command line.
    """
    with LoopbackChatGPT() as chatgpt:
        environ = {
            **clean_environment(),
            **chatgpt.environment,
            "XDG_STATE_HOME": str(state),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "CODEX_OAUTH_METRICS": str(folder / "metrics.jsonl"),
            "CODEX_OAUTH_SERVICE": "off",
        }
        auth = load_settings(environ=environ).home / "auth.json"
        auth.unlink(missing_ok=True)
        chatgpt.sign_in(auth.parent)
        log = folder / "access.jsonl"
        files = ("--token-file", str(folder / "token"), "--log-file", str(log))
        command = [sys.executable, "-m", "codex_oauth", "serve", "--http", "--port", "0", *files, *options]
        try:
            with subprocess.Popen(command, env=environ, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
                try:
                    said = _said(process)
                    yield Served(_found(_BASE_URL, said), _found(_TOKEN, said), chatgpt, log)
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(_PATIENCE) == 0
                finally:
                    process.kill()
        finally:
            auth.unlink(missing_ok=True)


def _said(process: subprocess.Popen[str]) -> Sequence[str]:
    # It listens already when it says the first word, so that nobody has to wait for more than the last one.
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if "OPENAI_API_KEY" in line:
            break
    return lines


def _found(wanted: re.Pattern[str], said: Sequence[str]) -> str:
    found = next(filter(None, map(wanted.search, said)), None)
    assert found is not None, "".join(said)
    return found[1]
