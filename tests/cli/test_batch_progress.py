"""What `codex-oauth batch` shows while it runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codex_oauth.batch import Tally
from codex_oauth.cli.batch_progress import failures, measures
from codex_oauth.testing import Empty, Hang, LoopbackChatGPT, Reply
from codex_oauth.types import Usage
from tests.cli.batches import echo_but, numbered, write_questions
from tests.cli.people import Piped
from tests.cli.terminal import Terminal, run_in_terminal


def last_hangs(number: int) -> Reply | None:
    """Nine answers, two failures, and one that does not come."""
    return Hang() if number == 11 else Empty() if number in (3, 7) else None


@pytest.mark.usefixtures("settings")
def test_a_terminal_has_a_bar_with_all_that_counts(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(12))
    chatgpt.default = echo_but(last_hangs)
    with Terminal(environ, tmp_path, "batch", questions, "out.jsonl") as terminal:
        terminal.wait_for(r"11/12 [\d.]+/s 0:\d\d left 990 tokens")
        terminal.wait_for(r"1 being asked, 2 failed \(empty_reply 2\)")
        assert max(map(len, terminal.wait_for(r"(?s).*")[0].splitlines())) <= 80
        terminal.type("\x03")
        shown = terminal.end()
    assert "━━━" in shown.plain
    assert shown.text.count("\x1b[?25l") == shown.text.count("\x1b[?25h"), "the cursor is there again"
    assert shown.plain.rstrip().endswith("interrupted")


@pytest.mark.usefixtures("settings")
def test_the_bar_is_gone_at_the_end(environ: dict[str, str], tmp_path: Path) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(3))
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "batch", questions, "out.jsonl")
    assert shown.returncode == 0
    assert shown.text.endswith("results: out.jsonl\n")
    assert "\x1b[2K" in shown.text.partition("3 of 3 done")[0]
    assert not re.search(r"\x1b\[[\d;]*[34]\dm", shown.text), "no colours"


@pytest.mark.usefixtures("settings")
def test_without_a_terminal_there_is_a_line_now_and_then(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "in.jsonl", numbered(12))
    chatgpt.default = echo_but(last_hangs)
    with Piped(environ, tmp_path, "batch", questions, "out.jsonl") as command:
        line = command.said("/12")
        command.interrupt()
        command.end()
    assert re.fullmatch(
        r"11/12  [\d.]+/s  0:\d\d left  990 tokens, 2 failed \(empty_reply 2\)\n"
        r"|\d+/12  ([\d.]+/s  0:\d\d left  )?\d+ tokens(, \d failed \(empty_reply \d\))?\n",
        line,
    )


def test_failures_are_told_by_kind_the_most_frequent_first() -> None:
    tally = Tally(total=10)
    assert failures(tally) == ""
    tally.failures.update({"empty_reply": 1, "deadline_exceeded": 1_234})
    assert failures(tally) == ", 1,235 failed (deadline_exceeded 1,234, empty_reply 1)"


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, ["1,000/100,000", "1.50M tokens"]),
        (2.0, ["1,000/100,000", "2.0/s", "13:45:00 left", "1.50M tokens"]),
        (330.0, ["1,000/100,000", "330/s", "5:00 left", "1.50M tokens"]),
    ],
)
def test_the_measures_are_short(rate: float | None, words: list[str]) -> None:
    tally = Tally(total=100_000, answered=1_000, usage=Usage(input=1_400_000, output=100_000))
    assert measures(tally, rate) == words
