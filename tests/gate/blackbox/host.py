"""Both hosts, as far as a hook can see them: how they start it, what they hand it, and how they wait for it.

As measured: Codex runs the hook's command by bash, with pipes for the three streams; Claude Code by sh, with sockets,
and a newline after its request. Both give it all of their environment and a session of its own, read until both streams
have ended, and kill the whole group when their patience is at its end.
"""

from __future__ import annotations

import json
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

import pytest
from jsonschema import Draft202012Validator

from codex_oauth.gate import Host
from codex_oauth.testing import ModelRequest
from tests.gate.test_request import CLAUDE_BASH, CODEX_BASH

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

__all__ = (
    "ALLOW",
    "COMMAND",
    "DEFAULT_DENIAL",
    "HOSTS",
    "NOTHING",
    "PATIENCE",
    "Machine",
    "Running",
    "Seen",
    "denial",
    "in_turn",
    "no_verdict",
    "shown",
    "told",
)

HOSTS: Final[tuple[Host, ...]] = ("claude", "codex")
PATIENCE: Final = 30.0
"""Seconds that a host waits for its hook here."""

ALLOW: Final = b'{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"allow"}}}'
NOTHING: Final = b""
DEFAULT_DENIAL: Final = "Denied by the permission policy."

_SCRIPT: Final = Path(sys.executable).with_name("codex-oauth")
COMMAND: Final[tuple[str, ...]] = (str(_SCRIPT),) if _SCRIPT.exists() else (sys.executable, "-m", "codex_oauth")
"""The installed command."""

_SHELLS: Final[Mapping[Host, str]] = {"claude": "sh", "codex": "bash"}
_ENTRY: Final = Draft202012Validator(
    json.loads((Path(__file__).parents[3] / "schemas" / "metrics-entry.schema.json").read_text(encoding="utf-8"))
)


def in_turn(cases: Mapping[str, Any] | Iterable[Any]) -> list[ParameterSet]:
    """Parameters that are a host and a case: the hosts take turns, where both read a case with the same code."""
    if not isinstance(cases, Mapping):
        cases = {str(case): case for case in cases}
    return [
        pytest.param(HOSTS[number % 2], case, id=f"{name}-{HOSTS[number % 2]}")
        for number, (name, case) in enumerate(cast("Mapping[str, Any]", cases).items())
    ]


def denial(message: str) -> bytes:
    """A denial, as both hosts read it."""
    return (
        b'{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny","message":'
        + json.dumps(message).encode()
        + b"}}}"
    )


def told(request: ModelRequest) -> str:
    """What the model was told by this program: everything but the person's side."""
    others = [item for item in request.context if item.get("role") != "user"]
    return "".join(part["text"] for item in others for part in item["content"])


def shown(request: ModelRequest) -> dict[str, Any]:
    """The request as the model was shown it: the data between the delimiters."""
    opening, closing = "<permission_request>\n", "\n</permission_request>"
    assert request.text.startswith(opening)
    assert request.text.endswith(closing)
    return json.loads(request.text[len(opening) : -len(closing)])


@dataclass(frozen=True, slots=True)
class Seen:
    """What a host has of its hook: the exit status, negative for a signal, and both streams to their ends."""

    status: int
    stdout: bytes
    stderr: str


def no_verdict(seen: Seen) -> str:
    """The class of the failure that a hook without a verdict told in its one line, and the person decides."""
    assert (seen.status, seen.stdout) == (1, NOTHING), seen
    start = "codex-oauth: no verdict, so the person decides: "
    assert seen.stderr.startswith(start), seen.stderr
    assert seen.stderr.endswith("\n")
    assert seen.stderr.count("\n") == 1, seen.stderr
    return seen.stderr.removeprefix(start).partition(": ")[0]


class Running:
    """A hook that runs.

    Attributes:
        process: The shell that the host started.
    """

    def __init__(self, process: subprocess.Popen[bytes], stdout: int, stderr: int) -> None:
        self.process = process
        self._streams = {stdout: bytearray(), stderr: bytearray()}
        self._stdout, self._stderr = stdout, stderr

    @property
    def pid(self) -> int:
        """The hook's process: some shells give it their own place, others wait for it."""
        pid = self.process.pid
        children = [child for child, parent in _parents().items() if parent == pid]
        is_shell = b"-c" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return children[0] if is_shell else pid

    def hang_up(self) -> None:
        """Read its stdout no more."""
        self._streams.pop(self._stdout)
        os.close(self._stdout)

    def started(self) -> list[int]:
        """What it has started so far, and what that has: the ids of the processes."""
        parents = _parents()
        found = [self.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]

    def holds_a_stream(self, pid: int) -> bool:
        """Whether another process has any of the pipes of a Codex open."""
        ours = {os.fstat(stream).st_ino for stream in self._streams}
        theirs: set[int] = set()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                theirs.add(entry.stat().st_ino)
        return bool(ours & theirs)

    def kill_group(self) -> None:
        """What a host does at its timeout."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def seen(self, patience: float = PATIENCE) -> Seen:
        """Read both streams to their ends, and the status.

        Raises:
            TimeoutError: Somebody still holds a stream after so many seconds.
        """
        end = time.monotonic() + patience
        with selectors.DefaultSelector() as selector:
            for stream in self._streams:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(end - time.monotonic(), 0))
                if not ready:
                    raise TimeoutError(f"so far: {self._streams}")
                for key, _ in ready:
                    try:
                        piece = os.read(key.fd, 65536)
                    except ConnectionResetError:
                        piece = b""
                    if piece:
                        self._streams[key.fd] += piece
                    else:
                        selector.unregister(key.fd)
        status = self.process.wait(max(end - time.monotonic(), 1))
        stdout = self._streams.get(self._stdout, b"")
        return Seen(status, bytes(stdout), self._streams[self._stderr].decode())


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
        shell = shutil.which(_SHELLS[host]) or "/bin/sh"
        (reader, stdin), (stdout, written), (stderr, told_to) = (_pair(host) for _ in range(3))
        process = subprocess.Popen(
            [shell, "-c", line],
            stdin=reader,
            stdout=written,
            stderr=told_to,
            env=self.environ,
            cwd=self.repo,
            start_new_session=True,
        )
        for descriptor in (reader, written, told_to):
            os.close(descriptor)
        file = os.fdopen(stdin, "wb", buffering=0)
        writer = threading.Thread(target=_write, args=(file, _encoded(host, request)), daemon=True)
        if request is not None:
            writer.start()
        running = Running(process, stdout, stderr)
        try:
            yield running
        finally:
            running.kill_group()
            process.wait()
            if request is not None:
                writer.join(5)
            for descriptor in (stdout, stderr):
                with suppress(OSError):  # it was hung up
                    os.close(descriptor)
            file.close()

    def ask(self, host: Host, request: Mapping[str, Any] | bytes | None = None, *options: str, **how: Any) -> Seen:
        """Run the hook to its end; by default with `payload(host)`."""
        with self.started(host, self.payload(host) if request is None else request, *options, **how) as running:
            return running.seen()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run another command, as the user in the repository."""
        return subprocess.run(
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
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


def _parents() -> dict[int, int]:
    """The parent of each process of this machine."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The name, in brackets, may itself hold blanks and brackets.
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def _pair(host: Host) -> tuple[int, int]:
    """A reading and a writing end."""
    if host == "codex":
        return os.pipe()
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def _encoded(host: Host, request: Mapping[str, Any] | bytes | None) -> bytes:
    data = request if isinstance(request, bytes) else json.dumps(request).encode()
    return data + b"\n" if host == "claude" and data else data


def _write(file: IO[bytes], data: bytes) -> None:
    # A hook may end without having read all of it, or any.
    with suppress(BrokenPipeError, ConnectionResetError):
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
    file.close()
