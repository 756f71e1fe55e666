"""A service in a process of its own, and its clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from codex_oauth.config import load_settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.server import find_service, stop_service
from codex_oauth.server.report import app_servers_of
from codex_oauth.thin.ask import Answer, ask
from codex_oauth.thin.key import key_of
from codex_oauth.thin.place import socket_path
from codex_oauth.thin.wire import encode_call, head_of, received
from codex_oauth.version import __version__
from tests.scripted import eventually

__all__ = ("ALLOWED", "HOOK", "Served", "Waiting", "ended", "hook_input", "processes_with")

HOOK: Final = ("hook", "claude")
ALLOWED: Final = b'{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"allow"}}}'


def hook_input(command: str = "git status", cwd: str = "/", session: int = 1) -> bytes:
    """What Claude Code sends for a shell command, in the session with that number."""
    return json.dumps(
        {
            "session_id": f"5c0ffee0-0000-4000-8000-{session:012}",
            "cwd": cwd,
            "permission_mode": "default",
            "hook_event_name": "PermissionRequest",
            "tool_name": "Bash",
            "tool_input": {"command": command},
        }
    ).encode()


class Waiting:
    """A client that has sent its command and waits."""

    def __init__(self, path: str, message: bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(path)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may be answered before all of it is sent
            self.socket.sendall(message)
        self._data = b""

    def heard(self) -> int:
        """The status of the first word that comes."""
        while (found := received(self._data)) is None:
            piece = self.socket.recv(65_536)
            if not piece:
                return 0
            self._data += piece
        return found[0]

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The last word, whole; a status of 0 where the connection ends without one."""
        with self.socket:
            try:
                while piece := self.socket.recv(65_536):
                    self._data += piece
            except ConnectionError:
                pass  # it was closed before it had read everything
        data = self._data
        while (found := received(data)) is not None and found[0] < 200:
            data = found[2]
        return found or (0, {}, b"")


class Served:
    """The service of an environment.

    Args:
        environ: The environment.
        options: `--home` and the like.
    """

    def __init__(self, environ: Mapping[str, str], options: Mapping[str, str] | None = None) -> None:
        self.environ = dict(environ)
        self.options = dict(options or {})
        self.settings = load_settings(
            environ=environ, home=self.options.get("--home"), profile=self.options.get("--profile")
        )
        self.key = key_of(environ, self.options)
        self.path = socket_path(environ, str(self.settings.state_dir), self.key)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.clients: list[subprocess.Popen[bytes]] = []

    def spawn(self, *words: str, python: tuple[str, ...] = ("-P",)) -> subprocess.Popen[bytes]:
        """A service that is only just starting."""
        options = [word for option in self.options.items() for word in option]
        process = subprocess.Popen(
            [sys.executable, *python, "-m", "codex_oauth", "serve", *options, *words],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    def start(self, *words: str, python: tuple[str, ...] = ("-P",)) -> subprocess.Popen[bytes]:
        """A service that listens."""
        process = self.spawn(*words, python=python)
        assert eventually(lambda: process.poll() is not None or self.running_as() == process.pid, timeout=20)
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        return process

    def running_as(self) -> int | None:
        """The process that listens."""
        found = find_service(self.path)
        return found.pid if found is not None else None

    def status(self) -> dict[str, Any]:
        """What it says about itself."""
        found = find_service(self.path)
        assert found is not None
        assert found.status is not None
        return found.status

    def app_server(self) -> int:
        """The process id of its app-server, once there is one."""
        assert eventually(lambda: len(app_servers_of(self.processes[-1].pid)) == 1)
        return app_servers_of(self.processes[-1].pid)[0].pid

    def ask(self, *words: str, stdin: bytes = b"") -> Answer:
        """What the thin client gets."""
        return ask(self.path, self.key, list(words), stdin, self.environ)

    def message(self, *words: str, stdin: bytes = b"", path: str | None = None, **replaced: str) -> bytes:
        """A request for it."""
        path = self.environ["PATH"] if path is None else path
        call = encode_call(cwd=str(Path.cwd()), path=path, project="", words=list(words))
        version, key = replaced.get("version", __version__), replaced.get("key", self.key)
        return head_of("POST", "/v1/run", version, key, len(call), len(call) + len(stdin)) + call + stdin

    def send(self, message: bytes) -> Waiting:
        """A client that waits for the answer to it."""
        return Waiting(self.path, message)

    def hook(self, command: str = "git status") -> Waiting:
        """A hook that waits for its answer."""
        return self.send(self.message(*HOOK, stdin=hook_input(command)))

    def client(self, *words: str, stdin: bytes = b"") -> subprocess.Popen[bytes]:
        """A command in a process of its own, as hosts run it."""
        client = subprocess.Popen(
            [sys.executable, "-m", "codex_oauth", *words],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.clients.append(client)
        assert client.stdin is not None
        client.stdin.write(stdin)
        client.stdin.close()
        client.stdin = None
        return client

    def close(self) -> None:
        """End it, its clients, and the one that they have started."""
        for client in self.clients:
            if client.poll() is None:
                client.kill()
            client.communicate()
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stderr is not None:
                process.stderr.close()
        # A client may have started one a moment ago, which does not listen yet.
        place = f"XDG_RUNTIME_DIR={self.environ['XDG_RUNTIME_DIR']}"
        assert eventually(lambda: self._stopped() and processes_with(place) == [], timeout=30)

    def _stopped(self) -> bool:
        try:
            return stop_service(self.path) == "none"
        except ConfigurationError:
            return True  # something else is in its place


def ended(process: subprocess.Popen[bytes], timeout: float = 10.0) -> int:
    """The exit status of a process that ends in time."""
    return process.wait(timeout)


def processes_with(variable: str) -> list[int]:
    """The processes that were started with this in their environment."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if variable.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
