"""`codex-oauth limits`: what the plan has left, in bars and as JSON."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import HttpResponse, LoopbackChatGPT, RateLimits
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI

USAGE = "/backend-api/wham/usage"
LIMITS = RateLimits(used_percent=40, resets_in=3 * 3600, weekly_used_percent=95, weekly_resets_in=100 * 3600)


def usage(**members: Any) -> HttpResponse:
    """The answer of the usage page, of which `members` are set."""
    window = {
        "used_percent": 100,
        "limit_window_seconds": 18_000,
        "reset_after_seconds": 60,
        "reset_at": int(time.time()) + 60,
    }
    limit = {"allowed": False, "limit_reached": True, "primary_window": window, "secondary_window": None}
    return HttpResponse(200, {"plan_type": "pro", "rate_limit": limit, "credits": None, **members})


def test_each_window_is_a_bar_and_says_when_it_begins_anew(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.rate_limits = LIMITS
    done = run_cli("limits")
    assert (done.returncode, done.stderr) == (0, b"")
    plan, hours, week = (line.rstrip() for line in done.stdout.decode().splitlines())
    assert plan == "plan     plus"
    day = r"\((Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d\)"
    assert re.fullmatch(rf"codex  5 hours  █{{12}}░{{18}}  40 % used  begins anew in (3 h 00|2 h 59) min {day}", hours)
    assert re.fullmatch(rf"codex  1 week   █{{28}}░{{2}}  95 % used  begins anew in 4 d [34] h {day}", week)
    assert chatgpt.model_requests == ()


@pytest.mark.parametrize("used", [0, 1, 50, 100])
def test_a_bar_is_as_full_as_the_plan_is_used(run_cli: RunCLI, chatgpt: LoopbackChatGPT, used: int) -> None:
    chatgpt.rate_limits = RateLimits(used_percent=used)
    shown = run_cli("limits").stdout.decode()
    assert (shown.count("█"), shown.count("░")) == (round(30 * used / 100), 30 - round(30 * used / 100))
    assert f" {used} % used " in shown


def test_as_json_it_is_one_value(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.rate_limits = LIMITS
    done = run_cli("limits", "--json")
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)
    said = json.loads(done.stdout)
    resets = [window.pop("resets_at") for window in said["windows"]]
    assert said == {
        "plan": "plus",
        "windows": [
            {"name": "codex", "used_percent": 40, "minutes": 300},
            {"name": "codex", "used_percent": 95, "minutes": 10080},
        ],
        "credits": None,
        "reached": None,
    }
    assert 0 < resets[0] - time.time() <= 3 * 3600 < resets[1] - time.time() <= 100 * 3600


def test_a_service_that_reports_none_is_believed(run_cli: RunCLI) -> None:
    words, as_json = run_cli("limits"), run_cli("limits", "--json")
    assert (words.returncode, words.stdout.decode()) == (0, "plan     plus\nlimits   the service reports none\n")
    assert json.loads(as_json.stdout) == {"plan": "plus", "windows": [], "credits": None, "reached": None}


@pytest.mark.parametrize(
    ("credit", "said"),
    [
        ({"has_credits": True, "unlimited": False, "balance": "12.50"}, "12.50"),
        ({"has_credits": True, "unlimited": False, "balance": None}, "some"),
        ({"has_credits": True, "unlimited": True, "balance": None}, "unlimited"),
        ({"has_credits": False, "unlimited": False, "balance": None}, "none"),
        ({"has_credits": False, "unlimited": False, "balance": "0"}, "none"),
    ],
    ids=["a balance", "no balance", "unlimited", "none", "nought"],
)
def test_credits_are_told(run_cli: RunCLI, chatgpt: LoopbackChatGPT, credit: dict[str, Any], said: str) -> None:
    chatgpt.respond(USAGE, usage(credits=credit))
    words, as_json = run_cli("limits"), run_cli("limits", "--json")
    assert words.stdout.decode().splitlines()[-1] == f"credits  {said}"
    assert json.loads(as_json.stdout)["credits"] == {
        "has": credit["has_credits"],
        "unlimited": credit["unlimited"],
        "balance": credit["balance"],
    }


def test_a_limit_that_is_reached_is_named(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.respond(USAGE, usage(rate_limit_reached_type={"type": "workspace_owner_credits_depleted"}))
    done = run_cli("limits")
    assert done.stdout.decode().splitlines()[-1] == "reached  workspace owner credits depleted"


def test_the_name_of_a_models_limit_is_no_markup_and_no_control_sequence(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT
) -> None:
    limit = {
        "limit_name": "[red]gpt\x1b[2Jx[/]",
        "metered_feature": "codex_x",
        "rate_limit": usage().body["rate_limit"],
    }
    chatgpt.respond(USAGE, usage(additional_rate_limits=[limit]))
    done = run_cli("limits")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[-1].startswith("[red]gpt\ufffd[2Jx[/]  5 hours  █")


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.usefixtures("settings")
def test_a_bar_is_shorter_where_the_terminal_is_and_never_cut(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, columns: int
) -> None:
    chatgpt.rate_limits = LIMITS
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "limits", columns=columns)
    assert shown.returncode == 0
    hours, week = (line.rstrip() for line in shown.plain.splitlines() if " % used " in line)
    assert max(len(hours), len(week)) <= columns
    assert all(re.search(r"  begins anew in .+ \(\w{3} \d\d:\d\d\)$", line) for line in (hours, week))
    assert "…" not in hours + week
    widths = {len(re.sub("[^█░]", "", line)) for line in (hours, week)}
    assert len(widths) == 1
    assert 10 <= widths.pop() <= 30
    assert hours.count("█") < week.count("█")


@pytest.mark.parametrize(("used", "colour"), [(69, "32"), (70, "33"), (90, "31")])
@pytest.mark.usefixtures("settings")
def test_a_bars_colour_says_how_near_the_end_is(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, used: int, colour: str
) -> None:
    chatgpt.rate_limits = RateLimits(used_percent=used)
    assert f"\x1b[{colour}m█" in run_in_terminal(environ, tmp_path, "limits").text


def test_nobody_signed_in_exits_with_3(run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    (settings.home / "auth.json").unlink()
    done = run_cli("limits")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode().endswith(": codex-oauth login\n")
    assert chatgpt.requests == ()


def test_a_service_that_fails_exits_with_1(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.respond(USAGE, HttpResponse(500, {}))
    done = run_cli("limits")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"codex-oauth: account/rateLimits/read: ")
