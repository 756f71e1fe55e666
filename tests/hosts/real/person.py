"""Somebody who works with coding agents: a home folder, a repository, an environment full of keys, and a gate."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Final, Literal

from codex_oauth.config import load_settings
from codex_oauth.testing import LoopbackChatGPT
from tests.conftest import clean_environment

__all__ = ("GATE_ACCOUNT", "HOST_ACCOUNT", "SECRETS", "Person")

GATE_ACCOUNT: Final = "acc_gate"
"""The account that the gate is signed in with."""

HOST_ACCOUNT: Final = "acc_host"
"""The account of a Codex that is the host."""

SECRETS: Final = {
    "ANTHROPIC_API_KEY": "sk-ant-sentinel-bilby-000000000000",
    "CODEX_API_KEY": "sk-sentinel-potoroo-0000000000000",
    "GITHUB_TOKEN": "ghp_sentinelquoll0000000000000000000000",
    "OPENAI_API_KEY": "sk-sentinel-wombat-00000000000000",
    "SOME_SERVICE_PASSWORD": "sentinel-numbat-00000000000000000",
}
"""What the person's environment holds besides: a host hands all of it to its hooks."""


class Person:
    """A person's machine.

    Args:
        folder: Where everything of theirs is.
        state: A state folder (XDG_STATE_HOME) whose managed home is prepared; it is theirs until `leave`.
        chatgpt: The service that both of their accounts are with.
    """

    def __init__(self, folder: Path, state: Path, chatgpt: LoopbackChatGPT) -> None:
        self.folder = folder
        self.repo = folder / "repo"
        self.outside = folder / "elsewhere"
        self.temporary = folder / "tmp"
        for made in (self.repo, self.outside, self.temporary, folder / ".codex", folder / ".claude"):
            made.mkdir()
        self.codex_home = folder / ".codex"
        self.claude_home = folder / ".claude"
        self.environ = {
            **clean_environment(),
            **SECRETS,
            **chatgpt.environment,
            # A host's own model may be reached without a proxy; ChatGPT is not.
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "HOME": str(folder),
            # codex takes no home inside the system's own temporary folder seriously.
            "TMPDIR": str(self.temporary),
            "CODEX_HOME": str(self.codex_home),
            "XDG_STATE_HOME": str(state),
            "CODEX_OAUTH_SERVICE": "off",
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "CODEX_OAUTH_METRICS": str(folder / "metrics.jsonl"),
        }
        self.poked = folder / "poked"
        self.numbers = itertools.count(1)
        self.settings = load_settings(environ=self.environ)
        self._chatgpt = chatgpt
        self.run_program("git", "init", "--quiet", str(self.repo))
        self.sign_in_gate()

    def sign_in_gate(self) -> None:
        """Sign the gate in."""
        self._chatgpt.sign_in(self.settings.home, account_id=GATE_ACCOUNT)

    def sign_out_gate(self) -> None:
        """Take the gate's sign-in away."""
        (self.settings.home / "auth.json").unlink(missing_ok=True)

    def has_poked(self, target: str) -> bool:
        """Whether the tool of the person's MCP server was called for this target."""
        return self.poked.exists() and target in self.poked.read_text(encoding="utf-8").splitlines()

    def install(self, host: Literal["claude", "codex"], *options: str) -> None:
        """Put the hook into a host, as its command does it for somebody who agrees to everything."""
        trust = ["--trust"] if host == "codex" else []
        self.run("install", host, "--yes", *trust, *options)

    def uninstall(self, host: Literal["claude", "codex"]) -> None:
        """Take the hook out of a host."""
        self.run("uninstall", host, "--yes")

    def run(self, *arguments: str) -> str:
        """What `codex-oauth …` prints, which must succeed."""
        return self.run_program(sys.executable, "-m", "codex_oauth", *arguments)

    def run_program(self, *argv: str) -> str:
        """What a program prints on both streams, which must succeed."""
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environ,
            cwd=self.repo,
            timeout=60,
            check=False,
        )
        printed = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, printed
        return printed
