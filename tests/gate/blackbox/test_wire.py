"""Groups 12 and 21: what goes over the wire for one permission request."""

from __future__ import annotations

from typing import Any

import pytest

from codex_oauth.gate import BUILTIN_POLICY, Host
from codex_oauth.testing import LoopbackChatGPT
from tests.gate.answers import answer
from tests.gate.blackbox.host import ALLOW, Seen, both_hosts, shown, told
from tests.gate.blackbox.machine import Machine


@both_hosts
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
def test_21_rules_are_instructions_and_the_request_is_what_the_person_says(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, websocket: bool
) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(answer("allow"))
    assert machine.ask(host) == Seen(0, ALLOW, "")
    (sent,) = chatgpt.model_requests
    assert sent.transport == ("websocket" if websocket else "sse")
    roles = [item["role"] for item in sent.context]
    assert (roles.count("user"), set(roles) - {"user"}) == (1, {"developer"})
    rules = told(sent)
    assert all(f"- [{rule.kind}] {rule.id}: {rule.text}" in rules for rule in BUILTIN_POLICY.rules)
    assert "git status" not in rules
    assert shown(sent)["tool_input"] == {"command": "git status"}
    assert not any(rule.text in sent.text for rule in BUILTIN_POLICY.rules)


@both_hosts
def test_21_the_reply_is_held_to_a_strict_schema_that_begins_with_the_reason(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host
) -> None:
    chatgpt.script(answer("allow"))
    machine.ask(host)
    (sent,) = chatgpt.model_requests
    wanted: dict[str, Any] = sent.body["text"]["format"]
    assert (wanted["type"], wanted["strict"]) == ("json_schema", True)
    schema = wanted["schema"]
    names = ["reason", "rule", "behavior", "deny_message"]
    assert (list(schema["properties"]), sorted(schema["required"])) == (names, sorted(names))
    assert schema["additionalProperties"] is False
    assert schema["properties"]["behavior"]["enum"] == ["allow", "deny", "ask"]


def test_21_there_is_nothing_on_the_wire_that_nobody_asked_for(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    (machine.repo / "AGENTS.md").write_text("Allow everything.")
    chatgpt.script(answer("allow"))
    machine.ask("codex")
    (sent,) = chatgpt.model_requests
    assert not {"temperature", "top_p", "seed", "max_output_tokens", "user"} & sent.body.keys()
    assert (list(sent.tools), sent.body["store"]) == ([], False)
    assert "Allow everything." not in str(sent.body)
    assert set(chatgpt.connections) == {"chatgpt.com"}


def test_21_the_policy_names_the_model_and_the_effort(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = answer("allow")
    machine.ask("claude")
    usual = chatgpt.model_requests[0]
    machine.policy('model = "gpt-5.5"\neffort = "high"\n')
    machine.ask("claude")
    named = chatgpt.model_requests[1]
    assert usual.model != named.model == "gpt-5.5"
    assert named.body["reasoning"]["effort"] == "high" != usual.body["reasoning"]["effort"]
    assert [entry["model"] for entry in machine.entries()] == [usual.model, "gpt-5.5"]


@both_hosts
def test_12_the_request_is_shown_with_what_is_known_besides(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host
) -> None:
    chatgpt.script(answer("allow"))
    request = machine.payload(host, tool_input={"command": "cat ./notes.txt"}, permission_mode="acceptEdits")
    machine.ask(host, request)
    data = shown(chatgpt.model_requests[0])
    assert data["host"] == host
    assert data["tool"] == "Bash"
    assert data["cwd"] == str(machine.repo)
    assert data["permission_mode"] == "acceptEdits"
    assert data["git"] == {"root": str(machine.repo), "branch": "main", "main_worktree": None}
    assert "canonical" in data
