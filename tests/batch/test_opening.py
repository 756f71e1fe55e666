"""A batch made ready: what is wrong with its input or its output, said before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.batch import Defaults, Tally, open_batch
from codex_oauth.batch.tally import Pace
from codex_oauth.errors import ConfigurationError, OutputSchemaError


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def write(path: Path, *values: Any) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def answer(
    questions: Path,
    answers: Path,
    *,
    failing: Sequence[int] = (),
    most: int = 1000,
    retry_failed: bool = False,
    defaults: Defaults | None = None,
) -> list[int]:
    """Give every item that is left a result, and say which they were."""
    asked: list[int] = []
    with open_batch(questions, answers, defaults=defaults, retry_failed=retry_failed) as batch:
        for item in batch.items():
            if len(asked) == most:
                break
            asked.append(item.line)
            error = {"code": "empty_reply"} if item.line in failing else None
            batch.results.add({"id": item.id, "line": item.line, "digest": item.digest, "error": error})
    return asked


def tally_of(questions: Path, answers: Path, **options: Any) -> Tally:
    with open_batch(questions, answers, **options) as batch:
        return batch.tally


def test_all_that_is_wrong_is_said_at_once_and_no_output_is_made(questions: Path, answers: Path) -> None:
    write(questions, "fine", {"id": "a", "prompt": "?"}, {"promt": "secret words"}, {"id": "a", "prompt": "!"}, 3)
    with pytest.raises(ConfigurationError) as caught:
        tally_of(questions, answers)
    assert caught.value.message.splitlines() == [
        f"{questions}: 3 lines are wrong; nothing was asked",
        "  line 3: unknown member 'promt'; did you mean 'prompt'?",
        "  line 4: the same id as line 2",
        "  line 5: neither an object with a 'prompt' nor a string that is one",
    ]
    assert not answers.exists()


def test_of_many_wrong_lines_the_first_are_said(questions: Path, answers: Path) -> None:
    write(questions, *[{}] * 1234)
    with pytest.raises(ConfigurationError) as caught:
        tally_of(questions, answers)
    lines = caught.value.message.splitlines()
    assert lines[0].endswith(": 1,234 lines are wrong; nothing was asked")
    assert len(lines) == 22
    assert lines[-1] == "  and 1,214 more"


def test_a_schema_for_all_is_looked_at_first(questions: Path, answers: Path) -> None:
    write(questions, "?")
    with pytest.raises(OutputSchemaError):
        tally_of(questions, answers, defaults=Defaults(schema={"type": "objekt"}))


def test_an_empty_input_has_nothing_to_do(questions: Path, answers: Path) -> None:
    questions.write_bytes(b"\n")
    assert tally_of(questions, answers) == Tally(total=0)


def test_what_is_done_is_not_left(questions: Path, answers: Path) -> None:
    write(questions, "one", {"id": 7, "prompt": "two"}, "three", {"id": "d", "prompt": "four"})
    assert answer(questions, answers, most=2, failing=[2]) == [1, 2]
    tally = tally_of(questions, answers)
    assert (tally.total, tally.answered, tally.failures, tally.left) == (4, 1, {"empty_reply": 1}, 2)
    assert answer(questions, answers) == [3, 4]
    assert answer(questions, answers) == []


def test_what_has_failed_is_asked_again_on_request_and_its_last_line_counts(questions: Path, answers: Path) -> None:
    write(questions, "one", "two", "three")
    answer(questions, answers, failing=[1, 3])
    assert tally_of(questions, answers, retry_failed=True) == Tally(total=3, answered=1)
    assert answer(questions, answers, retry_failed=True, failing=[3]) == [1, 3]
    assert tally_of(questions, answers).failures == {"empty_reply": 1}
    assert answer(questions, answers, retry_failed=True) == [3]
    assert tally_of(questions, answers) == Tally(total=3, answered=3)
    assert len(answers.read_bytes().splitlines()) == 6


def test_an_item_with_an_id_may_move_and_the_input_may_grow(questions: Path, answers: Path) -> None:
    write(questions, {"id": "a", "prompt": "one"}, {"id": "b", "prompt": "two"})
    answer(questions, answers)
    write(questions, {"id": "c", "prompt": "three"}, {"id": "b", "prompt": "two"}, {"id": "a", "prompt": "one"})
    assert answer(questions, answers) == [1]


def test_another_question_under_the_same_name_is_refused(questions: Path, answers: Path) -> None:
    write(questions, "one", {"id": "b", "prompt": "two"}, "three")
    answer(questions, answers, most=2)
    before = answers.read_bytes()
    for changed, line in (
        (["uno", {"id": "b", "prompt": "two"}, "three"], "line 1"),
        (["one", {"id": "b", "prompt": "dos"}, "three"], "line 2"),
        (["new", "one", {"id": "b", "prompt": "two"}, "three"], "line 1"),
    ):
        write(questions, *changed)
        with pytest.raises(ConfigurationError, match=rf"is not what .* has results for \({line}\).*; undo that, or"):
            tally_of(questions, answers)
    write(questions, "one", {"id": "b", "prompt": "two"}, "three")
    with pytest.raises(ConfigurationError, match=r"\(lines 1, 2\).*--instructions, --schema, --model and --effort"):
        tally_of(questions, answers, defaults=Defaults(instructions="Be brief."))
    assert answers.read_bytes() == before
    assert answer(questions, answers) == [3]


def test_a_failed_item_may_be_changed_to_be_asked_again(questions: Path, answers: Path) -> None:
    write(questions, "one", "two")
    answer(questions, answers, failing=[2])
    write(questions, "one", "two, in other words")
    with pytest.raises(ConfigurationError, match="--retry-failed asks what has failed as it is now"):
        tally_of(questions, answers)
    assert answer(questions, answers, retry_failed=True) == [2]
    assert tally_of(questions, answers) == Tally(total=2, answered=2)


def test_answers_to_other_questions_are_refused_and_failures_are_not(questions: Path, answers: Path) -> None:
    write(questions, {"id": "a", "prompt": "one"}, {"id": "b", "prompt": "two"})
    answer(questions, answers, failing=[2])
    write(questions, {"id": "a", "prompt": "one"})
    assert tally_of(questions, answers) == Tally(total=1, answered=1)
    write(questions, {"id": "b", "prompt": "two"})
    with pytest.raises(ConfigurationError, match=r"has an answer \(for line 1\) to what .* does not ask"):
        tally_of(questions, answers)


def test_the_input_is_no_output(questions: Path, tmp_path: Path) -> None:
    write(questions, {"id": "a", "prompt": "one"})
    before = questions.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(questions)
    for same in (questions, tmp_path / "link.jsonl"):
        with pytest.raises(ConfigurationError, match="is the input: name another output"):
            tally_of(questions, same)
    assert questions.read_bytes() == before


def test_an_input_that_changes_while_it_is_asked_is_noticed(questions: Path, answers: Path) -> None:
    write(questions, *[f"{number} {'x' * 100_000}" for number in range(5)])
    with open_batch(questions, answers) as batch:
        items = batch.items()
        next(items)
        write(questions, "another")
        with pytest.raises(ConfigurationError, match=r"line \d was changed while the batch ran"):
            list(items)


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    now = 100.0
    pace = Pace(lambda: now)
    assert pace.rate(50) is None
    now = 100.1
    assert pace.rate(51) is None
    now = 102.0
    assert pace.rate(54) == pytest.approx(2.0)
    for _ in range(1000):
        now += 0.1
        pace.rate(54)
    assert pace.rate(54) is None
    now += 10
    assert pace.rate(354) == pytest.approx(10.0, rel=0.1)
