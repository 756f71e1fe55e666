"""Group 14: whatever hosts were seen to send, and what they may send yet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.gate import Host
from codex_oauth.testing import LoopbackChatGPT
from tests.gate.answers import answer
from tests.gate.blackbox.host import ALLOW, NOTHING, Seen, both_hosts, denial, in_turn, no_verdict, shown
from tests.gate.blackbox.machine import Machine
from tests.gate.test_request import CLAUDE_SUBAGENT, CODEX_MCP, CODEX_PATCH


@both_hosts
def test_unknown_fields_change_nothing(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.default = answer("allow")
    request = machine.payload(host)
    assert machine.ask(host, request) == Seen(0, ALLOW, "")
    odd = {**request, "new_in_3.0": {"deep": [1, 2]}, "tool_use_id": "t", "": None}
    assert machine.ask(host, odd) == Seen(0, ALLOW, "")
    first, second = chatgpt.model_requests
    assert first.text == second.text


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _lines(text: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(text)


TRANSCRIPTS: Final[dict[str, Callable[[Path], object]]] = {
    "missing": lambda _: None,
    "empty": _lines(b""),
    "garbage": _lines(bytes(range(256)) * 2_000),
    "odd JSON": _lines(
        b'[]\nnull\n{"type": 1, "message": [], "payload": 5}\n{"type": "user", "message": {"content": 1}}\n'
    ),
    "half a line": _lines(b'{"type": "user", "message": {"role": "user", "content": "do'),
    "deep": _lines(b"[" * 100_000),
    "one long line": _lines(b'{"type": "user", "message": {"content": "' + b"x" * 1_000_000 + b'"}}\n'),
    "a FIFO": _fifo,
    "a folder": Path.mkdir,
    "a loop": lambda path: path.symlink_to(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize(("host", "kind"), in_turn(TRANSCRIPTS.keys()))
def test_a_transcript_that_cannot_be_read_is_left_out(
    machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path, host: Host, kind: str
) -> None:
    path = tmp_path / "transcript.jsonl"
    TRANSCRIPTS[kind](path)
    chatgpt.script(answer("allow"))
    assert machine.ask(host, machine.payload(host, transcript_path=str(path))) == Seen(0, ALLOW, "")
    assert "x" * 1_000 not in chatgpt.model_requests[0].text


@pytest.mark.parametrize(
    ("host", "value"), in_turn(["", 5, ["a"], {"a": 1}, "\x00", "relative.jsonl", "//host/share/t.jsonl"])
)
def test_a_transcripts_path_that_is_none_is_passed_over(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, value: object
) -> None:
    chatgpt.script(answer("allow"))
    assert machine.ask(host, machine.payload(host, transcript_path=value)) == Seen(0, ALLOW, "")


@pytest.mark.parametrize(("host", "value"), in_turn(["rm -rf /", ["a", {"b": 1}], 3, True, 1.5]))
def test_a_tool_input_that_is_no_object_is_judged_as_it_is(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, value: Any
) -> None:
    chatgpt.script(answer("deny", deny_message="No."))
    assert machine.ask(host, machine.payload(host, tool_input=value)) == Seen(0, denial("No."), "")
    assert shown(chatgpt.model_requests[0])["tool_input"] == {"input": value}


@pytest.mark.parametrize("request_", [CODEX_PATCH, CODEX_MCP], ids=["apply_patch", "MCP"])
def test_patches_and_mcp_calls_are_shown_as_they_are(
    machine: Machine, chatgpt: LoopbackChatGPT, request_: dict[str, Any]
) -> None:
    chatgpt.script(answer("allow"))
    request = machine.payload("codex", tool_name=request_["tool_name"], tool_input=request_["tool_input"])
    assert machine.ask("codex", request) == Seen(0, ALLOW, "")
    data = shown(chatgpt.model_requests[0])
    assert (data["tool"], data["tool_input"]) == (request_["tool_name"], request_["tool_input"])
    wanted = {"files": ["Add File: /tmp/new.txt"]} if request_ is CODEX_PATCH else {"server": "probe", "tool": "poke"}
    assert wanted.items() <= data["canonical"].items()


def test_a_sub_agent_is_named(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("allow"))
    agent = {name: CLAUDE_SUBAGENT[name] for name in ("agent_id", "agent_type")}
    assert machine.ask("claude", machine.payload("claude", **agent)) == Seen(0, ALLOW, "")
    assert shown(chatgpt.model_requests[0])["agent"] == "general-purpose"


@both_hosts
def test_text_of_any_script_arrives_unchanged(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    command = "echo 'Grüße, 世界 🙂 \u202e\u200b' > \"ﬁle\tå\" # \x07 </permission_request>"
    chatgpt.script(answer("allow"))
    data = json.dumps(machine.payload(host, tool_input={"command": command}), ensure_ascii=False).encode()
    assert machine.ask(host, data) == Seen(0, ALLOW, "")
    assert shown(chatgpt.model_requests[0])["tool_input"]["command"] == command


def test_five_megabytes_are_judged_by_their_ends_and_never_allowed(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.policy('on_uncertain = "allow"\n')
    content = "the beginning\n" + "middle\n" * 750_000 + "the end"
    chatgpt.script(answer("allow"), answer("ask"), answer("deny", deny_message="No."))
    tool_input = {"file_path": "big.txt", "content": content}
    request = machine.payload("claude", tool_name="Write", tool_input=tool_input)
    assert len(json.dumps(request)) > 5_000_000
    assert machine.ask("claude", request) == Seen(0, NOTHING, "")
    assert machine.ask("codex", request) == Seen(0, NOTHING, "")
    assert machine.ask("codex", request) == Seen(0, denial("No."), "")
    assert machine.verdicts() == [
        ("ask", "truncated", True, "read-only"),
        ("ask", "model", False, None),
        ("deny", "model", False, "destroy"),
    ]
    data = shown(chatgpt.model_requests[0])["tool_input"]["content"]
    assert data.startswith("the beginning\n")
    assert data.endswith("the end")
    assert all(sent.size < 100_000 for sent in chatgpt.model_requests)


@both_hosts
def test_what_is_no_utf8_is_judged_but_never_allowed(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    data = json.dumps(machine.payload(host)).encode().replace(b"git status", b"cat caf\xe9.txt")
    chatgpt.script(answer("allow"), answer("deny", deny_message="No."))
    assert machine.ask(host, data) == Seen(0, NOTHING, "")
    assert machine.ask(host, data) == Seen(0, denial("No."), "")
    assert shown(chatgpt.model_requests[0])["tool_input"]["command"] == "cat caf\ufffd.txt"


@both_hosts
def test_half_a_character_is_judged_but_never_allowed(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(answer("allow"), answer("deny", deny_message="No."))
    request = machine.payload(host, tool_input={"command": "ls \ud83d"}, cwd="/srv/\udce9")
    assert machine.ask(host, request) == Seen(0, NOTHING, "")
    assert machine.ask(host, request) == Seen(0, denial("No."), "")


@both_hosts
def test_a_byte_order_mark_is_passed_over(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(answer("allow"))
    assert machine.ask(host, b"\xef\xbb\xbf" + json.dumps(machine.payload(host)).encode()) == Seen(0, ALLOW, "")


@pytest.mark.parametrize(("host", "depth"), in_turn([15, 60, 400]))
def test_what_is_nested_too_deeply_to_be_shown_is_never_allowed(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, depth: int
) -> None:
    value: Any = "rm -rf /"
    for _ in range(depth):
        value = {"a": [value]} if depth > 20 else {"a": value}
    chatgpt.script(answer("allow"))
    seen = machine.ask(host, machine.payload(host, tool_name="mcp__a__b", tool_input=value))
    assert seen == Seen(0, ALLOW if depth == 15 else NOTHING, "")
    assert machine.verdicts()[0][:2] == (("allow", "model") if depth == 15 else ("ask", "truncated"))


ODD_FIELDS: Final[tuple[dict[str, Any], ...]] = (
    {"cwd": None},
    {"cwd": "/no/such/folder"},
    {"cwd": "relative"},
    {"cwd": "\x00"},
    {"cwd": ["a"]},
    {"cwd": "/" + "d" * 5_000},
    {"session_id": None},
    {"session_id": {"a": 1}},
    {"session_id": "../../\x00" * 200},
    {"permission_suggestions": "all"},
    {"permission_suggestions": [None, 1, {"type": "addRules", "behavior": "allow", "rules": [[]]}]},
    {"tool_name": "m" * 5_000},
    {"tool_name": "\u202e../../etc"},
    {"tool_name": "mcp____"},
    {"agent_type": {"a": 1}},
    {"model": None, "turn_id": 5},
)


@pytest.mark.parametrize(
    ("host", "changes"),
    in_turn({" ".join(f"{name}={str(value)[:12]!r}" for name, value in one.items()): one for one in ODD_FIELDS}),
)
def test_an_odd_field_is_no_reason_to_fail(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, changes: dict[str, Any]
) -> None:
    chatgpt.script(answer("deny", deny_message="No."))
    assert machine.ask(host, machine.payload(host, **changes)) == Seen(0, denial("No."), "")
    assert len(machine.entries()) == 1


def test_a_request_without_end_is_given_up(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    seen = machine.ask("codex", b" " * (64 * 1024 * 1024 + 1))
    assert no_verdict(seen) == "input"
    assert "64 MiB" in seen.stderr
    assert chatgpt.requests == ()
