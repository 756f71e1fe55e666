"""What a request's line says of its phases: from its beginning to its end, with those of the call within it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.gate.journal import Journal
from codex_oauth.gate.verdict import Verdict
from codex_oauth.metrics import read
from codex_oauth.types import Timing


def verdict(**timing: float) -> Verdict:
    return Verdict(behavior="allow", reason="r", rule="read-only", source="model", timing=Timing(**timing))


def written(journal: Journal, path: Path, judged: Verdict) -> dict[str, Any]:
    journal.judged(judged)
    (entry,) = read(path)
    return entry["phases"]


def test_the_phases_of_a_call_count_from_the_requests_beginning(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    journal = Journal(path, command="hook", host="claude", began=time.perf_counter() - 5)
    for step in ("read", "policy", "asked"):
        journal.reached(step)
    phases = written(journal, path, verdict(thread=10.0, completed=20.0, total=21.0))
    assert 5_000 <= phases["read"] <= phases["policy"] <= phases["asked"]
    assert phases["thread"] == pytest.approx(phases["asked"] + 10, abs=0.2)
    assert phases["completed"] == pytest.approx(phases["asked"] + 20, abs=0.2)
    # Its own end, not the call's.
    assert phases["asked"] <= phases["total"] < phases["completed"]
    assert phases["spawn"] is None


def test_a_call_that_was_begun_before_the_question_was_there_counts_from_its_own_beginning(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    began = time.perf_counter() - 5
    journal = Journal(path, command="hook", host="claude", began=began)
    journal.reached("asked")
    journal.called = began + 1
    phases = written(journal, path, verdict(spawn=2.0, thread=4_500.0, completed=4_600.0))
    assert phases["spawn"] == pytest.approx(1_002, abs=0.2)
    assert phases["thread"] == pytest.approx(5_500, abs=0.2)


def test_a_process_that_ran_before_the_request_is_no_time_of_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    journal = Journal(path, command="hook", host="claude")
    journal.called = time.perf_counter() - 5
    assert written(journal, path, verdict(spawn=2.0))["spawn"] == 0


@pytest.mark.parametrize("seconds", [-10_000.0, 60.0, float("nan")])
def test_a_beginning_that_cannot_be_is_now(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "metrics.jsonl"
    journal = Journal(path, command="hook", host="claude", began=time.perf_counter() + seconds)
    assert written(journal, path, verdict())["total"] < 5_000


def test_who_made_the_call_is_told(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    Journal(path, command="hook", host="claude", served="service").judged(verdict())
    (entry,) = read(path)
    assert (entry["served"], entry["cached"], entry["shared"]) == ("service", False, False)
