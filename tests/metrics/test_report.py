"""What a report counts: verdicts, rates, percentiles, days, and what it makes of lines that are no entries."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth import errors
from codex_oauth.errors import CodexOAuthError
from codex_oauth.metrics.not_judged import REMEDIES
from codex_oauth.metrics.records import asked_for
from codex_oauth.metrics.report import Report, build
from codex_oauth.metrics.series import days_of, series_of
from codex_oauth.metrics.tally import Call
from codex_oauth.metrics.words import percent, span, tokens, visible
from tests.metrics.samples import BERLIN, NOW, call, request

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/metrics-report.schema.json").read_text(encoding="utf-8"))
VALIDATOR: Any = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def report_of(
    *lines: dict[str, Any] | None, days: int = 7, top: int = 10, host: str | None = None, now: datetime = NOW
) -> Report:
    report = build(lines, days=days, top=top, host=host, now=now)
    VALIDATOR.validate(report.to_json())
    return report


def json_of(*lines: dict[str, Any] | None, **options: Any) -> dict[str, Any]:
    return report_of(*lines, **options).to_json()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_without_entries_everything_is_zero_or_null() -> None:
    report = json_of()
    assert report["period"] == {
        "days": 7,
        "from": "2026-07-09T00:00:00+02:00",
        "to": "2026-07-15T18:30:00+02:00",
        "first_entry": None,
        "last_entry": None,
        "skipped_lines": 0,
    }
    assert report["totals"] == {
        **dict.fromkeys(("requests", "automated", "allow", "deny", "ask", "unanswered"), 0),
        **dict.fromkeys(("questions", "forced", "errors", "cached", "shared"), 0),
        "automation_rate": None,
        "latency_ms": {"count": 0, "p50": None, "p95": None, "p99": None},
        "tokens": {"input": 0, "cached": 0, "output": 0, "reasoning": 0},
    }
    assert [day["date"] for day in report["days"]] == [f"2026-07-{day:02d}" for day in range(9, 16)]
    lists = ("tools", "rules", "time", "top_asked", "top_denied", "not_judged", "errors", "calls")
    assert all(report[name] == [] for name in lists)
    assert report["host"] is None


def test_verdicts_are_counted_and_together_are_all_requests() -> None:
    totals = report_of(
        *[request("allow")] * 5,
        *[request("deny", rule="destroy")] * 2,
        request("ask"),
        request("error", source="failure", outcome="error", error="deadline"),
    ).totals
    assert totals.verdicts() == {"allow": 5, "deny": 2, "ask": 1, "unanswered": 1}
    assert sum(totals.verdicts().values()) == totals.calls == 9
    assert totals.automation_rate == pytest.approx(7 / 9)


def test_a_question_to_the_person_is_asked_but_not_in_the_rate_the_latency_or_the_lists() -> None:
    question = request("ask", tool="AskUserQuestion", source="rule", rule=None, total=1.0)
    report = json_of(request("allow"), request("ask", source="contradiction", rule=None), question)
    totals = report["totals"]
    assert (totals["requests"], totals["ask"], totals["questions"]) == (3, 2, 1)
    assert totals["automation_rate"] == 0.5
    assert totals["latency_ms"] == {"count": 2, "p50": 1000.0, "p95": 1000.0, "p99": 1000.0}
    assert [command["tool"] for command in report["top_asked"]] == ["Bash"]
    assert sum(rule["count"] for rule in report["rules"]) == 2
    assert json_of(question)["totals"]["automation_rate"] is None


def test_what_was_forced_and_what_failed_is_counted_beside_its_verdict() -> None:
    report = json_of(
        request("ask", source="truncated"),
        request("deny", source="failure", rule=None, outcome="error", error="usage_limit_reached"),
        request("allow"),
    )
    totals = report["totals"]
    assert (totals["forced"], totals["errors"], totals["ask"], totals["deny"]) == (2, 1, 1, 1)
    assert report["errors"] == [
        {"code": "usage_limit_reached", "requests": 1, "calls": 0, "remedy": "codex-oauth limits"}
    ]


def failure(verdict: Literal["deny", "ask", "error"], error: str, **more: Any) -> dict[str, Any]:
    return request(verdict, source="failure", rule=None, outcome="error", error=error, **more)


def test_an_outage_is_no_automation_though_the_policy_denies_then() -> None:
    report = json_of(*[failure("deny", "not_logged_in", total=3.0)] * 9)
    totals = report["totals"]
    assert (totals["automation_rate"], totals["automated"], totals["deny"], totals["errors"]) == (0, 0, 9, 9)
    assert totals["latency_ms"]["count"] == 0
    assert report["top_denied"] == []
    again = json_of(failure("deny", "not_logged_in"), request("allow"))["totals"]
    assert (again["automation_rate"], again["latency_ms"]["count"]) == (0.5, 1)


@pytest.mark.parametrize(
    ("source", "automated"),
    [("model", 1), ("uncertain", 1), ("nobody", 1), ("failure", 0), ("escalated", 0), ("something later", 0)],
)
def test_only_a_decision_of_the_policys_is_automated(source: str, automated: int) -> None:
    line = request("deny", source="failure")
    line["gate"]["source"] = source
    assert json_of(line)["totals"]["automated"] == automated


def test_what_no_rule_would_change_is_in_a_list_of_its_own_with_the_reason_and_what_helps() -> None:
    report = json_of(
        *[request("ask", "git push", rule="outward", source=source) for source in ("model", "truncated")],
        request("ask", "git push", rule=None, source="contradiction"),
        *[failure("deny", "not_logged_in", command="git push")] * 3,
        *[request("ask", "git push", rule="destroy", source="escalated")] * 2,
        failure("error", "deadline_exceeded", command="make"),
        request("deny", "npm publish", rule="outward", source="nobody"),
    )
    assert [(found["command"], found["count"]) for found in report["top_asked"]] == [("git push", 3)]
    assert [found["command"] for found in report["top_denied"]] == ["npm publish"]
    told = [(found["command"], found["count"], found["reason"], found["remedy"]) for found in report["not_judged"]]
    assert told == [
        ("git push", 3, "not_logged_in", "codex-oauth login"),
        ("git push", 2, "escalated", None),
        ("make", 1, "deadline_exceeded", None),
    ]


def test_every_remedy_is_for_an_error_that_there_is() -> None:
    codes = {
        kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CodexOAuthError)
    }
    assert set(REMEDIES) <= codes


def test_what_was_judged_by_hand_is_a_call_and_no_request_of_a_host() -> None:
    report = json_of(
        request("allow"),
        request("deny", by="classify"),
        failure("error", "overloaded", by="classify"),
        request("ask", by="classify", source="rule", rule=None, total=1.0),
    )
    assert (report["totals"]["requests"], report["totals"]["automation_rate"]) == (1, 1)
    assert [(found["command"], found["calls"], found["errors"]) for found in report["calls"]] == [("classify", 3, 1)]
    assert report["calls"][0]["latency_ms"]["count"] == 1
    assert report["errors"] == [{"code": "overloaded", "requests": 0, "calls": 1, "remedy": None}]
    assert report["top_denied"] == report["tools"][1:] == []


def test_a_request_that_could_not_be_read_has_an_unknown_tool_and_no_policy() -> None:
    line = failure("ask", "configuration", tool="", policy=None, tool_input=None)
    report = json_of(line)
    assert (line["gate"]["tool"], line["gate"]["policy"]) == ("unknown", None)
    assert report["not_judged"] == [
        {
            "tool": "unknown",
            "command": "",
            "count": 1,
            "reason": "configuration",
            "remedy": "codex-oauth gate check",
        }
    ]
    assert [tool["tool"] for tool in report["tools"]] == ["unknown"]


def test_the_requests_of_one_host_can_be_counted_alone() -> None:
    lines = [request(host="claude"), request(host="codex"), request(host="codex"), request(), call()]
    assert [json_of(*lines, host=host)["totals"]["requests"] for host in (None, "claude", "codex")] == [4, 1, 2]
    assert json_of(*lines, host="codex")["calls"] == []
    assert json_of(*lines, host="codex")["host"] == "codex"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], (7, 7, 7)),
        ([2, 1], (1, 2, 2)),
        (list(range(1, 101)), (50, 95, 99)),
        (list(range(1, 102)), (51, 96, 100)),
        ([*[100] * 98, 5_000, 9_000], (100, 100, 5_000)),
    ],
    ids=["one", "two", "a hundred", "a hundred and one", "a tail"],
)
def test_percentiles_are_nearest_rank(values: list[int], expected: tuple[int, int, int]) -> None:
    latency = json_of(*(request(total=float(value)) for value in reversed(values)))["totals"]["latency_ms"]
    assert (latency["p50"], latency["p95"], latency["p99"]) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from((50, 95, 99)))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values: list[float], rank: int) -> None:
    found = Call(latencies=[*values]).percentile(rank)
    assert found in values
    assert sum(value <= found for value in values) >= rank / 100 * len(values) - 1e-9
    assert sum(value < found for value in values) < rank / 100 * len(values)


def test_what_was_not_measured_is_in_no_percentile() -> None:
    assert json_of(request(total=None), request(total=20.0))["totals"]["latency_ms"]["count"] == 1


def test_tokens_are_added_up() -> None:
    assert json_of(*[request()] * 3)["totals"]["tokens"] == {"input": 300, "cached": 120, "output": 30, "reasoning": 12}


def test_a_day_begins_at_local_midnight() -> None:
    midnight = datetime(2026, 7, 14, tzinfo=BERLIN)
    report = report_of(
        request(time=midnight - timedelta(milliseconds=1)),
        request(time=midnight),
        request(time=midnight.astimezone(UTC) + timedelta(hours=23, minutes=59)),
    )
    counts = {day.isoformat(): tally.calls for day, tally in report.days.items() if tally.calls}
    assert counts == {"2026-07-13": 1, "2026-07-14": 2}


@pytest.mark.parametrize(
    ("day", "hours"), [(29, 23), (28, 24)], ids=["the day the clocks go forward", "the day before"]
)
def test_a_day_has_as_many_hours_as_the_clock_gives_it(day: int, hours: int) -> None:
    # Clocks in Berlin go forward on 29 March 2026.
    start = datetime(2026, 3, day, tzinfo=BERLIN).astimezone(UTC)
    lines = [request(time=start + timedelta(hours=hour)) for hour in range(hours + 1)]
    report = report_of(*lines, now=datetime(2026, 3, 30, 12, tzinfo=BERLIN))
    counts = [tally.calls for tally in report.days.values() if tally.calls]
    assert counts == [hours, 1]


def test_the_first_day_of_a_period_begins_at_its_own_midnight_not_todays_offset() -> None:
    report = json_of(now=datetime(2026, 3, 30, 12, tzinfo=BERLIN))
    assert report["period"]["from"] == "2026-03-24T00:00:00+01:00"
    assert report["period"]["to"] == "2026-03-30T12:00:00+02:00"


def test_what_is_older_or_from_tomorrow_is_not_counted() -> None:
    report = report_of(
        request(ago=timedelta(days=7)), request(ago=timedelta(days=6)), request(ago=-timedelta(days=1)), days=7
    )
    assert report.totals.calls == 1
    assert report.skipped == 0


def test_one_day_is_today() -> None:
    report = report_of(request(), request(ago=timedelta(days=1)), days=1)
    assert report.totals.calls == 1
    assert [moment.tally.calls for moment in series_of(report).moments] == [*[0] * 18, 1, *[0] * 5]


BAD: list[Any] = [
    None,
    {},
    {**request(), "time": "yesterday"},
    {**request(), "time": "2026-07-15T12:00:00"},
    {**request(), "time": 1},
    {**request(), "time": "0001-01-01T00:00:00+14:00"},
    {**request(), "command": None},
    {**request(), "outcome": "perhaps"},
    {**request(), "gate": "text"},
    {**request(), "gate": []},
    {**request(), "gate": {}},
    {**request(), "gate": {**request()["gate"], "verdict": "maybe"}},
    {**request(), "gate": {**request()["gate"], "verdict": []}},
    {**request(), "gate": {**request()["gate"], "tool": 7}},
]


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_a_line_that_is_no_entry_is_skipped_and_counted(line: dict[str, Any] | None) -> None:
    report = report_of(line, request())
    assert (report.skipped, report.totals.calls) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"phases": None, "tokens": None},
        {"phases": {"total": "long"}, "tokens": {"input": "many", "output": -3}},
        {"phases": {"total": math.nan}, "tokens": {"input": 10**400}},
        {"phases": {"total": -1}, "tokens": {}},
        {"phases": {"total": 10**400}, "tokens": {"input": 1.5}},
        {"error": ["list"]},
        {"something": "that a later version adds"},
    ],
    ids=["null", "words", "nan", "negative", "huge", "list", "later"],
)
def test_a_wrong_number_counts_for_nothing_and_spoils_nothing(wrong: dict[str, Any]) -> None:
    report = report_of({**request(), **wrong})
    assert (report.skipped, report.totals.calls) == (0, 1)
    json.dumps(report.to_json(), allow_nan=False)


def test_a_line_of_an_earlier_version_is_a_call_that_is_not_the_gates() -> None:
    report = json_of(
        call(), call(outcome="error", error="overloaded"), call("stream", outcome="cancelled"), request("allow")
    )
    assert report["totals"]["requests"] == 1
    assert report["calls"] == [
        {
            "command": "complete",
            "calls": 2,
            "ok": 1,
            "errors": 1,
            "cancelled": 0,
            "latency_ms": {"count": 1, "p50": 500.0, "p95": 500.0, "p99": 500.0},
            "tokens": {"input": 14, "cached": 0, "output": 6, "reasoning": 0},
        },
        {
            "command": "stream",
            "calls": 1,
            "ok": 0,
            "errors": 0,
            "cancelled": 1,
            "latency_ms": {"count": 1, "p50": 500.0, "p95": 500.0, "p99": 500.0},
            "tokens": {"input": 7, "cached": 0, "output": 3, "reasoning": 0},
        },
    ]
    assert report["errors"] == [{"code": "overloaded", "requests": 0, "calls": 1, "remedy": None}]


def test_commands_are_grouped_by_tool_and_words_and_the_most_frequent_come_first() -> None:
    report = json_of(
        *[request("ask", "git  push\n origin", rule="outward")] * 2,
        request("ask", "git push origin", rule="privilege"),
        request("ask", "git push origin", tool="PowerShell"),
        request("ask", "git push upstream"),
        *[request("deny", "rm -rf /", rule="destroy")] * 4,
        request("allow", "ls"),
    )
    assert report["top_asked"] == [
        {"tool": "Bash", "command": "git push origin", "count": 3, "rule": "outward", "source": "model"},
        {"tool": "Bash", "command": "git push upstream", "count": 1, "rule": "read-only", "source": "model"},
        {"tool": "PowerShell", "command": "git push origin", "count": 1, "rule": "read-only", "source": "model"},
    ]
    assert [(found["command"], found["count"]) for found in report["top_denied"]] == [("rm -rf /", 4)]


@pytest.mark.parametrize("top", [0, 1, 3])
def test_the_lists_are_as_long_as_one_likes(top: int) -> None:
    report = json_of(*(request("ask", f"make {number}") for number in range(5)), top=top)
    assert len(report["top_asked"]) == top


def test_rules_come_with_the_verdicts_that_rested_on_them() -> None:
    report = json_of(
        *[request("allow")] * 3, request("ask", source="truncated"), request("ask", source="uncertain", rule=None)
    )
    assert report["rules"] == [
        {"rule": "read-only", "count": 4, "allow": 3, "deny": 0, "ask": 1, "unanswered": 0},
        {"rule": None, "count": 1, "allow": 0, "deny": 0, "ask": 1, "unanswered": 0},
    ]


@pytest.mark.parametrize(
    ("tool", "tool_input", "shown"),
    [
        ("Bash", {"command": "cat <<E\n  a\tb\nE", "description": "Shows"}, "cat <<E a b E"),
        ("shell", {"command": ["bash", "-lc", "ls -l"]}, "bash -lc 'ls -l'"),
        (
            "apply_patch",
            {"command": "*** Begin Patch\n*** Add File: a b.txt\n+x\n*** Delete File: c\n*** End Patch"},
            "add a b.txt, delete c",
        ),
        ("apply_patch", {"command": "no patch"}, "no patch"),
        ("Edit", {"file_path": "/w/a.py", "old_string": "x", "new_string": "y"}, "/w/a.py"),
        ("Grep", {"pattern": "TODO", "path": "src"}, "src TODO"),
        ("WebFetch", {"url": "https://example.com/"}, "https://example.com/"),
        ("mcp__s__t", {"path": "/x", "n": 1, "description": "words"}, '{"path": "/x", "n": 1}'),
        ("Task", {"description": "words"}, ""),
        ("Bash", {"command": 7}, '{"command": 7}'),
        ("odd", "  some \n text", "some text"),
        ("odd", [1, 2], "[1, 2]"),
        ("odd", None, ""),
    ],
    ids=repr,
)
def test_a_request_is_told_in_one_line(tool: str, tool_input: object, shown: str) -> None:
    assert asked_for(tool, tool_input) == shown


def test_an_input_that_is_nested_too_deeply_to_be_written_again_is_told_in_part() -> None:
    nested: Any = "x"
    for _ in range(50_000):
        nested = {"a": nested}
    assert "nested too deeply" in asked_for("odd", nested)


@pytest.mark.parametrize(
    ("days", "unit", "moments"),
    [(1, "hour", 24), (2, "hour", 48), (3, "day", 3), (62, "day", 62), (63, "week", 9), (65, "week", 10)],
)
def test_time_is_divided_into_as_many_parts_as_can_be_read(days: int, unit: str, moments: int) -> None:
    report = report_of(request(), request(ago=timedelta(days=days - 1)), days=days)
    series = series_of(report)
    assert (series.unit, len(series.moments)) == (unit, moments)
    counts = [moment.tally.calls for moment in series.moments]
    assert sum(counts) == 2
    assert unit == "hour" or (counts[0], counts[-1]) == (1, 1)
    assert sum(len(moment.tally.latencies) for moment in series.moments) == 2


@pytest.mark.parametrize(
    ("hours_ago", "unit", "moments", "when"),
    [
        ((0,), "hour", 24, "15 July"),
        ((0, 18), "hour", 24, "15 July"),
        ((2, 19), "hour", 48, "14 July to 15 July"),
        ((0, 45), "hour", 46, "13 July to 15 July"),
        ((0, 48), "day", 30, ""),
    ],
)
def test_what_happened_within_two_days_is_told_by_the_hour_in_a_longer_report_too(
    hours_ago: tuple[int, ...], unit: str, moments: int, when: str
) -> None:
    series = series_of(report_of(*(request(ago=timedelta(hours=hours)) for hours in hours_ago), days=30))
    assert (series.unit, len(series.moments), series.when) == (unit, moments, when)
    assert series.per == (f"hour, {when}" if when else "day")
    assert sum(moment.tally.calls for moment in series.moments) == len(hours_ago)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (1, "Wednesday, 15 July 2026"),
        (7, "7 days, 9 July to 15 July 2026"),
        (365, "365 days, 16 July 2025 to 15 July 2026"),
    ],
)
def test_a_period_is_told_in_words(days: int, words: str) -> None:
    assert days_of(report_of(days=days)) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (999, "999"), (1_000, "1.00k"), (12_345, "12.3k"), (999_499, "999k"), (999_500, "1.00M")],
)
def test_tokens_are_told_in_three_digits(number: int, words: str) -> None:
    assert tokens(number) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "-"), (0.4, "0 ms"), (999.4, "999 ms"), (999.6, "1.00 s"), (9_996, "10.0 s"), (123_456, "123 s")],
)
def test_a_length_of_time_is_told_in_a_unit_that_fits(value: float | None, words: str) -> None:
    assert span(value) == words


@pytest.mark.parametrize(
    ("part", "words"), [(None, "-"), (0, "0%"), (1, "100%"), (0.9999, "99.9%"), (0.88311, "88.3%"), (0.5, "50%")]
)
def test_not_quite_all_is_never_all(part: float | None, words: str) -> None:
    assert percent(part) == words


def test_what_cannot_be_seen_is_shown_as_what_it_is() -> None:
    assert visible("a\u202eb\x1b[1m\ud800\n家", 40) == "a\\u{202e}b\\u{1b}[1m\\u{d800} 家"
    assert visible("x" * 50, 10) == "x" * 9 + "…"
