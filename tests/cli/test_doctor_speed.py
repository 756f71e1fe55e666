"""The doctor's look at the time: how much of it was local, on what, and whether the warm service runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.cli.test_doctor import checks
from tests.conftest import RunCLI
from tests.metrics.samples import call, request

Look = Callable[..., dict[str, Any]]


def took(phases: dict[str, float], *, warm: bool = True, make: Any = request, **more: Any) -> dict[str, Any]:
    """A line of a call with these phases."""
    line: dict[str, Any] = make(total=phases.get("total"), **more)
    line["phases"].update(phases)
    return {**line, "warm": warm}


def spent(local: float, model: float, *, step: str = "thread", **more: Any) -> dict[str, Any]:
    """A call of so many milliseconds; all that is local goes to one step."""
    order = ("read", "policy", "asked", "queued", "spawn", "initialize", "account", "thread")
    first = order.index(step) if step in order else len(order)
    phases = {name: local if number >= first else 0.0 for number, name in enumerate(order)}
    return took({**phases, "completed": phases["thread"] + model, "total": local + model}, **more)


@pytest.fixture
def look(run_cli: RunCLI, environ: dict[str, str], chatgpt: LoopbackChatGPT) -> Look:
    """The doctor's findings about the time, where these lines are in the metrics."""

    def speed(*lines: dict[str, Any], **variables: str) -> dict[str, Any]:
        environ.update(variables)
        file = Path(environ["CODEX_OAUTH_METRICS"])
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        done = run_cli("doctor", "--json")
        assert (done.returncode, chatgpt.model_requests) == (0, ())
        return checks(done.stdout)

    return speed


def test_too_few_calls_say_nothing(look: Look) -> None:
    assert "speed" not in look(*[spent(500.0, 100.0)] * 9)


def test_a_call_whose_local_time_nobody_notices_is_well(look: Look) -> None:
    speed = look(*[spent(31.0, 1_250.0)] * 40, *[spent(90.0, 1_250.0, warm=False)] * 4)["speed"]
    assert (speed["state"], speed["mend"]) == ("ok", None)
    assert speed["finding"] == (
        "31 ms local and 1.25 s the model's, typically; 2.8% of all was local (the last 44 calls, 40 of them warm)"
    )
    # A model that answers at once makes nothing of it slow.
    assert look(*[spent(60.0, 40.0)] * 20)["speed"]["state"] == "ok"


@pytest.mark.parametrize(("local", "model"), [(310.0, 5_000.0), (150.0, 400.0)])
def test_much_local_time_is_a_warning(look: Look, local: float, model: float) -> None:
    speed = look(*[spent(local, model)] * 20)["speed"]
    assert (speed["state"], speed["mend"]) == ("warn", "codex-oauth metrics")
    assert speed["details"] == ["most of the local time went by opening a thread"]


@pytest.mark.parametrize(
    ("step", "words", "mend"),
    [
        ("read", "until the request was read", "codex-oauth metrics"),
        ("policy", "reading policies, the repository and the conversation", "codex-oauth metrics"),
        ("queued", "too many calls at once", "codex-oauth metrics"),
        ("account", "a round trip on the network", "check HTTPS_PROXY"),
        ("total", "after the model's turn", "codex-oauth metrics"),
    ],
)
def test_the_step_that_took_most_is_named_with_what_helps(look: Look, step: str, words: str, mend: str) -> None:
    speed = look(*[spent(400.0, 900.0, step=step)] * 20)["speed"]
    assert (speed["state"], speed["mend"]) == ("warn", mend)
    assert words in speed["details"][0]


@pytest.mark.parametrize(
    ("setting", "mend"),
    [
        ("off", 'set service = "on-demand" in the configuration file'),
        ("on-demand", "codex-oauth service start"),
    ],
)
def test_calls_that_start_codex_each_time_are_for_the_warm_service(look: Look, setting: str, mend: str) -> None:
    cold = spent(400.0, 900.0, step="initialize", warm=False)
    speed = look(*[cold] * 20, CODEX_OAUTH_SERVICE=setting)["speed"]
    assert (speed["state"], speed["mend"]) == ("warn", mend)
    assert speed["details"] == ["most calls started codex anew, which the warm service saves"]


def test_only_the_last_fifty_that_came_to_a_reply_count(look: Look) -> None:
    slow, quick = spent(900.0, 900.0), spent(30.0, 900.0)
    failed = spent(900.0, 900.0, source="failure", rule=None, outcome="error", error="overloaded")
    speed = look(*[slow] * 100, *[quick] * 50, failed, {**quick, "phases": {"total": 1.0}, "cached": True})["speed"]
    assert speed["state"] == "ok"
    assert "(the last 50 calls, 50 of them warm)" in speed["finding"]


def test_other_calls_and_lines_of_earlier_versions_count_too(look: Look) -> None:
    old = took({"thread": 60.0, "completed": 900.0, "total": 1_400.0})
    speed = look(*[old] * 10)["speed"]
    assert (speed["state"], speed["details"]) == (
        "warn",
        ["the lines are an earlier version's, and do not say what took it"],
    )
    assert look(*[spent(31.0, 1_250.0, make=call)] * 10)["speed"]["state"] == "ok"


def test_a_file_that_is_junk_is_no_obstacle(look: Look, run_cli: RunCLI, environ: dict[str, str]) -> None:
    Path(environ["CODEX_OAUTH_METRICS"]).write_bytes(b"\xff{\n[]\n{}\n" * 50)
    assert "speed" not in checks(run_cli("doctor", "--json").stdout)


@pytest.mark.parametrize(
    ("setting", "finding"), [("off", "turned off"), ("on-demand", "not running; the first hook starts it")]
)
def test_the_service_is_said_to_be_off_or_not_running(look: Look, setting: str, finding: str) -> None:
    service = look(CODEX_OAUTH_SERVICE=setting)["service"]
    assert (service["state"], service["finding"], service["mend"]) == ("ok", finding, None)


def test_a_service_that_runs_is_named(
    run_cli: RunCLI, environ: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environ.update(CODEX_OAUTH_SERVICE="on-demand", XDG_RUNTIME_DIR=str(tmp_path))
    request.addfinalizer(lambda: run_cli("service", "stop", timeout=60))
    started = run_cli("service", "start", timeout=60)
    assert started.returncode == 0, started.stderr
    service = checks(run_cli("doctor", "--json").stdout)["service"]
    assert (service["state"], service["mend"]) == ("ok", None)
    assert service["finding"].startswith("runs, process ")
