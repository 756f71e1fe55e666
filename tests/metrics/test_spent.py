"""Where the time went: what of a call is local and what the model's, step by step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.metrics import Phases
from codex_oauth.metrics.spent import LOCAL, PARTS, Spent, nearest_rank, steps_of
from codex_oauth.records import names
from tests.metrics.samples import call, request
from tests.metrics.test_report import json_of, report_of

COLD = {
    "read": 20.0, "policy": 25.0, "asked": 28.0,
    "spawn": 30.0, "initialize": 80.0, "account": 85.0, "thread": 92.0,
    "first_event": 95.0, "first_text": 700.0, "completed": 1092.0, "total": 1100.0,
}  # fmt: skip
WARM = {"read": 5.0, "policy": 9.0, "asked": 11.0, "thread": 12.0, "completed": 912.0, "total": 914.0}


def line(phases: dict[str, float], *, warm: bool = False, make: Any = request, **more: Any) -> dict[str, Any]:
    """A line of the metrics with these phases."""
    made = make(total=phases.get("total"), **more)
    return {**made, "phases": {**dict.fromkeys(made["phases"]), **phases}, "warm": warm}


def test_every_phase_is_that_of_a_step_or_of_the_turn() -> None:
    assert {*LOCAL, "first_event", "first_text", "completed"} == set(names(Phases))
    assert [step for steps in PARTS.values() for step in steps] == list(LOCAL)


def test_the_steps_of_a_call_are_together_all_of_it_and_the_turn_is_one_of_them() -> None:
    steps = steps_of(COLD)
    assert steps is not None
    assert steps == {
        "read": 20.0, "policy": 5.0, "asked": 3.0, "spawn": 2.0, "initialize": 50.0, "account": 5.0,
        "thread": 7.0, "completed": 1000.0, "total": 8.0,
    }  # fmt: skip
    assert sum(steps.values()) == COLD["total"]


def test_what_is_done_at_the_same_time_is_counted_once() -> None:
    # The process is started before anything else, and has answered when the question is there.
    steps = steps_of({**COLD, "spawn": 2.0, "initialize": 27.0})
    assert steps is not None
    assert (steps["spawn"], steps["read"], steps["initialize"], steps["asked"]) == (2.0, 18.0, 2.0, 1.0)
    assert sum(steps.values()) == COLD["total"]
    # A thread that had been started ahead, and a question that came later.
    steps = steps_of({**WARM, "thread": 0.0})
    assert steps is not None
    assert (steps["thread"], steps["asked"], steps["completed"]) == (0.0, 2.0, 901.0)


@given(st.lists(st.floats(0, 1e6), min_size=12, max_size=12).map(sorted), st.sets(st.sampled_from(list(LOCAL)[:-1])))
def test_whatever_is_passed_the_steps_are_never_less_than_nothing_and_all_of_it(
    times: list[float], passed: set[str]
) -> None:
    phases = dict(zip([*LOCAL, "x", "y", "z"], times, strict=True))
    phases = {name: phases[name] for name in (*passed, "thread", "total")}
    steps = steps_of({**phases, "completed": (phases["thread"] + phases["total"]) / 2})
    assert steps is not None
    assert min(steps.values()) >= 0
    assert sum(steps.values()) == pytest.approx(phases["total"])


@pytest.mark.parametrize(
    "changed",
    [
        {"thread": None},
        {"completed": None},
        {"total": None},
        {"thread": 1200.0},
        {"completed": 1200.0},
    ],
    ids=str,
)
def test_a_call_that_has_no_turn_in_it_is_not_measured(changed: dict[str, Any]) -> None:
    phases = {name: at for name, at in {**COLD, **changed}.items() if at is not None}
    assert steps_of(phases) is None
    spent = Spent()
    spent.add(phases, whole=True)
    assert (spent.calls, spent.share, spent.means()) == (0, None, {})


def test_times_are_rounded_and_may_seem_to_be_out_of_order() -> None:
    assert steps_of({**WARM, "total": 911.95}) is not None


@pytest.mark.parametrize(("values", "half"), [([], None), ([3.0], 3.0), ([1.0, 2.0, 9.0], 2.0), ([1.0, 2.0], 1.0)])
def test_a_percentile_is_one_of_the_values(values: list[float], half: float | None) -> None:
    assert nearest_rank(values, 50) == half


def test_a_report_tells_local_time_from_the_models_and_warm_from_cold() -> None:
    (warm, cold, other) = json_of(
        *[line(WARM, warm=True)] * 3,
        line({**WARM, "completed": 5912.0, "total": 5914.0}, warm=True),
        line(COLD),
        line({name: at for name, at in COLD.items() if name not in ("read", "policy", "asked")}, make=call),
    )["time"]
    assert (warm["kind"], warm["warm"], warm["count"]) == ("requests", True, 4)
    assert (warm["local_ms"], warm["model_ms"]) == ({"p50": 14.0, "p95": 14.0}, {"p50": 900.0, "p95": 5900.0})
    assert warm["local_share"] == round(56 / (56 + 2700 + 5900), 4)
    assert [step["step"] for step in warm["steps"]] == ["read", "policy", "asked", "thread", "total"]
    assert warm["steps"][0] == {"step": "read", "count": 4, "p50": 5.0, "p95": 5.0}
    assert (cold["warm"], cold["local_ms"]["p50"], cold["model_ms"]["p50"]) == (False, 100.0, 1000.0)
    assert (other["kind"], other["steps"][0]) == ("calls", {"step": "spawn", "count": 1, "p50": 30.0, "p95": 30.0})


def test_what_failed_what_was_kept_and_what_has_no_phases_is_left_out() -> None:
    failed = line(COLD, source="failure", rule=None, outcome="error", error="overloaded")
    kept = {**line({"read": 1.0, "total": 3.0}), "cached": True}
    report = json_of(failed, kept, request(), call(), {**request(), "phases": None})
    assert report["time"] == []
    assert report["totals"]["cached"] == 1
    # Neither the failure nor what was kept was waited for as a verdict is.
    assert report["totals"]["latency_ms"]["count"] == 1


def test_a_request_that_shared_a_call_is_measured_and_counted() -> None:
    report = json_of({**line({**WARM, "thread": 11.0}, warm=True), "shared": True})
    assert (report["totals"]["shared"], report["time"][0]["count"]) == (1, 1)


def test_a_request_of_an_earlier_version_has_no_steps() -> None:
    # All but its total counted from the beginning of the call within it.
    earlier = {name: at for name, at in WARM.items() if name not in ("read", "policy", "asked")}
    old = line({**earlier, "total": 950.0})
    del old["warm"]
    (spent,) = json_of(old)["time"]
    assert (spent["warm"], spent["local_ms"]["p50"], spent["steps"]) == (False, 50.0, [])


def test_an_average_call_is_made_of_parts_that_add_up() -> None:
    spent = report_of(line(COLD), line({**COLD, "queued": 29.0})).spent["requests", False]
    assert spent.means() == {"before": 28.0, "opening": 64.0, "after": 8.0, "turn": 1000.0}
