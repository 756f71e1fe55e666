"""What the page on batches shows, done by somebody who follows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from codex_oauth.testing import Empty, Hang, Json, LoopbackChatGPT, ModelRequest, Reply, usage_limit_reached
from tests.cli.people import Piped
from tests.docs.machine import Machine

PAGE = (Path(__file__).parents[2] / "docs/batch.md").read_text(encoding="utf-8")
JSON = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
TEXT = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.split()[1:] for line in re.findall(r"^codex-oauth .*$", PAGE, re.MULTILINE)]


@pytest.fixture
def machine(chatgpt: LoopbackChatGPT, prepared_state: Path, tmp_path: Path) -> Machine:
    """A machine with the page's files, where somebody is signed in."""
    shutil.copytree(prepared_state, tmp_path / "state", symlinks=True)
    machine = Machine(chatgpt, tmp_path / "somebody", state=tmp_path / "state")
    chatgpt.sign_in(machine.home)
    (machine.folder / "questions.jsonl").write_text(JSON[0], encoding="utf-8")
    (machine.folder / "answer.json").write_text(JSON[1], encoding="utf-8")
    return machine


def same(printed: str) -> list[str]:
    """Lines without what differs from one run to the next."""
    printed = re.sub(r"\d+-\d\d-\d\d \d\d:\d\d \w+|(?:\w+ \d+\w\w, \d{4} )?\d+:\d\d [AP]M", "(a time)", printed)
    return re.sub(r"[\d.]+ m?s\b", "# s", printed).splitlines()


def primes(request: ModelRequest) -> Reply:
    return Json({"prime": "97" in request.text})


def fails_at_99(request: ModelRequest) -> Reply:
    return Empty() if "99" in request.text else primes(request)


def test_the_page_shows_what_happens(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    done, wrong, limit, in_use, changed, failed = map(same, TEXT)
    command, again = COMMANDS
    chatgpt.default = fails_at_99
    assert same(machine.run(*command)) == failed
    chatgpt.default = primes
    assert "3 of 3 done: 3 answered" in machine.run(*again)
    (machine.folder / "answers.jsonl").unlink()
    assert same(machine.run(*command)) == done
    lines = [json.loads(line) for line in (machine.folder / "answers.jsonl").read_bytes().splitlines()]
    own = next(line for line in lines if line["id"] == "ninety-one")
    shown = json.loads(JSON[2])
    assert {**own, "latency_ms": 0} == {**shown, "latency_ms": 0}
    assert list(own) == list(shown)

    (machine.folder / "questions.jsonl").write_text(JSON[0].replace("91", "93"), encoding="utf-8")
    assert same(machine.run(*command)) == changed

    five = "".join(json.dumps({"id": number, "prompt": f"Is {number} prime?"}) + "\n" for number in range(5))
    (machine.folder / "questions.jsonl").write_text(five, encoding="utf-8")
    (machine.folder / "answers.jsonl").unlink()
    chatgpt.script(Json({"prime": True}), Json({"prime": True}), usage_limit_reached(time.time() + 3600))
    assert same(machine.run(*command, "--concurrency", "1")) == limit

    chatgpt.default = Hang()
    seen = len(chatgpt.model_requests)
    with Piped(machine.environ | {"XDG_STATE_HOME": str(machine.state.parent)}, machine.folder, *command):
        chatgpt.wait_for_model_requests(seen + 3)
        assert same(machine.run(*command)) == in_use

    items = [{"id": "a", "prompt": "?"}, {"promt": "?"}, "?", {"id": "a", "prompt": "!"}]
    (machine.folder / "questions.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    assert same(machine.run(*command)) == wrong


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_answers_can_be_put_in_order(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = fails_at_99
    machine.run(*COMMANDS[0])
    chatgpt.default = primes
    machine.run(*COMMANDS[1])
    command = next(line for line in PAGE.splitlines() if line.startswith("jq "))
    sorted_lines = subprocess.run(command, shell=True, cwd=machine.folder, capture_output=True, timeout=30, check=True)
    found = [json.loads(line) for line in sorted_lines.stdout.splitlines()]
    assert [(line["line"], line["output"]["prime"]) for line in found] == [(1, False), (2, True), (3, False)]
