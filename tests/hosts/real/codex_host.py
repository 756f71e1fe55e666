"""The real Codex as the host: `codex app-server` on the person's own home, and a client that answers its questions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from codex_oauth.testing import Items, Reply, function_call
from tests.hosts.real.gate_model import TASK, GateModel, told
from tests.hosts.real.host_process import HostProcess, Message
from tests.hosts.real.mcp_server import MCP_SERVER
from tests.hosts.real.person import Person

__all__ = ("PROMPTS", "Action", "Answer", "Approval", "CodexHost", "Tool", "Turn", "prepare_codex_home")

Approval: TypeAlias = Literal["on-request", "never"]
Tool: TypeAlias = Literal["Bash", "apply_patch", "mcp__probe__poke"]
Answer: TypeAlias = Literal["accept", "decline"]

PROMPTS: Final[Mapping[Tool, str]] = {
    "Bash": "item/commandExecution/requestApproval",
    "apply_patch": "item/fileChange/requestApproval",
    "mcp__probe__poke": "mcpServer/elicitation/request",
}
"""How Codex asks its person, by what the hook is told the tool is."""


_CONFIG: Final = """\
model = "gpt-5.5"
model_catalog_json = {catalog}

# Otherwise what these tests have written outside the repository would lie in a folder that the sandbox leaves open.
[sandbox_workspace_write]
exclude_slash_tmp = true
exclude_tmpdir_env_var = true

[mcp_servers.probe]
command = {python}
args = ["-IS", {server}, {log}]
"""


def prepare_codex_home(person: Person, binary: Path) -> None:
    """Write the home of somebody who has used this codex: a model that has plain tools, and an MCP server."""
    catalog = person.codex_home / "models.json"
    with catalog.open("wb") as stream:
        subprocess.run(
            [binary, "debug", "models", "--bundled"], stdout=stream, env=person.environ, timeout=60, check=True
        )
    words = {"catalog": catalog, "python": sys.executable, "server": MCP_SERVER, "log": person.poked}
    # A JSON string is a TOML one.
    config = _CONFIG.format(**{name: json.dumps(str(word)) for name, word in words.items()})
    (person.codex_home / "config.toml").write_text(config, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the host's model wants, and how to see that it was done.

    Attributes:
        call_id: The id of the call.
        target: The file that it makes, or would be the name of what it pokes.
        calls: The call, as an answer of the model has it.
        search: What the model has to look for first.
        done: Whether it was done.
    """

    call_id: str
    target: Path
    calls: Sequence[Mapping[str, Any]]
    done: Callable[[], bool]
    search: Sequence[Mapping[str, Any]] = ()

    @property
    def replies(self) -> list[Reply]:
        """What the model says to have it."""
        return [*([Items(self.search)] if self.search else []), Items(self.calls)]


@dataclass(slots=True)
class Turn:
    """What came of a turn.

    Attributes:
        prompts: The questions to the person, in order.
        hooks: The host's own record of each run of a hook, in order.
        told: The result of each call, as the model got it.
    """

    prompts: list[Message] = field(default_factory=list[Message])
    hooks: list[Message] = field(default_factory=list[Message])
    told: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def asked(self) -> list[str]:
        """How the person was asked."""
        return [prompt["method"] for prompt in self.prompts]

    @property
    def feedback(self) -> list[str]:
        """What the hooks had to say for the model."""
        return [entry["text"] for run in self.hooks for entry in run["entries"] if entry["kind"] == "feedback"]

    @property
    def statuses(self) -> list[str]:
        """How the runs of the hook ended: `completed`, `blocked` or `failed`."""
        return [run["status"] for run in self.hooks]


class CodexHost:
    """A running app-server, and the person in front of it."""

    def __init__(self, binary: Path, person: Person, model: GateModel) -> None:
        self._person = person
        self._model = model
        self._ids = 0
        self.process = HostProcess(
            [str(binary), "app-server"],
            environ=person.environ,
            cwd=person.repo,
            log=person.folder / "codex-stderr.log",
        )
        client = {"name": "codex_oauth_tests", "version": "1"}
        self.request("initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}})
        self.process.send({"method": "initialized"})

    def request(self, method: str, params: Message, each: Callable[[Message], object] = lambda _: None) -> Any:
        """The result of a request; what comes before it is given to `each`."""
        self._ids += 1
        number = self._ids
        self.process.send({"id": number, "method": method, "params": params})
        answer = self.process.messages(lambda m: m.get("id") == number and "method" not in m, each=each)
        assert "result" in answer, answer
        return answer["result"]

    def trust_of_hooks(self) -> list[str]:
        """What Codex thinks of each PermissionRequest hook: `trusted`, `untrusted`, `modified`."""
        listed = self.request("hooks/list", {"cwds": [str(self._person.repo)]})
        return [hook["trustStatus"] for hook in listed["data"][0]["hooks"] if hook["eventName"] == "permissionRequest"]

    def action(self, tool: Tool, name: str = "it") -> Action:
        """Something that needs permission."""
        target = self._person.outside / f"{tool}-{next(self._person.numbers)}"
        call_id = f"call-{name}"
        if tool == "Bash":
            arguments = {
                "cmd": f"touch {target}",
                "sandbox_permissions": "require_escalated",
                "justification": "The file has to be there.",
            }
            return Action(call_id, target, [function_call("exec_command", arguments, call_id)], target.exists)
        if tool == "apply_patch":
            patch = f"*** Begin Patch\n*** Add File: {target}\n+hello\n*** End Patch"
            call = {"type": "custom_tool_call", "name": "apply_patch", "input": patch, "call_id": call_id}
            return Action(call_id, target, [call], target.exists)
        # The tools of an MCP server are there once they have been searched for.
        search = {
            "type": "tool_search_call",
            "execution": "client",
            "arguments": {"query": "poke"},
            "call_id": f"search-{name}",
            "status": "completed",
        }
        call = {**function_call("poke", {"target": target.name}, call_id), "namespace": "mcp__probe"}
        return Action(call_id, target, [call], lambda: self._person.has_poked(target.name), [search])

    def turn(
        self,
        replies: Sequence[Reply],
        *,
        approval: Approval = "on-request",
        person: Answer = "decline",
        ephemeral: bool = True,
    ) -> Turn:
        """Have the model say this in a new thread, and answer every question in one way."""
        turn = Turn()

        def follow(message: Message) -> None:
            if "id" in message and "method" in message:
                turn.prompts.append(message)
                self.process.send({"id": message["id"], "result": _answer(message["method"], person)})
            elif message.get("method") == "hook/completed":
                turn.hooks.append(message["params"]["run"])

        place = {"cwd": str(self._person.repo), "approvalPolicy": approval, "sandbox": "workspace-write"}
        thread = self.request("thread/start", {**place, "ephemeral": ephemeral})["thread"]["id"]
        self._model.play(replies)
        words = [{"type": "text", "text": TASK}]
        self.request("turn/start", {"threadId": thread, "input": words}, follow)
        self.process.messages(lambda message: message.get("method") == "turn/completed", each=follow)
        for item in self._model.of_host[-1].context:
            if str(item.get("type", "")).endswith("call_output"):
                turn.told[str(item["call_id"])] = told(item.get("output"))
        return turn


def _answer(method: str, person: Answer) -> Message:
    if method == PROMPTS["mcp__probe__poke"]:
        return {"action": person, "content": None}
    return {"decision": person}
