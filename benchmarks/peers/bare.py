"""The least that works: `codex app-server` spoken to by hand, with the standard library alone, one step after the
other."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

__all__ = ("Driver",)


class Driver:
    """An app-server and one conversation with it at a time."""

    def __init__(self, codex: str, request: dict[str, Any]) -> None:
        self.request = request
        pipe = subprocess.PIPE
        self.child = subprocess.Popen([codex, "app-server"], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self.pid = self.child.pid
        client = {"name": "bare", "title": "bare", "version": "1"}
        self.call("initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}})
        self.send({"method": "initialized"})
        assert self.call("account/read", {})["account"]["type"] == "chatgpt"

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(message).encode() + b"\n")
        self.child.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Read one message."""
        assert self.child.stdout is not None
        return json.loads(self.child.stdout.readline())

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its result."""
        self.send({"id": 1, "method": method, "params": params})
        while (message := self.receive()).get("id") != 1:
            pass
        return message["result"]

    def thread(self) -> dict[str, Any]:
        """What a thread is started with."""
        asked = {"baseInstructions": self.request["instructions"], "model": self.request["model"]}
        return {"ephemeral": True, "approvalPolicy": "never", "sandbox": "read-only", **asked}

    def question(self, thread: str, *, schema: bool = True) -> dict[str, Any]:
        """What a turn is started with."""
        asked = self.request
        turn = {"threadId": thread, "input": [{"type": "text", "text": asked["prompt"]}], "effort": asked["effort"]}
        return {**turn, "outputSchema": asked["schema"]} if schema else turn

    def start(self) -> str:
        """A new thread."""
        return self.call("thread/start", self.thread())["thread"]["id"]

    def turn(self) -> Any:
        """Ask on a new thread, and read the answer."""
        self.send({"id": 2, "method": "turn/start", "params": self.question(self.start())})
        text = ""
        while (message := self.receive()).get("method") != "turn/completed":
            if message.get("method") == "item/completed" and message["params"]["item"]["type"] == "agentMessage":
                text = message["params"]["item"]["text"]
        return json.loads(text)

    def after(self) -> None:
        """What is done between two turns: nothing."""

    def idle(self) -> None:
        """What an idle moment is used for: nothing."""

    def close(self) -> None:
        """End the app-server."""
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait()


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes time to import
        driver = Driver(sys.argv[1], json.load(file))
    print(json.dumps(driver.turn()))
    driver.close()
