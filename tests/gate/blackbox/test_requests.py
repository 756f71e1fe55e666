"""Groups 11 to 13, 15 and 16: which requests are judged, by which rules, and which are no requests."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from codex_oauth.gate import Host
from codex_oauth.testing import LoopbackChatGPT
from tests.gate.answers import answer
from tests.gate.blackbox.host import ALLOW, NOTHING, Seen, both_hosts, denial, in_turn, no_verdict, told
from tests.gate.blackbox.machine import Machine
from tests.gate.test_request import CLAUDE_PLAN, CLAUDE_QUESTION, CODEX_MCP

# --- what is never judged -----------------------------------------------------------------------------------------


@both_hosts
@pytest.mark.parametrize("question", [CLAUDE_PLAN, CLAUDE_QUESTION], ids=["plan", "question"])
def test_11_a_question_to_the_person_is_left_to_the_person(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, question: dict[str, Any]
) -> None:
    machine.policy('on_uncertain = "allow"\n')
    request = machine.payload(host, tool_name=question["tool_name"], tool_input=question["tool_input"])
    assert machine.ask(host, request) == Seen(0, NOTHING, "")
    assert machine.verdicts() == [("ask", "rule", False, None)]
    assert chatgpt.requests == ()


EMPTY: Final[tuple[Any, ...]] = ({}, {"command": ""}, {"command": None, "args": []}, None, "")


@pytest.mark.parametrize(("host", "tool_input"), in_turn(EMPTY))
def test_11_what_does_not_say_what_it_does_is_not_judged(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, tool_input: Any
) -> None:
    machine.policy('on_uncertain = "allow"\n')
    assert machine.ask(host, machine.payload(host, tool_input=tool_input)) == Seen(0, NOTHING, "")
    assert machine.verdicts() == [("ask", "rule", False, None)]
    assert chatgpt.requests == ()


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("claude", "acceptEdits"),
        ("claude", "bypassPermissions"),
        ("claude", "dontAsk"),
        ("codex", "bypassPermissions"),
        ("codex", "a new one"),
        ("codex", None),
    ],
)
def test_11_a_request_is_judged_in_any_mode(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, mode: str | None
) -> None:
    chatgpt.script(answer("allow"))
    assert machine.ask(host, machine.payload(host, permission_mode=mode)) == Seen(0, ALLOW, "")
    assert machine.entry()["gate"]["mode"] == mode
    assert len(chatgpt.model_requests) == 1


def test_11_an_ask_where_codex_asks_nobody_is_a_denial(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("ask", "It reaches out.", rule="outward"))
    request = machine.payload("codex", **{name: CODEX_MCP[name] for name in ("tool_name", "tool_input")})
    seen = machine.ask("codex", {**request, "permission_mode": "bypassPermissions"})
    assert seen == Seen(0, denial("This needs a person, and nobody can be asked here. It reaches out."), "")
    assert machine.verdicts() == [("deny", "nobody", True, "outward")]


@pytest.mark.parametrize(("wanted", "stdout"), [("ask", NOTHING), ("allow", ALLOW)])
def test_11_what_an_ask_becomes_where_nobody_is_asked_is_the_policys_to_say(
    machine: Machine, chatgpt: LoopbackChatGPT, wanted: str, stdout: bytes
) -> None:
    machine.policy(f'when_nobody = "{wanted}"\n')
    chatgpt.default = answer("ask")
    request = machine.payload("codex", permission_mode="bypassPermissions")
    assert machine.ask("codex", request) == Seen(0, stdout, "")
    # On Claude Code there is somebody, whatever the mode is called.
    on_claude = machine.payload("claude", permission_mode="bypassPermissions")
    assert machine.ask("claude", on_claude) == Seen(0, NOTHING, "")


def test_11_nothing_but_the_models_own_ask_is_allowed_where_nobody_is_asked(
    machine: Machine, chatgpt: LoopbackChatGPT
) -> None:
    machine.policy('when_nobody = "allow"\n')
    chatgpt.script(answer("allow", rule="destroy"), answer("allow"))
    nobody = {"permission_mode": "bypassPermissions"}
    for tool_input in ({"command": "ls"}, {"command": "x" * 30_000}, {}):
        seen = machine.ask("codex", machine.payload("codex", tool_input=tool_input, **nobody))
        assert seen.status == 0
        assert json.loads(seen.stdout)["hookSpecificOutput"]["decision"]["behavior"] == "deny"
    assert [source for _, source, _, _ in machine.verdicts()] == ["nobody"] * 3


# --- plan mode ----------------------------------------------------------------------------------------------------


@both_hosts
def test_12_plan_mode_has_a_rule_of_its_own(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.default = answer("deny", rule="plan-changes-nothing")
    seen = machine.ask(host, machine.payload(host, permission_mode="plan"))
    assert seen.stdout == denial("Plan mode: look, but change nothing. Put this step into the plan instead.")
    # In any other mode, that rule is not there to rest on.
    assert machine.ask(host, machine.payload(host)) == Seen(0, NOTHING, "")
    plan, usual = map(told, chatgpt.model_requests)
    assert "- [deny] plan-changes-nothing: " in plan
    assert "plan-changes-nothing" not in usual
    assert len({entry["gate"]["policy"] for entry in machine.entries()}) == 2


# --- what is no request -------------------------------------------------------------------------------------------


NO_REQUESTS: Final = {
    "empty": b"",
    "blank": b" \n",
    "a word": b"allow",
    "half": b"{",
    "two": b'{"tool_name": "Bash"} {"tool_name": "Bash"}',
    "list": b"[]",
    "null": b"null",
    "string": b'"Bash"',
    "no tool": b"{}",
    "empty tool": b'{"tool_name": ""}',
    "odd tool": b'{"tool_name": 1, "tool_input": {}}',
    "a key twice": b'{"tool_name": "Bash", "tool_name": "Read", "tool_input": {"command": "ls"}}',
    "a key twice deeper": b'{"tool_name": "Bash", "tool_input": {"command": "ls", "command": "rm -rf ."}}',
    "no text": b"\xff\xfe\x00",
    "deep list": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "large number": b'{"tool_name": "Bash", "n": ' + b"9" * 100_000 + b"}",
}


@both_hosts
@pytest.mark.parametrize("kind", NO_REQUESTS)
def test_13_what_is_no_request_is_an_error(machine: Machine, chatgpt: LoopbackChatGPT, host: Host, kind: str) -> None:
    machine.policy('on_uncertain = "allow"\n')
    assert no_verdict(machine.ask(host, NO_REQUESTS[kind])) == "input"
    assert chatgpt.requests == ()
    assert machine.verdicts() == [("ask", "failure", True, None)]


def test_13_the_error_quotes_nothing(machine: Machine) -> None:
    seen = machine.ask("codex", b'{"tool_name": "Bash", "tool_input": {"command": "curl -H hush-hush"}, oops')
    assert no_verdict(seen) == "input"
    assert "hush" not in seen.stderr
    assert "(line 1, column " in seen.stderr


# --- the event, and the keys of an answer -------------------------------------------------------------------------


@both_hosts
def test_15_a_request_without_an_event_is_answered_as_the_one_there_is(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host
) -> None:
    chatgpt.script(answer("allow"))
    request = machine.payload(host)
    del request["hook_event_name"]
    assert machine.ask(host, request) == Seen(0, ALLOW, "")


@pytest.mark.parametrize(("host", "event"), in_turn(["PreToolUse", "permissionrequest", "", None, 1]))
def test_15_another_events_input_gets_no_answer(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, event: object
) -> None:
    assert no_verdict(machine.ask(host, machine.payload(host, hook_event_name=event))) == "input"
    assert chatgpt.requests == ()


REMEMBERING = '[[append_rules]]\nid = "make"\nallow = "Runs make."\nremember = "session"\n'


def test_16_codex_never_gets_a_key_that_it_refuses(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.policy(REMEMBERING)
    chatgpt.script(answer("allow", rule="make"))
    suggestions = [{"type": "addRules", "rules": [{"toolName": "Bash"}], "behavior": "allow"}]
    assert machine.ask("codex", machine.payload("codex", permission_suggestions=suggestions)).stdout == ALLOW


def test_16_claude_code_gets_one_more_only_where_a_rule_asks_for_it(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.policy(REMEMBERING)
    chatgpt.script(answer("allow", rule="make"), answer("allow"), answer("deny", rule="destroy"))
    seen = machine.ask("claude")
    decision = json.loads(seen.stdout)["hookSpecificOutput"]["decision"]
    assert decision == {
        "behavior": "allow",
        "updatedPermissions": [
            {
                "type": "addRules",
                "rules": [{"toolName": "Bash", "ruleContent": "touch made.txt"}],
                "behavior": "allow",
                "destination": "session",
            }
        ],
    }
    assert machine.ask("claude").stdout == ALLOW
    assert b"updatedPermissions" not in machine.ask("claude").stdout
