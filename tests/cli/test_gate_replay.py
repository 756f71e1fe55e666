"""`codex-oauth gate replay`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.testing import Empty, Hang, LoopbackChatGPT, usage_limit_reached
from tests.cli.people import Piped
from tests.conftest import RunCLI
from tests.gate.answers import answer
from tests.gate.evaluation.test_replaying import record


@pytest.fixture
def metrics(environ: dict[str, str]) -> Path:
    """This user's metrics file."""
    return Path(environ["CODEX_OAUTH_METRICS"])


def test_what_differs_comes_first_with_both_rules(run_cli: RunCLI, chatgpt: LoopbackChatGPT, metrics: Path) -> None:
    record(metrics, "npm test", "deny")
    record(metrics, "npm test", "deny")
    record(metrics, "git push", "allow", policy="0123456789ab")
    record(metrics, "ls")
    chatgpt.script(answer("allow"), answer("ask", "Others see it.", rule="outward"), answer("allow", "A test."))
    done = run_cli("gate", "replay", "--concurrency", "1")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[:5] == [
        "2 of 3 verdicts would differ",
        "deny -> allow  destroy -> read-only  Bash  npm test",
        "    A test. [2 times; same policy as before]",
        "allow -> ask  read-only -> outward  Bash  git push",
        "    Others see it.",
    ]
    told = [line.split(maxsplit=1) for line in lines[5:]]
    assert ["deny", "to allow  1"] in told
    assert "the same       1, 0 by another rule" in lines
    assert "same policy    2, 1 of them with a difference, the model's own" in lines
    assert "records        4, 3 different ones" in lines
    assert "The conversation and the host's own permission rules were not recorded" in lines[-1]


def test_what_stood_in_for_the_models_word_is_marked_and_is_no_difference_of_its_own(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, metrics: Path
) -> None:
    record(metrics, "git push -f", "ask", source="escalated", rule="destroy")
    record(metrics, "npm i", "deny", source="nobody", rule=None)
    chatgpt.script(answer("allow", "Fine."), answer("deny", "Still."))
    lines = run_cli("gate", "replay", "--concurrency", "1").stdout.decode().splitlines()
    assert "    Fine. [nobody could be asked; same policy as before]" in lines
    assert "    Still. [was escalated; same policy as before]" in lines
    told = (
        "same policy    2, no difference of the model's own; 2 with one since the old verdict stood in for the model's"
    )
    assert told in lines


def test_what_the_gate_recorded_itself_is_judged_again(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, metrics: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "strict.toml"
    policy.write_text('append_environment = ["Nothing leaves this machine."]\n', encoding="utf-8")
    chatgpt.script(answer("allow"))
    assert run_cli("classify", "--command", "git fetch").returncode == 0
    before = metrics.read_bytes()
    chatgpt.script(answer("deny", "It leaves this machine.", rule="exfiltrate"))
    done = run_cli("gate", "replay", "--policy", str(policy), "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["recorded"], told["distinct"], told["judged"]) == (0, 1, 1, 1)
    (change,) = told["changed"]
    assert (change["what"], change["old"], change["new"]) == ("git fetch", "allow", "deny")
    assert (change["old_rule"], change["new_rule"]) == ("read-only", "exfiltrate")
    assert (change["same_policy"], change["reason"]) == (False, "It leaves this machine.")
    assert told["changes"] == {"allow to deny": 1}
    assert told["not_recorded"]
    assert "Nothing leaves this machine." in str(chatgpt.model_requests[-1].context[0])
    assert metrics.read_bytes() == before


def test_days_and_a_limit_choose_the_latest(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    file = tmp_path / "old.jsonl"
    now = datetime.now(UTC)
    for days in (9, 3, 2, 0):
        record(file, f"command {days}", time=now - timedelta(days=days))
    chatgpt.default = answer("ask")

    def asked(*arguments: str) -> list[Any]:
        told = json.loads(run_cli("gate", "replay", str(file), "--json", *arguments).stdout)
        return sorted(one["what"] for one in told["changed"])

    assert asked("--days", "5") == ["command 0", "command 2", "command 3"]
    assert asked("--limit", "2") == ["command 0", "command 2"]
    assert asked("--days", "1") == ["command 0"]


def test_each_request_is_judged_by_the_policy_of_its_host(
    run_cli: RunCLI, environ: dict[str, str], chatgpt: LoopbackChatGPT, metrics: Path
) -> None:
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True)
    (folder / "gate.toml").write_text('[host.codex]\nappend_environment = ["Only for Codex."]\n', encoding="utf-8")
    record(metrics, "ls", host="codex")
    record(metrics, "ls", host="claude")
    chatgpt.default = answer("allow")
    told = json.loads(run_cli("gate", "replay", "--json").stdout)
    assert (told["unchanged"], told["same_policy"]) == (2, 1)
    assert sum("Only for Codex." in str(one.context[0]) for one in chatgpt.model_requests) == 1


def test_nothing_to_replay_is_no_failure(run_cli: RunCLI, chatgpt: LoopbackChatGPT, metrics: Path) -> None:
    record(metrics, "ls", "ask", source="rule")
    done = run_cli("gate", "replay")
    assert done.returncode == 0
    assert "0 of 0 verdicts would differ" in done.stdout.decode()
    assert "records        1, 0 different ones; 1 left out, no model was asked" in done.stdout.decode()
    assert chatgpt.requests == ()


def test_a_failure_is_no_difference(run_cli: RunCLI, chatgpt: LoopbackChatGPT, metrics: Path) -> None:
    record(metrics, "ls")
    chatgpt.default = Empty()
    shown = run_cli("gate", "replay").stdout.decode()
    assert shown.startswith("0 of 0 verdicts would differ\nno verdict (empty_reply)  Bash  ls\n")


def test_a_usage_limit_stops_the_run_and_shows_the_part(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, metrics: Path
) -> None:
    for number in range(5):
        record(metrics, f"command {number}")
    chatgpt.script(answer("deny"), usage_limit_reached())
    done = run_cli("gate", "replay", "--concurrency", "1")
    assert done.returncode == 4
    assert b"allow -> deny  read-only -> destroy  Bash  command 4" in done.stdout
    assert b"not judged     4" in done.stdout
    assert len(chatgpt.model_requests) == 2


@pytest.mark.usefixtures("settings")
def test_ctrl_c_shows_what_there_is(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, metrics: Path, tmp_path: Path
) -> None:
    record(metrics, "ls")
    record(metrics, "git push", "ask")
    chatgpt.script(answer("deny"))
    chatgpt.default = Hang()
    with Piped(environ, tmp_path, "gate", "replay", "--concurrency", "1") as running:
        chatgpt.wait_for_model_requests(2, timeout=30)
        running.interrupt()
        done = running.end()
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
    assert "ask -> deny  (model) -> destroy  Bash  git push" in done.stdout
    assert "not judged     1" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--policy", "none.toml"), ("none.jsonl",), ("--days", "0")])
def test_what_is_wrong_is_said_before_anything_is_judged(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, metrics: Path, arguments: tuple[str, ...]
) -> None:
    if arguments:
        record(metrics, "ls")
    done = run_cli("gate", "replay", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert chatgpt.requests == ()
