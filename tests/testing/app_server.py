"""The real `codex app-server`, driven by as little code as the tests need."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Self

WAIT = 30.0
"""Seconds for the slowest thing the binary does in these tests: giving up on a service that refuses it."""

CONFIG = """\
cli_auth_credentials_store = "file"
project_doc_max_bytes = 0
model = "gpt-6.1-sol"
web_search = "disabled"
include_permissions_instructions = false
include_apps_instructions = false
include_environment_context = false
include_collaboration_mode_instructions = false
{catalogue}
[analytics]
enabled = false
[feedback]
enabled = false
[history]
persistence = "none"
[skills]
include_instructions = false
[skills.bundled]
enabled = false
[tools.experimental_request_user_input]
enabled = false
[features]
{features}
"""


class AppServer:
    """One process in a hermetic home: no plugins, no tools, nothing of this machine's own settings."""

    def __init__(self, codex: Path, home: Path, environment: dict[str, str]) -> None:
        self._ids = iter(range(1, 1_000_000))
        self._notifications: list[dict[str, Any]] = []
        self._incoming: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMPDIR") if name in os.environ}
        self.process = subprocess.Popen(
            [codex, "app-server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**keep, **environment, "HOME": str(home), "CODEX_HOME": str(home)},
            cwd=home,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        client = {"name": "loopback_tests", "title": None, "version": "0"}
        self.call("initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}})
        self._send({"method": "initialized"})
        return self

    def __exit__(self, *exc: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(WAIT)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The result of a request.

        Raises:
            RuntimeError: It was answered with an error.
        """
        request_id = next(self._ids)
        self._send({"id": request_id, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == request_id and "method" not in message:
                if "error" in message:
                    raise RuntimeError(json.dumps(message["error"]))
                return message["result"]
            self._notifications.append(message)

    def wait_for(self, method: str) -> dict[str, Any]:
        """The parameters of the first notification of this method; the others are kept for later."""
        for index, message in enumerate(self._notifications):
            if message.get("method") == method:
                del self._notifications[index]
                return message["params"]
        while (message := self._receive()).get("method") != method:
            self._notifications.append(message)
        return message["params"]

    def answer_request(self, method: str, result: object) -> dict[str, Any]:
        """Waits for a request of the binary's own, answers it, and returns its parameters."""
        waiting = [message for message in self._notifications if message.get("method") == method]
        message = waiting[0] if waiting else self._receive()
        while message.get("method") != method:
            self._notifications.append(message)
            message = self._receive()
        self._send({"id": message["id"], "result": result})
        return message["params"]

    def start_thread(self, **extra: object) -> str:
        params: dict[str, Any] = {
            "environments": [],
            "ephemeral": True,
            "approvalPolicy": "never",
            "sandbox": "read-only",
            **extra,
        }
        return self.call("thread/start", {**params, "baseInstructions": "Be brief."})["thread"]["id"]

    def start_turn(self, thread: str, text: str, schema: object = None) -> str:
        content = [{"type": "text", "text": text}]
        params = {"threadId": thread, "input": content, "effort": "low", "outputSchema": schema}
        return self.call("turn/start", params)["turn"]["id"]

    def turn(self, thread: str, text: str, schema: object = None) -> Turn:
        """Runs one turn to its end."""
        turn = self.start_turn(thread, text, schema)
        return self.finish(turn)

    def finish(self, turn: str) -> Turn:
        """Waits for the end of a turn; notifications about other things are kept for later."""
        messages: list[str] = []
        deltas: list[str] = []
        kept: list[dict[str, Any]] = []
        while True:
            message = self._notifications.pop(0) if self._notifications else self._receive()
            params = message.get("params", {})
            match message.get("method"):
                case "item/agentMessage/delta":
                    deltas.append(params["delta"])
                case "item/completed" if params["item"]["type"] == "agentMessage":
                    messages.append(params["item"]["text"])
                case "turn/completed" if params["turn"]["id"] == turn:
                    self._notifications[:0] = kept
                    return Turn(params["turn"]["status"], messages, deltas, params["turn"]["error"])
                case _:
                    kept.append(message)

    def _receive(self) -> dict[str, Any]:
        message = self._incoming.get(timeout=WAIT)
        assert message is not None, "codex has ended"
        return message

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._incoming.put(json.loads(line))
        self._incoming.put(None)


class Turn:
    """How a turn ended."""

    def __init__(self, status: str, messages: list[str], deltas: list[str], error: dict[str, Any] | None) -> None:
        self.status = status
        self.messages = messages
        self.deltas = deltas
        self.error = error

    @property
    def text(self) -> str:
        assert self.status == "completed", (self.status, self.error)
        return self.messages[-1]

    @property
    def failure(self) -> Any:
        assert self.status == "failed", (self.status, self.messages)
        assert self.error is not None
        return self.error["codexErrorInfo"]


def make_home(codex: Path, home: Path) -> None:
    """Writes a configuration that leaves nothing on but the model."""
    home.mkdir(mode=0o700, parents=True)
    features = subprocess.run(
        [codex, "features", "list"], capture_output=True, text=True, check=True, env=_bare_environment(home)
    ).stdout
    keep = {"enable_request_compression", "system_proxy_fallback"}
    rows = [line.split() for line in features.splitlines()]
    off = [row[0] for row in rows if row and row[-1] == "true" and "stable" in row and row[0] not in keep]
    catalogue = subprocess.run(
        [codex, "debug", "models", "--bundled"], capture_output=True, check=True, env=_bare_environment(home)
    ).stdout
    models = json.loads(catalogue)
    for model in models["models"]:
        model.pop("tool_mode", None)
        model.pop("multi_agent_version", None)
        model |= {"experimental_supported_tools": [], "apply_patch_tool_type": None}
        model |= {"shell_type": "disabled", "supports_search_tool": False}
    (home / "models.json").write_text(json.dumps(models), encoding="utf-8")
    config = CONFIG.format(
        catalogue=f"model_catalog_json = {json.dumps(str(home / 'models.json'))}",
        features="\n".join(f"{name} = false" for name in off),
    )
    (home / "config.toml").write_text(config, encoding="utf-8")
    # The first start makes the databases, and is alone.
    subprocess.run(
        [codex, "app-server"], stdin=subprocess.DEVNULL, capture_output=True, check=True, env=_bare_environment(home)
    )


def copy_home(template: Path, home: Path) -> None:
    shutil.copytree(template, home)
    config = home / "config.toml"
    text = config.read_text(encoding="utf-8")
    text = text.replace(json.dumps(str(template / "models.json")), json.dumps(str(home / "models.json")))
    config.write_text(text, encoding="utf-8")


def _bare_environment(home: Path) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMPDIR") if name in os.environ}
    return {**keep, "HOME": str(home), "CODEX_HOME": str(home)}
