"""A hook with an app-server of its own, started before anything is imported, on the real binary."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.config import Settings
from codex_oauth.metrics import read
from codex_oauth.testing import Hang, Items, LoopbackChatGPT, Text, function_call
from codex_oauth.thin.launch import read_launch, write_launch
from tests.cold.conftest import Ran, Run
from tests.gate.answers import answer
from tests.gate.test_hook import ALLOW, FAILURES, Failure, encoded, write_policy
from tests.gate.test_request import CODEX_BASH
from tests.scripted import eventually

PAYLOAD: Final = encoded(CODEX_BASH)
CLASSIFY: Final = ("classify", "--command", "git status", "--json")


def imported(ran: Ran) -> set[str]:
    """The modules that a process imported, by `-X importtime`."""
    lines = ran.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def test_a_second_hook_answers_like_the_first_without_an_event_loop(
    run: Run, chatgpt: LoopbackChatGPT, settings: Settings
) -> None:
    chatgpt.script(answer("allow"), answer("allow"))
    loud = ("-X", "importtime")
    first, second = (run("hook", "codex", stdin=PAYLOAD, python=loud) for _ in range(2))
    assert first.stdout == second.stdout == ALLOW
    assert "anyio" in imported(first)
    assert not {"anyio", "asyncio", "pydantic", "click", "jsonschema"} & imported(second)
    assert chatgpt.model_requests[0].text == chatgpt.model_requests[1].text
    assert settings.metrics is not None
    one, other = read(settings.metrics)
    assert one.keys() == other.keys()
    assert {name for name, at in one["phases"].items() if at} == {name for name, at in other["phases"].items() if at}
    for name in ("model", "effort", "account", "plan", "tokens", "codex_version", "warm", "repaired", "outcome"):
        assert one[name] == other[name], name


def test_a_second_classify_prints_what_the_first_did(run: Run, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("deny", deny_message="No."), answer("deny", deny_message="No."))
    ran = [run(*CLASSIFY) for _ in range(2)]
    first, second = (json.loads(one.stdout) for one in ran)
    assert {**first, "latency_ms": 0} == {**second, "latency_ms": 0}


@pytest.mark.parametrize("behavior", ["allow", "deny", "ask"])
def test_classify_exits_with_its_verdict(run: Run, record: Path, chatgpt: LoopbackChatGPT, behavior: str) -> None:
    chatgpt.script(answer(behavior))
    assert run(*CLASSIFY, "--exit-code").returncode == {"allow": 0, "deny": 10, "ask": 11}[behavior]


def test_a_reply_that_does_not_fit_is_repaired_on_the_same_thread(
    run: Run, record: Path, chatgpt: LoopbackChatGPT, settings: Settings
) -> None:
    chatgpt.script(Text("allow"), answer("allow"))
    assert run("hook", "codex", stdin=PAYLOAD).stdout == ALLOW
    assert len(chatgpt.model_requests) == 2
    assert settings.metrics is not None
    (entry,) = read(settings.metrics)
    assert entry["repaired"] is True


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name.replace(" ", "-"))
def test_no_failure_ends_in_an_allow(
    run: Run, record: Path, chatgpt: LoopbackChatGPT, settings: Settings, tmp_path: Path, failure: Failure
) -> None:
    if failure.name == "no binary" or failure.name.startswith("codex "):
        pytest.skip("another binary has another record")
    policy = tmp_path / "gate.toml"
    policy.write_text("timeout = 1.5\n")
    write_policy(policy, failure, "ask")
    if failure.answer is not None:
        chatgpt.default = failure.answer
    if failure.prepared:
        failure.prepared(chatgpt, settings)
    ran = run("hook", "codex", "--policy", str(policy), stdin=PAYLOAD if failure.payload is None else failure.payload)
    note = ran.stderr.decode().strip().splitlines()[-1]
    # What is tried twice may take all the time that there is.
    assert any(f"{name}: " in note for name in (failure.of, "timeout")), note
    assert (ran.stdout, ran.returncode) == (b"", 1)


def test_a_deadline_interrupts_the_turn_and_leaves_nothing(
    run: Run, record: Path, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    chatgpt.default = Hang()
    began = time.monotonic()
    ran = run(*CLASSIFY, "--timeout", "1.5")
    assert ran.returncode == 5
    assert b"no reply within 1.5 s" in ran.stderr
    assert time.monotonic() - began < 10
    eventually(lambda: not processes_of())


def test_a_tool_call_of_the_model_is_declined(run: Run, record: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items((function_call("shell", {"command": "ls"}, "call-1"),)), answer("allow"))
    ran = run("hook", "codex", "--on-failure", "deny", stdin=PAYLOAD, timeout=60)
    assert b'"allow"' not in ran.stdout or ran.stdout == ALLOW
    outputs = [item for request in chatgpt.model_requests[1:] for item in request.body["input"]]
    assert not [item for item in outputs if item.get("type") == "local_shell_call"]


def test_who_has_signed_out_is_told_so(run: Run, record: Path, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    (settings.home / "auth.json").unlink()
    ran = run(*CLASSIFY)
    assert ran.returncode == 3
    assert b"not signed in" in ran.stderr
    assert not chatgpt.model_requests


def test_another_account_pays_from_its_first_call_on(
    run: Run, record: Path, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(answer("allow"), answer("allow"))
    assert json.loads(run(*CLASSIFY).stdout)["account"] == {"kind": "chatgpt", "plan": "plus"}
    chatgpt.sign_in(settings.home, plan="pro")
    assert json.loads(run(*CLASSIFY).stdout)["account"] == {"kind": "chatgpt", "plan": "pro"}


def test_another_model_in_the_policy_is_the_one_that_judges(
    run: Run, record: Path, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    policy = tmp_path / "gate.toml"
    policy.write_text('model = "gpt-6.1-sol"\n')
    chatgpt.script(answer("allow"))
    assert json.loads(run(*CLASSIFY, "--policy", str(policy)).stdout)["model"] == "gpt-6.1-sol"
    assert [request.body["model"] for request in chatgpt.model_requests] == ["gpt-6.1-sol"]


def test_other_rules_get_a_thread_of_their_own(
    run: Run, record: Path, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    policy = tmp_path / "gate.toml"
    policy.write_text('[[append_rules]]\nid = "mine"\nallow = "Whatever this very rule says."\n')
    chatgpt.script(answer("allow", rule="mine"))
    verdict = json.loads(run(*CLASSIFY, "--policy", str(policy)).stdout)
    assert (verdict["behavior"], verdict["rule"]) == ("allow", "mine")
    assert "Whatever this very rule says." in json.dumps(chatgpt.model_requests[0].body["input"])


@pytest.mark.parametrize("damage", ["touched home", "junk", "old", "gone program", "another version"])
def test_a_record_that_does_not_hold_is_made_anew(
    run: Run, record: Path, settings: Settings, chatgpt: LoopbackChatGPT, damage: str
) -> None:
    launch = read_launch(str(record))
    assert launch is not None
    if damage == "touched home":
        os.utime(settings.home / "config.toml", (1, 1))
    elif damage == "junk":
        record.write_bytes(b"\xff\0junk\n")
    elif damage == "old":
        launch.until = 1.0
        write_launch(str(record), launch)
    elif damage == "gone program":
        launch.argv[0] = str(settings.home / "none")
        write_launch(str(record), launch)
    else:
        record.write_text(record.read_text().replace("launch 1 ", "launch 1 0.0.", 1))
    chatgpt.script(answer("allow"))
    assert run("hook", "codex", stdin=PAYLOAD).stdout == ALLOW
    renewed = read_launch(str(record))
    assert renewed is not None
    assert renewed.argv[0] != str(settings.home / "none")
    assert renewed.holds(os.environ)


def test_a_record_of_others_making_is_not_run(run: Run, record: Path, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    launch = read_launch(str(record))
    assert launch is not None
    witness = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {witness}\n")
    program.chmod(0o755)
    launch.argv[0] = str(program)
    write_launch(str(record), launch)
    record.chmod(0o666)
    chatgpt.script(answer("allow"))
    assert run("hook", "codex", stdin=PAYLOAD).stdout == ALLOW
    assert not witness.exists()


def test_a_record_has_no_secret_in_it(record: Path, settings: Settings, environ: dict[str, str]) -> None:
    found = json.loads((settings.home / "auth.json").read_text())["tokens"]
    written = b"".join(path.read_bytes() for path in record.parent.iterdir())
    for secret in (found["access_token"], found["refresh_token"], found["id_token"], environ["HTTPS_PROXY"]):
        assert str(secret).encode() not in written
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in record.parent.iterdir())


def test_an_expired_token_is_refreshed_once_and_then_the_record_holds_again(
    run: Run, record: Path, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=60)
    chatgpt.script(answer("allow"), answer("allow"))
    assert [run("hook", "codex", stdin=PAYLOAD).stdout for _ in range(2)] == [ALLOW, ALLOW]
    assert dict(chatgpt.refresh_outcomes) == {"granted": 1}
