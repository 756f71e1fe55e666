"""The hosts' answers: exactly the keys that each host was measured to take."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.gate import PermissionRequest, Policy, Rule, Verdict, claude, codex

SUGGESTED = {
    "type": "addRules",
    "rules": [{"toolName": "Bash", "ruleContent": "touch made.txt"}],
    "behavior": "allow",
    "destination": "localSettings",
}
OTHERS = [
    {"type": "addDirectories", "directories": ["/repo"], "destination": "session"},
    {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
    {**SUGGESTED, "behavior": "deny"},
    {**SUGGESTED, "rules": []},
    "garbage",
    None,
]
ALLOW = Verdict(behavior="allow", reason="r", rule="make", source="model")


def decision(answer: bytes) -> dict[str, Any]:
    value = json.loads(answer)
    assert list(value) == ["hookSpecificOutput"]
    assert value["hookSpecificOutput"]["hookEventName"] == "PermissionRequest"
    assert set(value["hookSpecificOutput"]) == {"hookEventName", "decision"}
    return value["hookSpecificOutput"]["decision"]


def request(*suggestions: Any) -> PermissionRequest:
    return PermissionRequest(tool="Bash", tool_input={"command": "touch made.txt"}, suggestions=suggestions)


def making(remember: Literal["session", "local"] | None) -> Policy:
    return Policy(rules=(Rule(id="make", kind="allow", text="Makes files.", remember=remember),))


def test_allow_is_a_word_on_both_hosts() -> None:
    exact = b'{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"allow"}}}'
    assert codex.render(ALLOW) == claude.render(ALLOW, request()) == exact


def test_ask_is_nothing_on_both_hosts() -> None:
    ask = Verdict(behavior="ask", reason="r", source="model")
    assert codex.render(ask) == claude.render(ask, request(SUGGESTED), making("session")) == b""


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_deny_has_a_message_that_arrives_unchanged(message: str) -> None:
    deny = Verdict(behavior="deny", reason="r", deny_message=message, source="model")
    assert codex.render(deny) == claude.render(deny, request(SUGGESTED), making("session"))
    assert decision(codex.render(deny)) == {"behavior": "deny", "message": message}
    assert b"\n" not in codex.render(deny)


@pytest.mark.parametrize(("remember", "destination"), [("session", "session"), ("local", "localSettings")])
def test_claude_code_remembers_what_a_rule_wants_remembered(
    remember: Literal["session", "local"], destination: str
) -> None:
    answer = claude.render(ALLOW, request(SUGGESTED, *OTHERS), making(remember))
    assert decision(answer) == {
        "behavior": "allow",
        "updatedPermissions": [{**SUGGESTED, "destination": destination}],
    }


@pytest.mark.parametrize("policy", [None, making(None)])
def test_nothing_is_remembered_that_no_rule_wants_remembered(policy: Policy | None) -> None:
    assert decision(claude.render(ALLOW, request(SUGGESTED), policy)) == {"behavior": "allow"}


def test_without_a_fitting_suggestion_nothing_is_remembered() -> None:
    assert decision(claude.render(ALLOW, request(*OTHERS), making("session"))) == {"behavior": "allow"}
