"""`codex-oauth batch`: what goes in, and what comes out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Empty, Hang, Json, LoopbackChatGPT, Text, model_unsupported
from tests.cli.batches import SCHEMA, answered, echo_but, numbered, results, write_questions
from tests.cli.people import Piped
from tests.conftest import RunCLI
from tests.test_images import PNG


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_each_item_has_its_answer(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path) -> None:
    questions = write_questions(tmp_path / "in.jsonl", [*numbered(20), "just a prompt", "", *numbered(0)][:21])
    done = run_cli("batch", questions, str(out))
    assert (done.returncode, done.stdout) == (0, b"")
    found = results(out)
    assert {one["id"]: one["text"] for one in found} == {
        **{f"q{number}": f"You said: number {number}" for number in range(20)},
        None: "You said: just a prompt",
    }
    assert sorted(one["line"] for one in found) == list(range(1, 22))
    for one in found:
        assert list(one) == [
            *("id", "line", "digest", "text", "model", "effort", "usage", "latency_ms", "repaired", "error"),
        ]
        assert one["usage"] == {"input": 100, "cached": 0, "output": 10, "reasoning": 0}
        assert one["latency_ms"] > 0
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "21 of 21 done: 21 answered"
    assert lines[1].startswith("this run: 21 in ")
    assert lines[1].endswith(" s, 2.10k tokens in, 210 out") or lines[1].endswith(" ms, 2.10k tokens in, 210 out")
    assert lines[2] == f"results: {out}"
    assert len(chatgpt.model_requests) == 21


def test_a_second_run_asks_nothing(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(5))
    assert run_cli("batch", questions, str(out)).returncode == 0
    seen, before = len(chatgpt.requests), out.read_bytes()
    done = run_cli("batch", questions, str(out))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode() == f"5 of 5 done: 5 answered\nresults: {out}\n"
    assert (len(chatgpt.requests), out.read_bytes()) == (seen, before)


def test_options_are_for_items_that_do_not_say_it_themselves(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (tmp_path / "a.png").write_bytes(PNG)
    own = {"type": "object", "properties": {"even": {"type": "boolean"}}, "required": ["even"]}
    items = [
        {"id": "plain", "prompt": "first"},
        {
            "id": "own",
            "prompt": "second",
            "instructions": "Mine.",
            "schema": own,
            "effort": "high",
            "images": ["a.png"],
        },
    ]
    chatgpt.default = lambda request: Json({"even" if "second" in request.text else "prime": True})
    questions = write_questions(tmp_path / "in.jsonl", items)
    options = ("--schema", str(tmp_path / "schema.json"), "--instructions", "Ours.")
    assert run_cli("batch", questions, str(out), *options).returncode == 0
    found = {one["id"]: one for one in results(out)}
    assert (found["plain"]["output"], found["own"]["output"]) == ({"prime": True}, {"even": True})
    assert (found["plain"]["effort"], found["own"]["effort"]) == ("low", "high")
    assert "text" not in found["plain"]
    plain, mine = sorted(chatgpt.model_requests, key=lambda request: "second" in request.text)
    assert "Ours." in json.dumps(list(plain.context))
    assert "Mine." in json.dumps(list(mine.context))
    assert "Ours." not in json.dumps(list(mine.context))
    assert "data:image/png;base64," in json.dumps(list(mine.context))


def test_an_item_that_fails_is_tried_three_times_and_asked_again_on_request(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(6))
    chatgpt.default = echo_but(lambda number: Empty() if number in (1, 4) else None)
    done = run_cli("batch", questions, str(out))
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "6 of 6 done: 4 answered, 2 failed (empty_reply 2)"
    assert lines[2] == "--retry-failed asks again what has failed"
    failed = {one["id"]: one["error"] for one in results(out) if one["error"]}
    assert set(failed) == {"q1", "q4"}
    assert {name: failed["q1"][name] for name in ("code", "retryable", "attempts")} == {
        "code": "empty_reply",
        "retryable": True,
        "attempts": 3,
    }
    assert "number" not in failed["q1"]["message"]
    asked = Counter(request.text for request in chatgpt.model_requests)
    assert asked == {f"number {number}": 3 if number in (1, 4) else 1 for number in range(6)}

    again = run_cli("batch", questions, str(out))
    assert again.returncode == 1
    assert again.stderr.decode().splitlines()[0] == lines[0]
    assert len(chatgpt.model_requests) == 10

    chatgpt.default = echo_but(lambda _: None)
    mended = run_cli("batch", questions, str(out), "--retry-failed")
    assert mended.returncode == 0
    assert mended.stderr.decode().splitlines()[0] == "6 of 6 done: 6 answered"
    assert len(chatgpt.model_requests) == 12
    assert answered(out) == {f"q{number}": f"You said: number {number}" for number in range(6)}
    assert run_cli("batch", questions, str(out)).returncode == 0


def test_what_cannot_succeed_is_asked_once(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    items = [{"prompt": "a", "schema": SCHEMA}, {"prompt": "b", "model": "no-such-model"}, "c"]
    questions = write_questions(tmp_path / "in.jsonl", items)
    chatgpt.default = lambda request: Json({"prime": "perhaps"}) if request.schema else Text("fine")
    assert run_cli("batch", questions, str(out)).returncode == 1
    found = {one["line"]: one["error"] and (one["error"]["code"], one["error"]["attempts"]) for one in results(out)}
    assert found == {1: ("output_validation", 1), 2: ("unknown_model", 1), 3: None}
    assert len(chatgpt.model_requests) == 3, "the first has one repair"
    assert b"perhaps" not in out.read_bytes()


def test_an_image_that_has_gone_fails_its_item_alone(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    questions = write_questions(tmp_path / "in.jsonl", ["number 0", {"prompt": "number 1", "images": ["a.png"]}])

    def answer(_: object) -> Text:
        (tmp_path / "a.png").unlink()
        return Text("fine")

    chatgpt.script(answer)
    with Piped(environ, tmp_path, "batch", questions, str(out), "--concurrency", "1") as command:
        assert command.end().returncode == 1
    first, second = results(out)
    assert (first["text"], second["error"]["code"]) == ("fine", "configuration")
    assert len(chatgpt.model_requests) == 1


def test_json_says_what_became_of_them(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(3))
    chatgpt.default = echo_but(lambda number: Empty() if number == 1 else None)
    done = run_cli("batch", questions, str(out), "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said.pop("seconds") > 0
    assert said == {
        "total": 3,
        "answered": 2,
        "failed": 1,
        "left": 0,
        "errors": {"empty_reply": 1},
        "usage": {"input": 200, "cached": 0, "output": 20, "reasoning": 0},
    }


def test_the_metrics_call_it_a_batch(run_cli: RunCLI, settings: Settings, tmp_path: Path, out: Path) -> None:
    assert run_cli("batch", write_questions(tmp_path / "in.jsonl", numbered(3)), str(out)).returncode == 0
    assert settings.metrics is not None
    lines = [json.loads(line) for line in settings.metrics.read_bytes().splitlines()]
    assert [line["command"] for line in lines] == ["batch"] * 3
    assert sorted(line["warm"] for line in lines) == [False, True, True], "one app-server serves them all"
    assert b"number" not in settings.metrics.read_bytes()


@pytest.mark.parametrize(
    ("items", "options", "complaint"),
    [
        (["fine", {"promt": "secret"}, 7], (), "in.jsonl: 2 lines are wrong; nothing was asked\n  line 2: unknown mem"),
        ([{"id": 1, "prompt": "a"}, {"id": 1, "prompt": "b"}], (), "  line 2: the same id as line 1\n"),
        (["a"], ("--schema", "none.json"), "none.json: cannot be read"),
        (["a"], ("--concurrency", "65"), "65 is not in the range"),
        (["a"], ("--model", "no-such-model"), "no-such-model"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(
    run_cli: RunCLI,
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    out: Path,
    items: list[object],
    options: tuple[str, ...],
    complaint: str,
) -> None:
    done = run_cli("batch", write_questions(tmp_path / "in.jsonl", items), str(out), *options)
    assert (done.returncode, done.stdout) == (2, b"")
    assert complaint in done.stderr.decode()
    assert b"secret" not in done.stderr
    assert chatgpt.model_requests == ()
    assert not out.exists() or out.read_bytes() == b""


def test_an_input_that_has_changed_is_refused(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(3))
    assert run_cli("batch", questions, str(out)).returncode == 0
    seen, before = len(chatgpt.model_requests), out.read_bytes()
    write_questions(tmp_path / "in.jsonl", [*numbered(2), {"id": "q2", "prompt": "number 9"}, *numbered(5)[3:]])
    done = run_cli("batch", questions, str(out))
    assert done.returncode == 2
    assert f"{questions} is not what {out} has results for (line 3)" in done.stderr.decode()
    assert run_cli("batch", str(out), questions).returncode == 2, "the two files, taken for each other"
    assert (len(chatgpt.model_requests), out.read_bytes()) == (seen, before)


def test_two_runs_do_not_share_an_output(
    environ: dict[str, str], run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(3))
    chatgpt.default = Hang()
    with Piped(environ, tmp_path, "batch", questions, str(out)):
        chatgpt.wait_for_model_requests(3)
        done = run_cli("batch", questions, str(out))
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == (
            f"codex-oauth: {out}: another run is adding to it; wait for its end, or name another output\n"
        )
        assert len(chatgpt.model_requests) == 3
    chatgpt.default = echo_but(lambda _: None)
    assert run_cli("batch", questions, str(out)).returncode == 0
    assert len(answered(out)) == 3


def test_a_model_that_the_account_may_not_use_stops_the_run(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path, out: Path
) -> None:
    chatgpt.default = model_unsupported("gpt")
    done = run_cli("batch", write_questions(tmp_path / "in.jsonl", numbered(30)), str(out), "--concurrency", "2")
    assert done.returncode == 1
    assert b"to go on, run the same command again" in done.stderr
    assert len(chatgpt.model_requests) <= 2
    assert results(out) == []
