"""The floor: the same by hand with everything that is known to save time, and nothing that makes it safe or general.

The child runs before this program has imported what it needs; what can be asked at once is; threads are started before
they are wanted; the answer is printed before the child has gone, and nobody waits for it. Its home and its environment
do the rest.
"""

from __future__ import annotations

import os
import sys

__all__ = ("Driver", "spawn")


def spawn(codex: str) -> tuple[int, int, int]:
    """Start an app-server: its pid, and the descriptors of its stdin and its stdout."""
    theirs, stdin = os.pipe()
    stdout, theirs_too = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs, 0),
        (os.POSIX_SPAWN_DUP2, theirs_too, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    pid = os.posix_spawn(codex, ["codex", "app-server"], os.environ, file_actions=actions)
    os.close(theirs)
    os.close(theirs_too)
    return pid, stdin, stdout


CHILD = spawn(sys.argv[1]) if __name__ == "__main__" else (0, 0, 0)

import json  # noqa: E402 - while the child starts
from collections import deque  # noqa: E402
from typing import Any  # noqa: E402

_UNREAD = [
    *("remoteControl/status/changed", "mcpServer/startupStatus/updated", "thread/started", "thread/settings/updated"),
    *("thread/status/changed", "thread/tokenUsage/updated", "turn/started", "item/started"),
]


class Driver:
    """An app-server behind two descriptors.

    Args:
        child: What `spawn` gave.
        request: What is asked.
        ahead: How many threads are started before they are wanted.
        ready: Whether a new thread is given an item of no known type. codex drops it, and to do so asks for the
            person's settings, for which the thread's first turn would wait otherwise: three round trips.
    """

    def __init__(
        self, child: tuple[int, int, int], request: dict[str, Any], *, ahead: int = 1, ready: bool = False
    ) -> None:
        self.pid, self._in, self._out = child
        self.request = request
        self._rest, self._lines, self._number = b"", deque[bytes](), 3
        self._asked, self._there = deque[int](), dict[int, str]()
        self._used, self._ahead, self._ready = list[str](), ahead, ready
        client = {"name": "tuned", "title": "tuned", "version": "1"}
        hello = {"clientInfo": client, "capabilities": {"experimentalApi": True, "optOutNotificationMethods": _UNREAD}}
        self.send({"id": 1, "method": "initialize", "params": hello}, {"method": "initialized"})
        self.send({"id": 2, "method": "account/read", "params": {}})
        for _ in range(ahead):
            self.ask_for_thread()
        while (message := self.receive()).get("id") != 2:
            pass
        assert message["result"]["account"]["type"] == "chatgpt"

    def send(self, *messages: dict[str, Any]) -> None:
        """Write messages in one piece."""
        data = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
        while data:
            data = data[os.write(self._in, data) :]

    def receive(self) -> dict[str, Any]:
        """Read one message."""
        while not self._lines:
            *lines, self._rest = (self._rest + os.read(self._out, 262_144)).split(b"\n")
            self._lines.extend(lines)
        message: dict[str, Any] = json.loads(self._lines.popleft())
        if message.get("id", 0) > 3:
            thread = message["result"]["thread"]["id"]
            if message["id"] in self._asked:
                self._there[message["id"]] = thread
            if self._ready:
                nothing = {"threadId": thread, "items": [{"type": "nothing"}]}
                self.send({"id": 3, "method": "thread/inject_items", "params": nothing})
        return message

    def thread(self) -> dict[str, Any]:
        """What a thread is started with."""
        asked = self.request
        params = {"baseInstructions": asked["instructions"], "developerInstructions": "", "model": asked["model"]}
        params |= {"ephemeral": True, "approvalPolicy": "never", "sandbox": "read-only", "cwd": asked["empty"]}
        return {**params, "environments": [], "config": {"model_reasoning_effort": asked["effort"]}}

    def question(self, thread: str, *, schema: bool = True) -> dict[str, Any]:
        """What a turn is started with."""
        asked = self.request
        turn = {"threadId": thread, "input": [{"type": "text", "text": asked["prompt"]}], "effort": asked["effort"]}
        return {**turn, "outputSchema": asked["schema"]} if schema else turn

    def ask_for_thread(self) -> None:
        """Have another thread started, without waiting for it."""
        self._number += 1
        self._asked.append(self._number)
        self.send({"id": self._number, "method": "thread/start", "params": self.thread()})

    def start(self) -> str:
        """A thread, one that is there if there is one."""
        if not self._asked:
            self.ask_for_thread()
        while self._asked[0] not in self._there:
            self.receive()
        self._used.append(self._there.pop(self._asked.popleft()))
        return self._used[-1]

    def turn(self) -> Any:
        """Ask on a thread that nobody has used, and read the answer."""
        self.send({"id": 3, "method": "turn/start", "params": self.question(self.start())})
        text = ""
        while (message := self.receive()).get("method") != "turn/completed":
            if message.get("method") == "item/completed" and message["params"]["item"]["type"] == "agentMessage":
                text = message["params"]["item"]["text"]
        return json.loads(text)

    def after(self) -> None:
        """What is done between two turns: the next thread is started, and the used ones are let go of."""
        if self._ahead:
            self.ask_for_thread()
        for thread in self._used:
            self.send({"id": 3, "method": "thread/unsubscribe", "params": {"threadId": thread}})
        self._used.clear()

    def idle(self) -> None:
        """What an idle moment is used for: the threads that were asked for are waited for, and made ready."""
        while len(self._there) < len(self._asked):
            self.receive()

    def close(self) -> None:
        """End the app-server."""
        os.close(self._in)
        os.waitpid(self.pid, 0)


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes time to import
        driver = Driver(CHILD, json.load(file), ready=sys.argv[3:] == ["--ready"])
    print(json.dumps(driver.turn()), flush=True)
    # The interpreter's own goodbye takes milliseconds, and there is nothing left to say.
    os._exit(0)
