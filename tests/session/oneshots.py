"""One call on a scripted app-server, the lean way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Final

from codex_oauth.events import Event
from codex_oauth.session.oneshot import OneShot
from codex_oauth.session.opening import Connection, Opened, open_turn
from codex_oauth.session.params import thread_start, turn_start
from codex_oauth.session.request import TurnRequest, TurnResult
from codex_oauth.thin.child import Started, spawn_app_server
from codex_oauth.thin.greeting import greet, thread_path
from codex_oauth.thin.launch import Launch
from codex_oauth.thin.place import write_own
from tests.scripted import TURN, Scripted, notify, reply

__all__ = ("ACCEPTED", "ANSWER", "THREAD", "Call", "spawned")

ACCEPTED: Final = reply({"turn": TURN})
ANSWER: Final = notify(
    "item/completed",
    threadId="{thread}",
    turnId="{turn}",
    item={"type": "agentMessage", "id": "item-1", "text": "mine", "phase": None},
)
THREAD: Final[dict[str, Any]] = {
    "model": "m",
    "modelProvider": "openai",
    "thread": {"id": "{thread}"},
    "instructionSources": [],
}


def spawned(program: Path) -> Started:
    """A scripted program, as the lean way starts it."""
    launch = Launch(
        argv=[str(program), "app-server"],
        env={},
        path="",
        cwd=str(program.parent / "cwd"),
        wanted="",
        model="m",
        efforts=("low",),
        service="off",
        until=0,
        files={},
    )
    return spawn_app_server(launch, {"PATH": os.defpath})


class Call:
    """One call on a scripted program.

    Attributes:
        scripted: The program.
        record: Where its launch record would lie.
        connection: To its process, once that has been started.
        events: What was reached.
    """

    scripted: Scripted

    def __init__(self, program: Path) -> None:
        self._program = program
        self.record = str(program.parent / "launch" / "key")
        self.connection: Connection | None = None
        self.events: list[Event] = []

    def opened(self, text: str = "hello", seconds: float = 10, *, ahead: bool = False) -> Opened:
        """Asks for the turn."""
        thread: dict[str, Any] = {**thread_start(cwd="/", instructions="i", model="m", effort="low")}
        if ahead:
            line = {"id": 3, "method": "thread/start", "params": thread}
            write_own(thread_path(self.record), json.dumps(line).encode() + b"\n")
        started = spawned(self._program)
        sent = greet(started, self.record)
        self.connection = Connection(started, time.perf_counter() + seconds)
        turn = turn_start(thread="", text=text, effort="low", schema=None)
        found: dict[str, Any] | None = json.loads(sent)["params"] if sent else None
        return open_turn(self.connection, thread=thread, ahead=found, turn=turn)

    def result(self, text: str = "hello", seconds: float = 10, *, ahead: bool = False) -> TurnResult:
        """What comes of it."""
        shot = OneShot(
            self.opened(text, seconds, ahead=ahead),
            auth_file=self._program.parent / "auth.json",
            sign_in=lambda: "codex-oauth login",
            observer=self.events.append,
        )
        return shot.run(TurnRequest(text=text, observer=self.events.append))
