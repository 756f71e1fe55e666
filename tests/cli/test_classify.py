"""`codex-oauth classify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI
from tests.gate.answers import answer
from tests.gate.test_classify import is_valid
from tests.gate.test_request import CLAUDE_BASH, CLAUDE_PLAN, CODEX_BASH


@pytest.mark.parametrize("behavior", ["allow", "deny", "ask"])
def test_json_is_one_value_and_nothing_else(run_cli: RunCLI, chatgpt: LoopbackChatGPT, behavior: str) -> None:
    chatgpt.script(answer(behavior, "Größe: 家."))
    done = run_cli("classify", "--command", "git status", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    verdict = json.loads(done.stdout)
    assert (verdict["behavior"], verdict["reason"]) == (behavior, "Größe: 家.")
    assert is_valid(verdict)
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize(("behavior", "status"), [("allow", 0), ("deny", 10), ("ask", 11)])
@pytest.mark.parametrize("extra", [(), ("--json",)], ids=["words", "json"])
def test_the_exit_status_can_be_the_verdict(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, behavior: str, status: int, extra: tuple[str, ...]
) -> None:
    chatgpt.script(answer(behavior))
    done = run_cli("classify", "--command", "git status", "--exit-code", *extra)
    assert (done.returncode, done.stderr) == (status, b"")


def test_words_are_the_verdict_the_reason_and_what_the_agent_is_told(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("deny", "It destroys.", "Move it away instead."))
    done = run_cli("classify", "--command", "rm -rf /")
    assert done.stdout.decode() == "deny  It destroys.\n      Move it away instead.\n"


@pytest.mark.parametrize(("payload", "host"), [(CODEX_BASH, "codex"), (CLAUDE_BASH, "claude")])
def test_the_hooks_json_of_both_hosts_is_judged(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, payload: dict[str, Any], host: str
) -> None:
    chatgpt.script(answer("allow"))
    done = run_cli("classify", "--json", stdin=json.dumps(payload))
    assert done.returncode == 0, done.stderr
    sent = chatgpt.model_requests[-1].text
    assert f'"host": "{host}"' in sent
    assert payload["tool_input"]["command"] in sent


def test_the_host_can_be_said(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("allow"))
    assert run_cli("classify", "--host", "claude", stdin=json.dumps(CODEX_BASH)).returncode == 0
    assert '"host": "claude"' in chatgpt.model_requests[-1].text


def test_a_question_to_the_person_needs_no_account(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    done = run_cli("classify", "--json", "--exit-code", stdin=json.dumps(CLAUDE_PLAN))
    assert done.returncode == 11
    assert json.loads(done.stdout)["source"] == "rule"
    assert chatgpt.requests == ()


@pytest.mark.parametrize(
    "stdin", [b"", b"secret-content", b'{"x": "secret-content"}', b"[1]", b"\xff\xfe", b'{"tool_name": "secret-con']
)
def test_what_is_no_request_exits_with_2(run_cli: RunCLI, chatgpt: LoopbackChatGPT, stdin: bytes) -> None:
    done = run_cli("classify", "--json", "--exit-code", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"codex-oauth: the hook's input ")
    assert b"secret-con" not in done.stderr
    assert chatgpt.requests == ()


@pytest.mark.parametrize("command", ["", "  "])
def test_an_empty_command_exits_with_2(run_cli: RunCLI, command: str) -> None:
    done = run_cli("classify", "--command", command)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_terminal_without_a_command_is_not_waited_for(environ: dict[str, str], tmp_path: Path) -> None:
    shown = run_in_terminal(environ, tmp_path, "classify")
    assert shown.returncode == 2
    assert "nothing to judge: give --command TEXT, or a hook's JSON on stdin" in shown.text


ATTACK = "fine\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202egnp\x00 end"


@pytest.mark.usefixtures("settings")
def test_control_characters_of_the_model_do_not_reach_a_terminal(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(answer("deny", ATTACK, ATTACK))
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "classify", "--command", "ls").text
    assert "\x1b[2J" not in shown
    assert not {"\x07", "\x9b", "\u202e", "\x00"} & set(shown)
    assert shown.count("owned") == 2


def test_control_characters_stay_escaped_in_json(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("deny", ATTACK))
    done = run_cli("classify", "--command", "ls", "--json")
    assert json.loads(done.stdout)["reason"] == ATTACK
    assert not {0x1B, 0x07, 0x00, 0x0D} & set(done.stdout)


@pytest.mark.usefixtures("settings")
def test_json_on_a_terminal_writes_no_control_characters_either(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(answer("deny", ATTACK))
    shown = run_in_terminal(environ, tmp_path, "classify", "--command", "ls", "--json").text
    assert "\x1b[2J" not in shown
    assert not {"\x07", "\x9b", "\u202e", "\x00"} & set(shown)


@pytest.mark.usefixtures("settings")
def test_a_long_reason_is_broken_between_words_on_a_terminal(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(answer("deny", "word " * 40, "other " * 40))
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "classify", "--command", "ls", columns=60).text
    lines = [line for line in shown.splitlines() if "word" in line or "other" in line]
    assert len(lines) >= 8
    assert all(len(line) <= 60 for line in lines[1:])
    assert all(line.startswith("      ") for line in lines[1:])
