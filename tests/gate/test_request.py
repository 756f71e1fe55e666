"""What a hook tells, read: the real payloads of both hosts, and everything that could arrive instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.gate import PermissionRequest

CODEX_BASH: dict[str, Any] = {
    "session_id": "01a1fd15-7b1e-7a62-9b4b-3e0e6c2d9a11",
    "turn_id": "01a1fd15-8c2f-7b73-8c5c-4f1f7d3e0b22",
    "transcript_path": "/home/u/.codex/sessions/2026/11/21/rollout-2026-11-21T07-50-24-01a1fd15.jsonl",
    "cwd": "/srv/repo",
    "hook_event_name": "PermissionRequest",
    "model": "gpt-5.5",
    "permission_mode": "default",
    "tool_name": "Bash",
    "tool_input": {"command": "touch /tmp/f", "description": "Need to write outside the workspace"},
}
CODEX_PATCH: dict[str, Any] = {
    **CODEX_BASH,
    "transcript_path": None,
    "tool_name": "apply_patch",
    "tool_input": {"command": "*** Begin Patch\n*** Add File: /tmp/new.txt\n+hello\n*** End Patch"},
}
CODEX_MCP: dict[str, Any] = {
    **CODEX_BASH,
    "permission_mode": "bypassPermissions",
    "tool_name": "mcp__probe__poke",
    "tool_input": {"target": "x", "count": 2},
}
CLAUDE_BASH: dict[str, Any] = {
    "session_id": "16bcfc50-0000-4000-8000-000000000000",
    "transcript_path": "/home/u/.claude/projects/-work-repo/16bcfc50.jsonl",
    "cwd": "/srv/repo",
    "prompt_id": "2a1c0ae6-0000-4000-8000-000000000000",
    "permission_mode": "acceptEdits",
    "effort": {"level": "high"},
    "hook_event_name": "PermissionRequest",
    "tool_name": "Bash",
    "tool_input": {"command": "touch made.txt", "description": "Make a file"},
    "permission_suggestions": [
        {
            "type": "addRules",
            "rules": [{"toolName": "Bash", "ruleContent": "touch made.txt"}],
            "behavior": "allow",
            "destination": "localSettings",
        },
        {"type": "addDirectories", "directories": ["/srv/repo"], "destination": "session"},
        {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
    ],
}
CLAUDE_SUBAGENT: dict[str, Any] = {**CLAUDE_BASH, "agent_id": "ae4579e9e21f46e84", "agent_type": "general-purpose"}
CLAUDE_QUESTION: dict[str, Any] = {
    **CLAUDE_BASH,
    "tool_name": "AskUserQuestion",
    "tool_input": {"questions": [{"question": "Which one?", "header": "Pick", "options": [], "multiSelect": False}]},
}
CLAUDE_PLAN: dict[str, Any] = {
    **CLAUDE_BASH,
    "permission_mode": "plan",
    "tool_name": "ExitPlanMode",
    "tool_input": {"plan": "1. Do."},
}


@pytest.mark.parametrize(
    ("payload", "host", "mode"),
    [
        (CODEX_BASH, "codex", "default"),
        (CODEX_PATCH, "codex", "default"),
        (CODEX_MCP, "codex", "bypassPermissions"),
        (CLAUDE_BASH, "claude", "acceptEdits"),
        (CLAUDE_SUBAGENT, "claude", "acceptEdits"),
        (CLAUDE_QUESTION, "claude", "acceptEdits"),
        (CLAUDE_PLAN, "claude", "plan"),
    ],
    ids=["codex bash", "codex patch", "codex mcp", "claude bash", "claude sub-agent", "claude question", "claude plan"],
)
@pytest.mark.parametrize("as_bytes", [True, False])
def test_the_payloads_of_both_hosts_are_read(payload: dict[str, Any], host: str, mode: str, as_bytes: bool) -> None:
    text = json.dumps(payload)
    request = PermissionRequest.from_hook(text.encode() if as_bytes else text)
    assert (request.tool, request.tool_input) == (payload["tool_name"], payload["tool_input"])
    assert (request.host, request.cwd, request.mode) == (host, "/srv/repo", mode)


@pytest.mark.parametrize("tool", ["ExitPlanMode", "AskUserQuestion"])
def test_a_question_to_the_person_is_known_as_one(tool: str) -> None:
    assert PermissionRequest(tool=tool, tool_input={}).needs_person


@pytest.mark.parametrize("tool", ["Bash", "exitplanmode", "mcp__AskUserQuestion__ask", "Write"])
def test_nothing_else_is(tool: str) -> None:
    assert not PermissionRequest(tool=tool, tool_input={}).needs_person


def test_the_host_that_is_given_wins_over_how_it_looks() -> None:
    assert PermissionRequest.from_hook(json.dumps(CODEX_BASH), host="claude").host == "claude"
    assert PermissionRequest.from_hook(json.dumps(CLAUDE_BASH), host="codex").host == "codex"


def test_unknown_fields_are_passed_over() -> None:
    odd = {**CLAUDE_BASH, "new_in_3.0": {"deep": [1, 2]}, "tool_use_id": "t"}
    assert PermissionRequest.from_hook(json.dumps(odd)) == PermissionRequest.from_hook(json.dumps(CLAUDE_BASH))


def test_a_tool_name_is_enough() -> None:
    request = PermissionRequest.from_hook('{"tool_name": "Bash"}')
    assert (request.tool, request.tool_input, request.cwd, request.mode) == ("Bash", {"input": None}, None, None)


@pytest.mark.parametrize("value", [None, True, 3, "text", ["a", {"b": 1}]])
def test_a_tool_input_that_is_no_object_is_kept_as_it_is(value: Any) -> None:
    request = PermissionRequest.from_hook(json.dumps({**CODEX_BASH, "tool_input": value}))
    assert request.tool_input == {"input": value}


@pytest.mark.parametrize("field", ["cwd", "permission_mode"])
@pytest.mark.parametrize("value", [None, 3, [], {}])
def test_a_field_of_an_odd_type_counts_as_missing(field: str, value: Any) -> None:
    request = PermissionRequest.from_hook(json.dumps({**CODEX_BASH, field: value}))
    assert (request.cwd if field == "cwd" else request.mode) is None


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ("", "is empty"),
        ("   \n", "is empty"),
        ("secret-content", "is not JSON"),
        ('{"tool_name": "secret-content', "is not JSON"),
        ('{"tool_name": "Bash"} secret-content', "is not JSON"),
        (b"\xff\xfe\x00s", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["secret-content"]', "is not a JSON object"),
        ("null", "is not a JSON object"),
        ('"secret-content"', "is not a JSON object"),
        ("{}", "has no tool_name"),
        ('{"tool_name": "", "x": "secret-content"}', "has no tool_name"),
        ('{"tool_name": ["secret-content"]}', "has no tool_name"),
        ('{"hook_event_name": "PreToolUse", "tool_name": "secret-content"}', "another event than PermissionRequest"),
        ('{"hook_event_name": null, "tool_name": "secret-content"}', "another event than PermissionRequest"),
        ('{"n": ' + "9" * 5000 + "}", "is not JSON"),
    ],
)
def test_what_is_no_request_is_refused_without_its_content(payload: str | bytes, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        PermissionRequest.from_hook(payload)
    assert "secret-content" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_where_the_json_breaks_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"\(line 2, column 3\)"):
        PermissionRequest.from_hook("{\n  oops}")


def test_bytes_that_are_no_utf8_are_still_a_request() -> None:
    payload = json.dumps(CODEX_BASH).encode().replace(b"touch", b"to\xff\xfeuch")
    assert PermissionRequest.from_hook(payload).tool_input["command"] == "to\ufffd\ufffduch /tmp/f"


def test_a_byte_order_mark_does_no_harm() -> None:
    assert PermissionRequest.from_hook(b"\xef\xbb\xbf" + json.dumps(CODEX_BASH).encode()).tool == "Bash"


def test_five_megabytes_are_read() -> None:
    text = "x" * 5_000_000
    payload = json.dumps({**CLAUDE_BASH, "tool_name": "Write", "tool_input": {"content": text}})
    assert PermissionRequest.from_hook(payload).tool_input["content"] == text


def test_a_command_by_hand_is_a_bash_call() -> None:
    request = PermissionRequest.from_command("git status", cwd="/srv/repo", host="codex")
    assert request == PermissionRequest(
        tool="Bash", tool_input={"command": "git status"}, cwd="/srv/repo", host="codex", mode=None
    )


@pytest.mark.parametrize("command", ["", "  ", "\n\t"])
def test_an_empty_command_is_refused(command: str) -> None:
    with pytest.raises(ConfigurationError, match="the command is empty"):
        PermissionRequest.from_command(command)


def test_a_repr_shows_no_content() -> None:
    request = PermissionRequest(tool="Bash", tool_input={"command": "secret-content"}, cwd="/secret-content")
    assert "secret-content" not in repr(request)


def test_a_key_that_stands_twice_is_refused_since_the_host_may_run_the_other() -> None:
    payload = '{"tool_name": "Bash", "tool_input": {"command": "rm -rf /", "command": "ls"}}'
    with pytest.raises(ConfigurationError, match="same key twice"):
        PermissionRequest.from_hook(payload)
