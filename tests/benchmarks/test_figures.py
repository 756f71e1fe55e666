"""Medians, ratios and turns, and what is printed of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.figures import Case, Row, in_turns, median_of, quartiles
from benchmarks.reach import goals
from benchmarks.table import case_lines, heading_lines, reach_lines


def unheard(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def case(key: str, baseline: str = "", **medians: float) -> Case:
    rows = [Row(name, name.replace("_", "-"), "ours", [value]) for name, value in medians.items()]
    for row in rows:
        row.key = row.label
    return Case(key, f"The case {key}", "ms", rows, baseline)


def test_each_round_has_everybody_once_and_begins_with_another() -> None:
    order: list[tuple[str, int]] = []

    def named(name: str) -> Callable[[int], None]:
        return lambda number: order.append((name, number))

    in_turns([named(name) for name in "abc"], 3, unheard, warm_up=1)

    assert ["".join(name for name, number in order if number == turn) for turn in (-1, 0, 1, 2)] == [
        "cab",
        "abc",
        "bca",
        "cab",
    ]


def test_progress_counts_the_warm_up_too() -> None:
    told: list[tuple[int, int]] = []

    in_turns([lambda _: None], 2, lambda done, total: told.append((done, total)), warm_up=1)

    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("values", "expected"), [([], (0.0, 0.0)), ([4.0], (4.0, 4.0)), ([1.0, 2.0, 3.0, 4.0, 5.0], (2.0, 4.0))]
)
def test_the_middle_half_of_any_number_of_values_is_known(values: list[float], expected: tuple[float, float]) -> None:
    assert quartiles(values) == expected


def test_a_ratio_is_to_the_median_of_the_baseline() -> None:
    found = case("cold", "exec", classify=50.0, exec=200.0)

    assert found.ratio("classify") == 0.25
    assert found.ratio("nobody") is None
    assert found.to_json()["rows"]["classify"]["ratio"] == 0.25
    assert median_of([]) == 0.0


def test_a_goal_is_met_up_to_its_limit_and_unknown_without_a_measurement() -> None:
    cases = {"cold": case("cold", classify=90.0, exec=200.0, sdk=600.0), "many": case("many", ours=1.7)}

    found = {goal.what: goal for goal in goals(cases)}

    assert found["cold classify --json / codex exec"].met is True
    assert found["cold classify --json / an SDK script"].met is False
    assert found["64 one-second turns at once"].met is False
    assert found["warm complete() / the SDK kept open"].met is None
    assert found["  the same / codex exec on a lean home"].met is None


def test_a_hook_is_held_against_an_interpreter_and_a_warm_turn_together() -> None:
    cases = {"cold": case("cold", python=10.0, hook_served=30.0), "warm": case("warm", tuned=10.0)}

    found = {goal.what: goal.found for goal in goals(cases)}

    assert found["hook with the service warm / python -c pass + a warm tuned turn"] == 1.5


def test_the_endpoint_is_held_against_the_library_of_the_same_run() -> None:
    cases = {"endpoint": case("endpoint", "ours", ours=10.0, endpoint=15.0), "warm": case("warm", ours=20.0)}

    found = {goal.what: goal for goal in goals(cases)}["a warm chat call through the endpoint / warm complete()"]

    assert (found.found, found.met) == (1.5, False)


def test_a_table_is_aligned_and_leaves_out_who_was_not_measured() -> None:
    found = case("cold", "exec", classify=1050.0, exec=200.0)
    found.rows[0].more["CPU"] = 12.34
    found.rows.append(Row("gone", "gone", "peer"))
    found.notes.append("A note.")
    found.load = {"load_before": 1.5, "others_percent": 3.0}

    assert case_lines(found) == [
        "== The case cold",
        "             ms      25-75 %  least   ratio   CPU",
        "classify  1,050  1,050-1,050  1,050  5.25 x  12.3",
        "exec        200      200-200    200  1.00 x",
        "   A note.",
        "   Load: load before 1.5, others % 3",
    ]


def test_what_is_not_reached_is_said_loudly() -> None:
    lines = reach_lines(goals({"many": case("many", ours=1.7)}))

    burst = next(line for line in lines if line.startswith("64 one-second turns at once"))
    assert burst.split()[-6:] == ["1.6", "s", "1.70", "s", "NOT", "MET"]
    assert sum("not measured" in line for line in lines) > 5


def test_the_heading_names_the_machine_and_the_versions() -> None:
    about = {"cpus": 2, "cpu": "A processor", "memory_gib": 24, "system": "Linux", "python": "3.11.7"}

    assert heading_lines(about, {"codex": "0.163.0"}, "today") == [
        "today, 2 x A processor, 24 GiB, Linux",
        "Python 3.11.7, codex 0.163.0",
    ]
