"""What is counted, and how `/metrics` tells it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from codex_oauth.endpoint.prometheus import exposition
from codex_oauth.endpoint.tally import BOUNDS, MOST_LABELS, Call, Tally, route_of
from codex_oauth.types import Limits, LimitWindow, Usage

RESPONSES = "/v1/responses"
NOW = 1_800_000_000.0

SAMPLE = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> tuple[Samples, dict[str, str]]:
    """The samples of a text in the format, and the type of each family. Whatever is not in the format is an error."""
    samples: Samples = {}
    types: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            kind, name, rest = line.removeprefix("# ").split(" ", 2)
            assert kind in ("HELP", "TYPE")
            if kind == "TYPE":
                assert name not in types, "a family stands twice"
                types[name] = rest
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        name, inner, value = found.groups()
        labels = LABEL.findall(inner or "")
        assert "".join(f'{label}="{raw}",' for label, raw in labels) == (f"{inner}," if inner else ""), line
        read = {label: re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(one[1], one[1]), raw) for label, raw in labels}
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert (family if types.get(family) == "histogram" else name) in types, line
        key = (name, frozenset(read.items()))
        assert key not in samples, line
        samples[key] = float(value)
    return samples, types


def told(tally: Tally, *, limits: Limits | None = None) -> Samples:
    return parse(exposition(tally, version="0.1.0", codex_version="0.163.0", limits=limits))[0]


def sample(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"codex_oauth_{name}", frozenset(labels.items())))


def answered(
    ms: float = 800.0, *, at: float = NOW, model: str = "gpt-6-luna", usage: Usage | None = None, first: float = 100.0
) -> Call:
    return Call(
        route=RESPONSES, status=200, ms=ms, at=at, model=model, first_ms=first, usage=usage or Usage(), finish="stop"
    )


def test_requests_are_counted_by_route_and_status_and_unknown_paths_are_one() -> None:
    tally = Tally()
    tally.add(answered())
    tally.add(Call(route=RESPONSES, status=429, ms=3.0, error="insufficient_quota"))
    for path in ("/v1/embeddings", "/wp-login.php", "/v1/responses/resp_1"):
        tally.add(Call(route=route_of(path), status=404, ms=0.1, error="unknown_url"))
    tally.add(Call(route=route_of("/v1/models/gpt-6-luna"), status=200, ms=1.0))
    samples = told(tally)
    assert sample(samples, "requests_total", route=RESPONSES, status="200") == 1
    assert sample(samples, "requests_total", route=RESPONSES, status="429") == 1
    assert sample(samples, "requests_total", route="other", status="404") == 3
    assert sample(samples, "requests_total", route="/v1/models", status="200") == 1
    assert sample(samples, "errors_total", code="unknown_url") == 3
    assert len(tally.last) == 2


def test_the_time_of_what_no_model_answered_is_in_no_histogram() -> None:
    tally = Tally()
    tally.add(answered(750.0, first=90.0))
    tally.add(Call(route=RESPONSES, status=400, ms=0.2, error="invalid_type"))
    # It broke off after the first byte.
    tally.add(Call(route=RESPONSES, status=200, ms=9.0, model="gpt-6-luna", error="stream_disconnected"))
    samples = told(tally)
    assert sample(samples, "request_seconds_count", route=RESPONSES) == 1
    assert sample(samples, "request_seconds_sum", route=RESPONSES) == pytest.approx(0.75)
    assert sample(samples, "first_text_seconds_sum", route=RESPONSES) == pytest.approx(0.09)
    assert sample(samples, "request_seconds_count", route="/v1/chat/completions") == 0


def test_the_buckets_of_a_histogram_grow_and_the_last_has_all() -> None:
    tally = Tally()
    for ms in (10.0, 50.0, 51.0, 999.0, 301_000.0):
        tally.add(answered(ms))
    samples = told(tally)
    buckets = [sample(samples, "request_seconds_bucket", route=RESPONSES, le=f"{bound:g}") for bound in BOUNDS]
    whole = sample(samples, "request_seconds_bucket", route=RESPONSES, le="+Inf")
    counts = [count for count in (*buckets, whole) if count is not None]
    assert len(counts) == len(BOUNDS) + 1
    assert counts[:2] == [2, 3]
    assert counts[-2:] == [4, 5]
    assert all(less <= more for less, more in pairwise(counts))


def test_tokens_are_counted_by_kind_and_model() -> None:
    tally = Tally()
    for _ in range(2):
        tally.add(answered(usage=Usage(input=100, cached=60, output=10, reasoning=4)))
    samples = told(tally)
    kinds = {"input": 200, "cached": 120, "output": 20, "reasoning": 8}
    assert {kind: sample(samples, "tokens_total", kind=kind, model="gpt-6-luna") for kind in kinds} == kinds


def test_the_labels_have_a_bound_and_hostile_names_stay_labels() -> None:
    tally = Tally()
    hostile = 'x"} 1\nfake_total{a="\\'
    tally.add(answered(model=hostile, usage=Usage(input=3)))
    for number in range(MOST_LABELS + 50):
        tally.add(answered(model=f"m{number}", usage=Usage(input=1)))
        tally.add(Call(route="other", status=500, ms=1.0, error=f"e{number}"))
    samples = told(tally)
    assert sample(samples, "tokens_total", kind="input", model=hostile) == 3
    assert sample(samples, "tokens_total", kind="input", model="other") == 51
    assert len(tally.tokens) == len(tally.errors) == MOST_LABELS + 1


def test_limits_are_told_as_they_were_last_seen() -> None:
    windows = (
        LimitWindow(name="codex", used_percent=42, minutes=300, resets_at=1_800_000_000),
        LimitWindow(name="codex", used_percent=7, minutes=10_080),
        LimitWindow(name="gpt-6.1-sol", used_percent=1, minutes=None),
        LimitWindow(name="gpt-6.1-sol", used_percent=2, minutes=None),
    )
    samples = told(Tally(), limits=Limits(plan="plus", windows=windows))
    assert sample(samples, "limit_used_ratio", limit="codex", window="5h") == 0.42
    assert sample(samples, "limit_used_ratio", limit="codex", window="7d") == 0.07
    assert sample(samples, "limit_reset_timestamp_seconds", limit="codex", window="5h") == 1_800_000_000
    assert sample(samples, "limit_reset_timestamp_seconds", limit="codex", window="7d") is None
    assert sample(samples, "limit_used_ratio", limit="gpt-6.1-sol", window="unknown") == 2 / 100


def test_calls_in_flight_are_counted_while_they_last_and_when_they_fail() -> None:
    tally = Tally()

    def fly() -> None:
        with tally.flight():
            assert sample(told(tally), "in_flight") == 1
            raise ValueError("broke")

    with pytest.raises(ValueError, match="broke"):
        fly()
    assert sample(told(tally), "in_flight") == 0
    assert sample(told(tally), "build_info", version="0.1.0", codex_version="0.163.0") == 1


def test_percentiles_are_within_five_percent_of_what_was_measured() -> None:
    tally = Tally()
    for ms in range(1, 1001):
        tally.add(answered(float(ms)))
    span = tally.recent(minutes=1, now=NOW)
    assert span.percentile(50) == pytest.approx(500, rel=0.05)
    assert span.percentile(95) == pytest.approx(950, rel=0.05)
    assert tally.recent(minutes=1, now=NOW + 3600).percentile(50) is None


def test_a_day_is_remembered_by_the_minute_and_no_longer() -> None:
    tally = Tally()
    for hours in range(40):
        tally.add(answered(at=NOW + hours * 3600, usage=Usage(input=1)))
    now = NOW + 39 * 3600
    assert tally.recent(minutes=24 * 60, now=now).calls == 24
    spans = tally.spans(minutes=30, count=48, now=now)
    assert [span.calls for span in spans] == [0, 1] * 24 or [span.calls for span in spans] == [1, 0] * 24
    assert sum(span.usage.input for span in spans) == 24
    assert len(tally.last) == 40
    # A clock that was put back has calls in the past again.
    tally.add(answered(at=NOW))
    assert tally.recent(minutes=10, now=NOW).calls == 1


def test_only_the_last_calls_are_kept() -> None:
    tally = Tally()
    for number in range(1000):
        tally.add(answered(at=NOW + number))
    assert len(tally.last) == 200
    assert tally.last[-1].at == NOW + 999


def test_the_page_about_metrics_names_every_family() -> None:
    text = (Path(__file__).parents[2] / "docs/endpoint-page.md").read_text(encoding="utf-8")
    tally = Tally()
    tally.add(answered(usage=Usage(input=1)))
    tally.add(Call(route=RESPONSES, status=500, ms=1.0, error="unexpected"))
    limits = Limits(plan="plus", windows=(LimitWindow(name="codex", used_percent=1, minutes=300, resets_at=1),))
    _, types = parse(exposition(tally, version="0.1.0", codex_version=None, limits=limits))
    assert len(types) == 10
    for name, kind in types.items():
        assert re.search(rf"\| `{name}(\{{[a-z,_]+\}})?` \| {kind} \|", text), name
