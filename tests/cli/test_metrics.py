"""`codex-oauth metrics`: tables, JSON, and the page."""

from __future__ import annotations

import json
import re
import stat
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI
from tests.metrics.samples import HOSTILE, call, request

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/metrics-report.schema.json").read_text(encoding="utf-8"))
VALIDATOR: Any = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def file(environ: dict[str, str]) -> Path:
    """The metrics file that calls would write; the day begins in Berlin."""
    environ["TZ"] = "Europe/Berlin"
    return Path(environ["CODEX_OAUTH_METRICS"])


def now() -> datetime:
    return datetime.now().astimezone()


def fill(file: Path, *lines: dict[str, Any] | str) -> None:
    written = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    file.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")


def some(time: datetime) -> list[dict[str, Any]]:
    """Eight that could be judged, one question, two other calls."""
    return [
        *[request("allow", time=time)] * 4,
        *[request("deny", "rm -rf ~", time=time, rule="destroy", total=2_000.0)] * 2,
        request("ask", "git push", time=time, rule="outward", total=30_000.0),
        request("ask", "make", time=time, source="failure", rule=None, outcome="error", error="not_logged_in"),
        request("ask", tool="AskUserQuestion", time=time, source="rule", rule=None, total=1.0),
        call(time=time),
        call(time=time, outcome="error", error="overloaded"),
    ]


def test_a_day_is_a_row_and_the_rate_and_the_lists_follow(run_cli: RunCLI, file: Path) -> None:
    fill(file, *some(now()))
    done = run_cli("metrics")
    assert (done.returncode, done.stderr) == (0, b"")
    blocks = [block.splitlines() for block in done.stdout.decode().split("\n\n")]
    days, rate, asked, denied, failed, errors, others, legend = blocks
    assert " ".join(days[0].split()) == "day all allow deny ask forced err auto p50 p95 p99 in out"
    assert " ".join(days[1].split()[1:]) == "9 4 2 3 1 1 75% 1000 30000 30000 900 90"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", days[1].split()[0])
    assert days[2].split()[1:] == days[1].split()[1:]
    assert rate == [
        "automation rate 75%: 6 of 8 allowed or denied without the person; questions to the person, not counted: 1"
    ]
    assert asked == ["asked most", "1  Bash  outward  git push"]
    assert denied == ["denied most", "2  Bash  destroy  rm -rf ~"]
    assert failed == ["not judged", "1  Bash  not_logged_in  make"]
    assert [line.split(maxsplit=3) for line in errors] == [
        ["errors", "requests", "calls"],
        ["not_logged_in", "1", "0", "codex-oauth login"],
        ["overloaded", "0", "1"],
    ]
    assert " ".join(others[1].split()) == "complete 2 1 1 0 500 500 500 14 6"
    assert "nearest-rank" in legend[0]


def took(time: datetime, local: float, model: float, *, warm: bool) -> dict[str, Any]:
    """A request of so many milliseconds."""
    line = request(time=time, total=local + model)
    phases = {"read": 1.0, "policy": 2.0, "asked": 3.0, "thread": local - 1, "completed": local + model - 1}
    return {**line, "phases": {**line["phases"], **phases}, "warm": warm}


def test_local_time_is_told_from_the_models_and_warm_from_cold_step_by_step(run_cli: RunCLI, file: Path) -> None:
    warm, cold = took(now(), 31.0, 1_000.0, warm=True), took(now(), 131.0, 900.0, warm=False)
    fill(file, *[warm] * 3, cold, {**cold, "cached": True, "phases": {"total": 2.0}}, {**warm, "shared": True})
    shown = run_cli("metrics").stdout.decode()
    blocks = [[" ".join(row.split()) for row in block.splitlines()] for block in shown.split("\n\n")]
    kept = "decided by what the model had said shortly before: 1"
    assert blocks[1][1:] == [f"{kept}; by the reply to another request with the same question: 1"]
    spent, steps, legend = blocks[-3:]
    assert spent == [
        "where the time went all local p50 p95 model p50 p95 local",
        "requests, warm 4 31 31 1000 1000 3%",
        "requests, cold 1 131 131 900 900 12.7%",
    ]
    assert steps == [
        "local steps warm p50 p95 cold p50 p95",
        "read the request 1 1 1 1",
        "policy and context 1 1 1 1",
        "make the question 1 1 1 1",
        "open a thread 27 27 127 127",
        "after the turn 1 1 1 1",
    ]
    assert legend[0].endswith("local: all but the model's turn")


def test_as_json_it_is_one_value_that_fits_its_schema(run_cli: RunCLI, file: Path) -> None:
    fill(file, *some(now()), "no JSON", "", '{"an": "other"}')
    done = run_cli("metrics", "--json", "--days", "3", "--top", "1")
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)
    report = json.loads(done.stdout)
    VALIDATOR.validate(report)
    assert len(report["days"]) == 3
    assert (report["totals"]["requests"], report["period"]["skipped_lines"]) == (9, 2)
    assert [len(report[name]) for name in ("top_asked", "top_denied")] == [1, 1]
    assert report["period"]["to"].endswith(("+01:00", "+02:00"))


def test_both_generations_are_read(run_cli: RunCLI, file: Path) -> None:
    fill(file.with_name(file.name + ".1"), request(time=now()))
    assert json.loads(run_cli("metrics", "--json").stdout)["totals"]["requests"] == 1
    fill(file, request(time=now()))
    assert json.loads(run_cli("metrics", "--json").stdout)["totals"]["requests"] == 2


def test_lines_that_are_no_entries_are_told(run_cli: RunCLI, file: Path) -> None:
    fill(file, "torn", request(time=now()))
    done = run_cli("metrics")
    assert done.returncode == 0
    assert done.stderr.decode() == "codex-oauth: lines that are no entries and were left out: 1\n"


def test_only_the_days_that_were_asked_for_count(run_cli: RunCLI, file: Path) -> None:
    fill(file, request(time=now() - timedelta(days=8)), request(time=now()))
    counts = [
        json.loads(run_cli("metrics", "--json", *days).stdout)["totals"]["requests"]
        for days in ((), ("--days", "1"), ("--days", "10"))
    ]
    assert counts == [1, 1, 2]


def test_metrics_that_are_off_are_told_with_the_setting_that_did_it(
    run_cli: RunCLI, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["CODEX_OAUTH_METRICS"] = "off"
    done = run_cli("metrics", "--json")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"metrics are off: the environment has CODEX_OAUTH_METRICS=off; unset it" in done.stderr
    assert b"--file" in done.stderr
    del environ["CODEX_OAUTH_METRICS"]
    config = tmp_path / "config.toml"
    config.write_text('metrics = "off"\n', encoding="utf-8")
    environ["CODEX_OAUTH_CONFIG"] = str(config)
    for arguments in (("metrics",), ("gate", "replay")):
        done = run_cli(*arguments)
        assert (done.returncode, done.stdout) == (2, b"")
        assert f'metrics are off: `metrics = "off"` in {config}; remove that line' in done.stderr.decode()


def test_a_file_that_is_not_there_yet_is_told_and_is_an_empty_report(run_cli: RunCLI, file: Path) -> None:
    done = run_cli("metrics")
    assert (done.returncode, done.stdout) == (0, b"no permission requests in these days\n")
    assert done.stderr.decode() == f"codex-oauth: no metrics yet: {file} is made by the first call\n"
    as_json = run_cli("metrics", "--json")
    VALIDATOR.validate(json.loads(as_json.stdout))
    assert not file.exists()


def test_another_file_may_be_named_and_must_be_there(run_cli: RunCLI, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    done = run_cli("metrics", "--file", str(other))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"codex-oauth: {other}: no such file\n"
    fill(other, request(time=now()))
    assert json.loads(run_cli("metrics", "--file", str(other), "--json").stdout)["totals"]["requests"] == 1
    third = tmp_path / "third.jsonl"
    fill(third, request(time=now(), host="codex"), request(time=now(), host="claude"))
    several = ("metrics", "--file", str(other), "--file", str(third), "--file", str(other), "--json")
    assert json.loads(run_cli(*several).stdout)["totals"]["requests"] == 3
    assert json.loads(run_cli(*several, "--host", "codex").stdout)["totals"]["requests"] == 1


@pytest.mark.parametrize(
    "arguments", [("--days", "0"), ("--days", "4000"), ("--top", "-1"), ("--days", "week"), ("--html",)]
)
def test_a_wrong_option_exits_with_2(run_cli: RunCLI, file: Path, arguments: tuple[str, ...]) -> None:
    done = run_cli("metrics", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_folder_in_the_place_of_the_file_is_told(run_cli: RunCLI, file: Path) -> None:
    file.mkdir()
    done = run_cli("metrics")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"cannot be read" in done.stderr


def test_the_page_is_written_and_its_place_is_told(run_cli: RunCLI, file: Path, tmp_path: Path) -> None:
    fill(file, *some(now()))
    done = run_cli("metrics", "--html", "report.html")
    page = tmp_path / "somewhere" / "report.html"
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, f"wrote {page}\n", b"")
    assert "git push" in page.read_text(encoding="utf-8")
    if sys.platform != "win32":
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
    again = run_cli("metrics", "--html", "report.html", "--json")
    VALIDATOR.validate(json.loads(again.stdout))
    assert again.stderr.decode() == f"wrote {page}\n"


def test_a_file_that_is_no_page_of_metrics_is_not_replaced(run_cli: RunCLI, file: Path, tmp_path: Path) -> None:
    fill(file, request(time=now()))
    mine = tmp_path / "mine.html"
    mine.write_text("<p>mine", encoding="utf-8")
    done = run_cli("metrics", "--html", str(mine))
    assert (done.returncode, done.stdout) == (2, b"")
    assert "is no page of metrics, so it is not replaced" in done.stderr.decode()
    assert mine.read_text(encoding="utf-8") == "<p>mine"
    assert run_cli("metrics", "--html", str(tmp_path / "none" / "page.html")).returncode == 2


def test_a_terminal_of_80_columns_is_enough(environ: dict[str, str], file: Path, tmp_path: Path) -> None:
    many = [request("allow", time=now(), total=123_456.0)] * 1_200
    long = [
        request("ask", f"make {'家' * 90} {n}", tool="mcp__a_long_server__a_long_tool", time=now()) for n in range(3)
    ]
    spent = [took(now(), 99_999.0, 99_999.0, warm=warm) for warm in (True, False)]
    fill(file, *many, *some(now()), *long, *spent)
    shown = run_in_terminal(environ, tmp_path, "metrics")
    assert shown.returncode == 0
    lines = shown.plain.splitlines()
    assert max(len(line) + line.count("家") for line in lines) <= 80
    assert "\x1b[32m" in shown.text
    asked = [line for line in lines if "家" in line]
    assert len(asked) == 3
    assert all("…" in line for line in asked)
    assert "mcp__a_long_server__a_long_tool" not in shown.plain
    assert "_a_long_tool" in shown.plain


def test_names_are_whole_where_there_is_room(environ: dict[str, str], file: Path, tmp_path: Path) -> None:
    rule = "team/nothing-leaves-the-office-network"
    fill(file, request("ask", "git push", time=now(), rule=rule), request("ask", "x" * 500, time=now()))
    lines = run_in_terminal(environ, tmp_path, "metrics", columns=120).plain.splitlines()
    assert any(f"1  Bash  {rule}  git push" in line for line in lines)
    assert max(map(len, lines)) <= 120
    narrow = run_in_terminal(environ, tmp_path, "metrics", columns=60).plain
    assert rule not in narrow
    assert "1  Bash  team/nothing-leav…  git push" in narrow or "team/nothing-lea…" in narrow


def test_a_terminal_gets_no_colours_where_they_are_not_wanted(
    environ: dict[str, str], file: Path, tmp_path: Path
) -> None:
    fill(file, *some(now()))
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "metrics")
    assert not re.search(r"\x1b\[(\d+;)*[349]\d(;\d+)*m", shown.text)


def test_a_pipe_gets_whole_commands_a_line_each_and_no_escape_sequences(run_cli: RunCLI, file: Path) -> None:
    lines = [request("ask", text, tool=text, time=now(), rule=text) for text in HOSTILE]
    fill(file, *lines)
    done = run_cli("metrics", "--top", "50")
    assert done.returncode == 0
    shown = done.stdout.decode()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert len(shown.split("asked most\n")[1].split("\n\n")[0].splitlines()) == len(HOSTILE)
    assert HOSTILE[0] in shown


def test_json_escapes_what_could_rewrite_a_screen(run_cli: RunCLI, file: Path) -> None:
    fill(file, *(request("deny", text, time=now()) for text in HOSTILE))
    done = run_cli("metrics", "--json", "--top", "50")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
    shown = {found["command"] for found in json.loads(done.stdout)["top_denied"]}
    assert HOSTILE[0] in shown
    assert "\ud800 alone" in shown


def test_nothing_is_asked_of_anybody(run_cli: RunCLI, file: Path, chatgpt: LoopbackChatGPT) -> None:
    fill(file, *some(now()))
    assert run_cli("metrics").returncode == 0
    assert chatgpt.requests == ()
