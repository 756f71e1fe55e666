"""The real Claude Code as the host, in the mode that its SDK uses, and a client that answers its questions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

from tests.hosts.real.claude_api import Block, ClaudeAPI, tool_use
from tests.hosts.real.gate_model import TASK, told
from tests.hosts.real.host_process import HostProcess, Message
from tests.hosts.real.mcp_server import MCP_SERVER
from tests.hosts.real.person import Person

__all__ = ("SETTINGS", "Action", "Answer", "ClaudeHost", "Mode", "Tool", "Turn")

Tool: TypeAlias = Literal["Bash", "Write", "mcp__probe__poke"]
Mode: TypeAlias = Literal["default", "plan"]
Answer: TypeAlias = Literal["allow", "deny"]

SETTINGS: Final = {
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
"""What keeps it from talking to anybody but its model."""

_REFUSED: Final = "The person says no."


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the host's model wants, and how to see that it was done.

    Attributes:
        call: The call, as the model makes it.
        target: The file that it makes, or would be the name of what it pokes.
        done: Whether it was done.
    """

    call: Block
    target: Path
    done: Callable[[], bool]


@dataclass(slots=True)
class Turn:
    """What came of a turn.

    Attributes:
        asked: The tools that the person was asked for. Claude Code asks while the hook still runs.
        withdrawn: How many of these questions were taken back, because the hook had decided.
        hooks: The host's own record of each run of the hook: `stdout`, `stderr`, `exit_code`.
        told: The result of each call, as the model got it.
    """

    asked: list[str] = field(default_factory=list[str])
    withdrawn: int = 0
    hooks: list[Message] = field(default_factory=list[Message])
    told: dict[str, str] = field(default_factory=dict[str, str])


class ClaudeHost:
    """A running Claude Code, and the person in front of it."""

    def __init__(self, program: Path, person: Person, api: ClaudeAPI, *, mode: Mode = "default") -> None:
        self._person = person
        self._api = api
        server = {"command": sys.executable, "args": ["-IS", str(MCP_SERVER), str(person.poked)]}
        self.process = HostProcess(
            [
                str(program),
                *("--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
                *("--permission-prompt-tool", "stdio", "--permission-mode", mode, "--include-hook-events"),
                *("--strict-mcp-config", "--mcp-config", json.dumps({"mcpServers": {"probe": server}})),
            ],
            environ={**person.environ, **SETTINGS, "ANTHROPIC_BASE_URL": api.url},
            cwd=person.repo,
            log=person.folder / "claude-stderr.log",
        )
        start = {"subtype": "initialize", "hooks": None}
        self.process.send({"type": "control_request", "request_id": "initialize", "request": start})
        self.process.messages(lambda message: message["type"] == "control_response", each=lambda _: None)

    def action(self, tool: Tool) -> Action:
        """Something that needs permission."""
        number = next(self._person.numbers)
        target = self._person.repo / f"{tool}-{number}"
        call_id = f"toolu_{number}"
        if tool == "Bash":
            call = tool_use(tool, call_id, command=f"touch {target.name}", description="Make a file")
            return Action(call, target, target.exists)
        if tool == "Write":
            call = tool_use(tool, call_id, file_path=str(target), content="hello\n")
            return Action(call, target, target.exists)
        call = tool_use(tool, call_id, target=target.name)
        return Action(call, target, lambda: self._person.has_poked(target.name))

    def turn(self, calls: Sequence[Block], *, person: Answer = "deny", at_once: bool = False) -> Turn:
        """Have the model make these calls, and answer in one way what the hook leaves to the person.

        Args:
            calls: The calls of one message.
            person: What the person says.
            at_once: Whether they do not wait for the hook, as they need not.
        """
        turn = Turn()
        questions: dict[str, Message] = {}
        undecided = 0

        def follow(message: Message) -> None:
            nonlocal undecided
            if message["type"] == "control_request" and message["request"]["subtype"] == "can_use_tool":
                turn.asked.append(message["request"]["tool_name"])
                questions[message["request_id"]] = message["request"]
            elif message["type"] == "control_cancel_request":
                turn.withdrawn += questions.pop(message["request_id"], None) is not None
            elif message.get("subtype") == "hook_response":
                turn.hooks.append(message)
                undecided += not message["stdout"]
            # The hook goes first: whoever answers before it has decided wins.
            while questions and (undecided or at_once):
                undecided -= not at_once
                name, request = questions.popitem()
                self._answer(name, request, person)

        self._api.play(calls)
        words = {"role": "user", "content": TASK}
        self.process.send({"type": "user", "message": words, "parent_tool_use_id": None, "session_id": ""})
        self.process.messages(lambda message: message["type"] == "result", each=follow)
        for message in self._api.requests[-1]["messages"]:
            if isinstance(message["content"], list):
                for block in cast("list[Block]", message["content"]):
                    if block["type"] == "tool_result":
                        turn.told[block["tool_use_id"]] = told(block.get("content"))
        return turn

    def _answer(self, name: str, request: Message, person: Answer) -> None:
        decision: Message = {"behavior": "deny", "message": _REFUSED}
        if person == "allow":
            decision = {"behavior": "allow", "updatedInput": request["input"]}
        answer = {"subtype": "success", "request_id": name, "response": decision}
        self.process.send({"type": "control_response", "response": answer})
