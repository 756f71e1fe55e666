"""Groups 18 to 20: what is written down of a request, what the report makes of it, and many requests at once."""

from __future__ import annotations

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.gate import Host
from codex_oauth.metrics import LIMIT
from codex_oauth.testing import Empty, Json, LoopbackChatGPT, ModelRequest, Usage
from codex_oauth.version import __version__
from tests.gate.answers import answer
from tests.gate.blackbox.host import ALLOW, HOSTS, NOTHING, Seen, both_hosts, denial, no_verdict, shown
from tests.gate.blackbox.machine import Machine
from tests.gate.blackbox.running import Running


@both_hosts
def test_19_a_line_says_what_was_asked_what_became_of_it_and_what_it_took(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host
) -> None:
    usage = Usage(input_tokens=900, cached_input_tokens=700, output_tokens=40, reasoning_output_tokens=10)
    reply = {"reason": "It looks.", "rule": "read-only", "behavior": "allow", "deny_message": ""}
    chatgpt.script(Json(reply, usage))
    assert machine.ask(host).stdout == ALLOW
    entry = machine.entry()
    phases = entry.pop("phases")
    assert 0 <= phases["read"] <= phases["policy"] <= phases["asked"] < phases["completed"]
    assert 0 < phases["thread"] < phases["completed"] <= phases["total"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", entry.pop("codex_version"))
    policy = entry["gate"].pop("policy")
    assert len(policy) == 12
    assert entry.pop("time").endswith("Z")
    assert entry.pop("effort")
    assert entry == {
        "command": "hook",
        "package_version": __version__,
        "outcome": "ok",
        "error": None,
        "model_requested": None,
        "model": chatgpt.model_requests[0].model,
        "tokens": {"input": 900, "cached": 700, "output": 40, "reasoning": 10},
        "account": "chatgpt",
        "plan": "plus",
        "repaired": False,
        "warm": False,
        "retries": 0,
        "served": "process",
        "cached": False,
        "shared": False,
        "gate": {
            "session": machine.sessions[0],
            "tool": "Bash",
            "host": host,
            "mode": "default",
            "verdict": "allow",
            "source": "model",
            "forced": False,
            "rule": "read-only",
            "input": {"command": "git status"},
            "cwd": str(machine.repo),
        },
    }
    # Why it was allowed is content, and is nobody's but the model's.
    assert "It looks." not in machine.metrics.read_text()
    assert stat.S_IMODE(machine.metrics.stat().st_mode) == 0o600


def test_19_what_is_not_known_is_null(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.ask("codex", b'{"tool_name": "ExitPlanMode", "tool_input": {"plan": "x"}}')
    entry = machine.entry()
    gate = entry["gate"]
    assert (gate["session"], gate["mode"], gate["cwd"], gate["rule"]) == (None, None, None, None)
    assert (entry["model"], entry["account"], entry["tokens"]["input"]) == (None, None, None)
    assert {name for name, at in entry["phases"].items() if at is not None} == {"read", "policy", "total"}


def test_19_a_full_file_is_set_aside_and_a_third_one_is_dropped(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = answer("allow")
    line = b'{"old": "' + b"x" * 1_000 + b'"}\n'
    older = machine.metrics.with_name(machine.metrics.name + ".1")
    older.write_bytes(b"{}\n")
    machine.metrics.write_bytes(line * (LIMIT // len(line)))
    assert machine.ask("claude").stdout == ALLOW
    assert machine.ask("claude").stdout == ALLOW
    assert len(machine.entries()) == 2
    assert set(older.read_bytes().splitlines(keepends=True)) == {line}


@pytest.mark.parametrize("place", ["off", "folder", "link", "nowhere"])
def test_19_metrics_that_cannot_be_written_do_not_fail_a_verdict(
    machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path, place: str
) -> None:
    target = tmp_path / "place"
    if place == "folder":
        target.mkdir()
    elif place == "link":
        target.symlink_to(tmp_path / "target")
    elif place == "nowhere":
        target = Path("/proc/none/metrics.jsonl")
    machine.environ["CODEX_OAUTH_METRICS"] = "off" if place == "off" else str(target)
    chatgpt.script(answer("allow"))
    assert machine.ask("codex") == Seen(0, ALLOW, "")
    assert not machine.metrics.exists()
    assert not (tmp_path / "target").exists()


def test_19_the_report_counts_them(machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(
        answer("allow"),
        answer("deny"),
        answer("ask"),
        answer("allow", rule="destroy"),
        Empty(),
    )
    for number in range(5):
        tool_input = {"command": "make deploy" if number == 2 else "make"}
        machine.ask("claude", machine.payload("claude", tool_input=tool_input))
    machine.ask("claude", machine.payload("claude", tool_name="AskUserQuestion", tool_input={"questions": []}))
    machine.ask("claude", machine.payload("claude", tool_name="ExitPlanMode", tool_input={"plan": "x"}))
    with machine.metrics.open("a") as file:
        file.write("half a line\n")
    printed = machine.run("metrics", "--json")
    assert printed.returncode == 0, printed.stderr
    report: dict[str, Any] = json.loads(printed.stdout)
    totals = report["totals"]
    counts = ("requests", "allow", "deny", "ask", "unanswered", "questions", "forced", "errors")
    assert [totals[name] for name in counts] == [7, 1, 1, 5, 0, 2, 2, 1]
    # Questions to the person are no part of it.
    assert totals["automation_rate"] == 0.4
    # Nor is what no model gave a verdict on.
    assert totals["latency_ms"]["count"] == 4
    assert totals["tokens"]["input"] == 400
    assert report["period"]["skipped_lines"] == 1
    assert [(one["command"], one["count"]) for one in report["top_asked"]] == [("make", 1), ("make deploy", 1)]
    assert [(one["command"], one["count"]) for one in report["top_denied"]] == [("make", 1)]
    assert [(one["command"], one["count"]) for one in report["not_judged"]] == [("make", 1)]
    assert [error["code"] for error in report["errors"]] == ["empty_reply"]
    assert {tool["tool"] for tool in report["tools"]} == {"Bash", "AskUserQuestion", "ExitPlanMode"}


def test_18_nothing_of_a_request_is_in_any_file_but_the_metrics(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(answer("deny", "REASON-said", "WORDS-said"))
    request = machine.payload("codex", tool_input={"command": "touch COMMAND-asked", "description": "WHY-asked"})
    assert machine.ask("codex", request).stdout == denial("WORDS-said")
    found: dict[str, set[str]] = {}
    for folder in (settings.state_dir, tmp_path):
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                words = ("REASON-said", "WORDS-said", "COMMAND-asked", "WHY-asked")
                if held := {word for word in words if word.encode() in content}:
                    found[path.name] = held
    assert found == {"metrics.jsonl": {"COMMAND-asked", "WHY-asked"}}


def test_20_sixteen_at_once_get_an_answer_each_and_their_own(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    def judge(request: ModelRequest) -> Json:
        number: int = shown(request)["tool_input"]["number"]
        return (answer("allow"), answer("deny", deny_message=f"No {number}."), answer("ask"))[number % 3]

    chatgpt.default = judge
    with ExitStack() as stack, ThreadPoolExecutor(16) as readers:
        running = [
            stack.enter_context(
                machine.started(
                    HOSTS[number % 2],
                    machine.payload(
                        HOSTS[number % 2], tool_name="mcp__a__b", tool_input={"number": number}, session_id="one"
                    ),
                )
            )
            for number in range(16)
        ]
        seen = list(readers.map(Running.seen, running))
    wanted = [(ALLOW, denial(f"No {number}."), NOTHING)[number % 3] for number in range(16)]
    # One session's denials are counted, so that some of the later ones go to the person.
    assert [one.status for one in seen] == [0] * 16
    assert [one.stderr for one in seen] == [""] * 16
    assert all(
        one.stdout in (want, NOTHING) if number % 3 == 1 else one.stdout == want
        for number, (one, want) in enumerate(zip(seen, wanted, strict=True))
    )
    entries = machine.entries()
    assert sorted(entry["gate"]["input"]["number"] for entry in entries) == list(range(16))
    kinds = [entry["gate"]["verdict"] for entry in sorted(entries, key=lambda entry: entry["gate"]["input"]["number"])]
    told = {ALLOW: "allow", NOTHING: "ask"}
    assert kinds == [told.get(one.stdout, "deny") for one in seen]


def test_20_a_failure_of_one_is_not_another_ones(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    def judge(request: ModelRequest) -> Json | Empty:
        return Empty() if shown(request)["tool_input"]["command"] == "bad" else answer("allow")

    chatgpt.default = judge
    with ExitStack() as stack:
        running = [
            stack.enter_context(machine.started("codex", machine.payload("codex", tool_input={"command": command})))
            for command in ("good", "bad", "good", "bad")
        ]
        seen = [one.seen() for one in running]
    assert [one.stdout for one in seen] == [ALLOW, NOTHING, ALLOW, NOTHING]
    assert [no_verdict(one) for one in seen[1::2]] == ["reply", "reply"]
