"""A scripted codex: a small program that speaks the app-server's protocol and misbehaves where a test wants it to.

It is for what the real binary cannot be made to do. A `Script` says what to do when a message arrives, as steps:

    scripted = Scripted(tmp_path, Script({"turn/start": (reply({"turn": TURN}), stderr("boom"), die(3))}))
    async with open_session(scripted.server()) as session: ...
    assert "turn/interrupt" in scripted.methods()

Methods that a script does not name are answered the way a healthy app-server does; a turn answers "ok". `{thread}` and
`{turn}` in a step stand for the ids of the message that it answers. With several scripts, the first process plays the
first one, and so on; later ones play the last.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from codex_oauth.config import Settings
from codex_oauth.process import CommandSpec
from codex_oauth.session import Server, TurnRequest

__all__ = (
    "TURN",
    "Script",
    "Scripted",
    "Step",
    "ask",
    "close_stdout",
    "die",
    "ended",
    "eventually",
    "hang",
    "notify",
    "raw",
    "refuse",
    "reply",
    "stderr",
    "turn_completed",
    "turn_item",
)

Step: TypeAlias = Mapping[str, Any]
Steps: TypeAlias = Sequence[Step]

TURN: Mapping[str, Any] = {"id": "{turn}", "items": [], "status": "inProgress", "error": None}


def reply(result: Mapping[str, Any]) -> Step:
    """Answer the request."""
    return {"do": "reply", "result": result}


def refuse(code: int, message: str = "no") -> Step:
    """Answer the request with an error."""
    return {"do": "refuse", "code": code, "message": message}


def notify(method: str, **params: Any) -> Step:
    """Send a notification."""
    return {"do": "send", "message": {"method": method, "params": params}}


def ask(request_id: int | str, method: str, **params: Any) -> Step:
    """Send a request."""
    return {"do": "send", "message": {"id": request_id, "method": method, "params": params}}


def raw(text: str, times: int = 1) -> Step:
    """Write text to stdout as it is: no newline is added. Non-ASCII characters go out as single bytes."""
    return {"do": "raw", "text": text, "times": times}


def stderr(text: str) -> Step:
    """Write to stderr."""
    return {"do": "stderr", "text": text}


def die(status: int) -> Step:
    """Exit at once; a negative status is a signal."""
    return {"do": "die", "status": status}


def hang() -> Step:
    """Do nothing any more, not even at the end of stdin."""
    return {"do": "hang"}


def close_stdout() -> Step:
    """Close stdout and go on."""
    return {"do": "close_stdout"}


def turn_item(kind: str, method: str = "item/started", **item: Any) -> Step:
    """An item of the turn."""
    return notify(method, threadId="{thread}", turnId="{turn}", item={"type": kind, "id": "item-1", **item})


def turn_completed(status: str = "completed", turn: str = "{turn}", thread: str = "{thread}") -> Step:
    """The end of a turn."""
    return notify("turn/completed", threadId=thread, turn={**TURN, "id": turn, "status": status})


@dataclass(frozen=True, slots=True)
class Script:
    """What one process does.

    Attributes:
        on: Steps by the method that arrives; a list of them is for its first arrival, its second, and so on.
        ignores: Signals that it ignores, by name.
        ignores_eof: Whether it stays at the end of stdin.
    """

    on: Mapping[str, Steps | list[Steps]] = field(default_factory=dict[str, Any])
    ignores: tuple[str, ...] = ()
    ignores_eof: bool = False


class Scripted:
    """A folder with the program, what it received, and the ids of its processes."""

    def __init__(self, folder: Path, *scripts: Script) -> None:
        self.folder = folder / "scripted"
        self.folder.mkdir()
        (self.folder / "cwd").mkdir()
        self.path = self.folder / "codex"
        (self.folder / "scripts.json").write_text(json.dumps([asdict(script) for script in scripts or (Script(),)]))
        self.path.write_text(f"#!{sys.executable} -IS\nFOLDER = {str(self.folder)!r}\nREAL = None\n{_PROGRAM}")
        self.path.chmod(0o700)

    def command(self, **changes: Any) -> CommandSpec:
        """How to start it."""
        argv = (str(self.path), "app-server")
        command = CommandSpec(argv=argv, env={"PATH": os.defpath}, cwd=self.folder / "cwd", grace=1)
        return replace(command, **changes)

    def server(self, first: TurnRequest | None = None, **changes: Any) -> Server:
        """What `open_session` takes."""
        return Server(command=self.command(**changes), sign_in="codex login", signed_in=True, first=first)

    def settings(self, settings: Settings, real: Path) -> Settings:
        """The settings of a client that has it for its codex, on a home of its own; `real` does all but serve."""
        program = self.path.read_text().replace("REAL = None", f"REAL = {str(real)!r}", 1)
        self.path.write_text(program)
        state = self.folder / "state"
        return replace(settings, codex_bin=self.path, state_dir=state, home=state / "codex-home")

    def received(self, process: int | None = None) -> list[dict[str, Any]]:
        """The messages that came, oldest first: of all processes, or of the n-th."""
        logs = sorted(self.folder.glob("received-*")) if process is None else [self.folder / f"received-{process:03}"]
        return [json.loads(line) for log in logs if log.exists() for line in log.read_text().splitlines()]

    def methods(self, process: int | None = None) -> list[str]:
        """The methods of these messages."""
        return [message["method"] for message in self.received(process) if "method" in message]

    def pids(self) -> list[int]:
        """The processes, oldest first."""
        return [int(path.read_text()) for path in sorted(self.folder.glob("pid-*"))]


def ended(*pids: int, timeout: float = 5.0) -> bool:
    """Whether these processes end in time, whoever's children they are; a zombie has ended."""
    end = time.monotonic() + timeout
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            if not poller.poll(max(0.0, end - time.monotonic()) * 1000):
                return False
        finally:
            os.close(descriptor)
    return True


def eventually(holds: Callable[[], bool], timeout: float = 5.0) -> bool:
    """Whether something that tells nobody when it happens has happened in time."""
    end = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


_PROGRAM = r"""
import itertools, json, os, signal, sys

if REAL and sys.argv[-1:] != ["app-server"]:
    os.execv(REAL, [REAL, *sys.argv[1:]])

def number_myself():
    for number in itertools.count():
        try:
            descriptor = os.open(f"{FOLDER}/taken-{number:03}", os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            continue
        os.close(descriptor)
        with open(f"{FOLDER}/pid-{number:03}.new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(f"{FOLDER}/pid-{number:03}.new", f"{FOLDER}/pid-{number:03}")
        return number

# The first line decides: the start that only prepares a home sends none, and is no process of the test's.
first = sys.stdin.buffer.readline()
if not first and REAL:
    sys.exit(0)
number = number_myself()
scripts = json.load(open(f"{FOLDER}/scripts.json"))
script = scripts[min(number, len(scripts) - 1)]
for name in script["ignores"]:
    signal.signal(getattr(signal, name), signal.SIG_IGN)
log = open(f"{FOLDER}/received-{number:03}", "a", buffering=1)
serials = {"thread": itertools.count(1), "turn": itertools.count(1)}
seen = {}
USAGE = {"totalTokens": 3, "inputTokens": 1, "cachedInputTokens": 0, "outputTokens": 2, "reasoningOutputTokens": 0}

def write(data):
    while data:
        data = data[os.write(1, data):]

def send(message):
    write(json.dumps(message).encode() + b"\n")

def hang():
    while True:
        signal.pause()

def note(method, **params):
    return {"do": "send", "message": {"method": method, "params": params}}

def answer(result):
    return {"do": "reply", "result": result}

def healthy(method):
    place = {"threadId": "{thread}", "turnId": "{turn}"}
    turn = {"id": "{turn}", "items": [], "status": "inProgress", "error": None}
    message = {"type": "agentMessage", "id": "item-1", "text": "ok", "phase": "final_answer"}
    if method == "initialize":
        return [answer({"userAgent": "codex_oauth/0.200.0 (test)", "codexHome": "/"})]
    if method == "account/read":
        person = {"type": "chatgpt", "email": None, "planType": "plus"}
        return [answer({"account": person, "requiresOpenaiAuth": True})]
    if method == "thread/start":
        thread = {"id": "{thread}", "ephemeral": True, "path": None}
        result = {"cwd": "/", "model": "m", "modelProvider": "openai", "thread": thread, "instructionSources": []}
        return [answer(result)]
    if method == "turn/start":
        return [
            answer({"turn": turn}),
            note("turn/started", threadId="{thread}", turn=turn),
            note("item/started", item={**message, "text": ""}, **place),
            note("item/agentMessage/delta", itemId="item-1", delta="ok", **place),
            note("item/completed", item=message, **place),
            note("thread/tokenUsage/updated", tokenUsage={"total": USAGE, "last": USAGE}, **place),
            note("turn/completed", threadId="{thread}", turn={**turn, "status": "completed"}),
        ]
    if method == "turn/interrupt":
        return [answer({}), note("turn/completed", threadId="{thread}", turn={**turn, "status": "interrupted"})]
    return [answer({"status": "unsubscribed"})]

def filled(value, ids):
    text = json.dumps(value)
    for name, of_this in ids.items():
        text = text.replace("{" + name + "}", of_this)
    return json.loads(text)

def perform(step, message, ids):
    step = filled(step, ids)
    match step["do"]:
        case "reply":
            send({"id": message["id"], "result": step["result"]})
        case "refuse":
            send({"id": message["id"], "error": {"code": step["code"], "message": step["message"]}})
        case "send":
            send(step["message"])
        case "raw":
            for _ in range(step["times"]):
                write(step["text"].encode("latin-1"))
        case "stderr":
            sys.stderr.write(step["text"])
            sys.stderr.flush()
        case "die":
            if step["status"] < 0:
                os.kill(os.getpid(), -step["status"])
            os._exit(step["status"])
        case "hang":
            hang()
        case "close_stdout":
            os.close(1)

line = first
while line:
    log.write(line.decode())
    message = json.loads(line)
    method = message.get("method", "")
    params = message.get("params") or {}
    ids = {"thread": params.get("threadId") or "thread-?", "turn": params.get("turnId") or "turn-?"}
    if method == "thread/start":
        ids["thread"] = f"thread-{next(serials['thread'])}"
    if method == "turn/start":
        ids["turn"] = f"turn-{next(serials['turn'])}"
    if method and "id" in message:
        steps = script["on"].get(method)
        if steps and isinstance(steps[0], list):
            steps = steps[min(seen.get(method, 0), len(steps) - 1)]
        seen[method] = seen.get(method, 0) + 1
        for step in healthy(method) if steps is None else steps:
            perform(step, message, ids)
    line = sys.stdin.buffer.readline()
if script["ignores_eof"]:
    hang()
"""
