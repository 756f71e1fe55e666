"""A user's machine with a coding agent that has our hook."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from codex_oauth.gate import Host
from tests.gate.blackbox.host import Seen
from tests.gate.blackbox.running import PATIENCE, Running, started
from tests.gate.test_request import CLAUDE_BASH, CODEX_BASH

__all__ = ("COMMAND", "Machine", "host_environment")

_SCRIPT: Final = Path(sys.executable).with_name("codex-oauth")
COMMAND: Final[tuple[str, ...]] = (str(_SCRIPT),) if _SCRIPT.exists() else (sys.executable, "-m", "codex_oauth")
"""The installed command."""

_ENTRY: Final = Draft202012Validator(
    json.loads((Path(__file__).parents[3] / "schemas" / "metrics-entry.schema.json").read_text(encoding="utf-8"))
)


def host_environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What a host hands on to its hooks: all that it has itself, other programs' keys among it.

    Args:
        environ: The environment of a user whose ChatGPT is the stand-in.
        folder: Where the user's home and temporary files are made.
    """
    home, temporary = folder / "user", folder / "temporary"
    for each in (home, temporary):
        each.mkdir()
    return {
        **environ,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_DATA_HOME": str(folder / "data"),
        "CODEX_HOME": str(home / ".codex"),
        "OPENAI_API_KEY": "sk-planted-openai",
        "CODEX_API_KEY": "sk-planted-codex",
        "ANTHROPIC_API_KEY": "sk-ant-planted",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "GITHUB_TOKEN": "ghp_planted",
        "CLAUDECODE": "1",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDE_CODE_SESSION_ID": "planted-session",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A user's machine, on which a coding agent has our hook.

    Attributes:
        environ: The host's environment, which its hooks get.
        repo: Where the agent works: a git repository.
        metrics: The metrics file.
        sessions: The conversations so far.
    """

    environ: dict[str, str] = field(repr=False)
    repo: Path
    metrics: Path
    sessions: list[str] = field(default_factory=list[str], repr=False)

    @classmethod
    def made(cls, environ: Mapping[str, str], folder: Path, metrics: Path) -> Machine:
        """A machine with an empty repository, `work/repo` in the folder."""
        repo = folder / "work" / "repo"
        repo.mkdir(parents=True)
        command = ["git", "init", "-q", "-b", "main", str(repo)]
        subprocess.run(command, env=dict(environ), check=True, capture_output=True, timeout=20)
        return cls(environ={**environ, "CLAUDE_PROJECT_DIR": str(repo)}, repo=repo, metrics=metrics)

    def payload(self, host: Host, **changes: Any) -> dict[str, Any]:
        """A request of that host for a harmless shell command, with changes; each is of a session of its own."""
        self.sessions.append(f"session-{len(self.sessions)}")
        base = CODEX_BASH if host == "codex" else CLAUDE_BASH
        own = {"cwd": str(self.repo), "transcript_path": None, "session_id": self.sessions[-1]}
        return {**base, "permission_mode": "default", "tool_input": {"command": "git status"}, **own, **changes}

    def policy(self, text: str) -> Path:
        """Write the user's policy file."""
        file = Path(self.environ["XDG_CONFIG_HOME"]) / "codex-oauth" / "gate.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    @contextmanager
    def started(
        self,
        host: Host,
        request: Mapping[str, Any] | bytes | None,
        *options: str,
        arguments: Sequence[str] | None = None,
        redirections: str = "",
    ) -> Generator[Running]:
        """Start the hook as that host does.

        Args:
            host: The host.
            request: What is written to its stdin; None to write nothing and never close it.
            options: The hook's options.
            arguments: What to give the command instead of `hook` with the host's name and `options`.
            redirections: What the shell does to the streams, such as `2>&-`.
        """
        words = ("hook", host, *options) if arguments is None else arguments
        line = f"{shlex.join((*COMMAND, *words))} {redirections}".rstrip()
        data = None if request is None else _encoded(host, request)
        with started(host, line, data, environ=self.environ, cwd=self.repo) as running:
            yield running

    def ask(self, host: Host, request: Mapping[str, Any] | bytes | None = None, *options: str, **how: Any) -> Seen:
        """Run the hook to its end; by default with `payload(host)`."""
        with self.started(host, self.payload(host) if request is None else request, *options, **how) as running:
            return running.seen()

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run another command, as the user in the repository."""
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            env=self.environ,
            cwd=self.repo,
            timeout=PATIENCE,
            check=False,
        )

    def entries(self) -> list[dict[str, Any]]:
        """The metrics lines, each of which fits its schema."""
        try:
            lines = self.metrics.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        entries = [json.loads(line) for line in lines]
        for entry in entries:
            _ENTRY.validate(entry)  # pyright: ignore[reportUnknownMemberType]
        return entries

    def entry(self) -> dict[str, Any]:
        """The one metrics line."""
        (entry,) = self.entries()
        return entry

    def verdicts(self) -> list[tuple[str, str, bool, str | None]]:
        """Of each metrics line: the verdict, what made it so, whether it was forced, and the rule."""
        gates = [entry["gate"] for entry in self.entries()]
        return [(gate["verdict"], gate["source"], gate["forced"], gate["rule"]) for gate in gates]


def _encoded(host: Host, request: Mapping[str, Any] | bytes) -> bytes:
    data = request if isinstance(request, bytes) else json.dumps(request).encode()
    # Claude Code ends its request with a newline.
    return data + b"\n" if host == "claude" and data else data
