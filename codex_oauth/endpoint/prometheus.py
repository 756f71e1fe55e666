"""`/metrics`: what the tally holds, in Prometheus' text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, Literal

from codex_oauth.endpoint.tally import BOUNDS, Histogram, Tally
from codex_oauth.types import Limits, LimitWindow, Usage

__all__ = ("CONTENT_TYPE", "exposition", "window_name")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_Labels = Mapping[str, str]


def exposition(tally: Tally, *, version: str, codex_version: str | None, limits: Limits | None) -> str:
    """Everything that is counted, as text.

    Args:
        tally: The counts.
        version: The package's.
        codex_version: The app-server's; None where it has not told yet.
        limits: The plan's limits as they were last seen; None where they were not.
    """
    return "".join(_families(tally, {"version": version, "codex_version": codex_version or ""}, limits))


def window_name(window: LimitWindow) -> str:
    """A short name for the length of a limit's window: `5h`, `7d`; `unknown` where the service did not say."""
    minutes = window.minutes
    if minutes is None:
        return "unknown"
    for letter, size in (("d", 1440), ("h", 60)):
        if minutes >= size and minutes % size == 0:
            return f"{minutes // size}{letter}"
    return f"{minutes}m"


def _families(tally: Tally, build: _Labels, limits: Limits | None) -> Iterator[str]:
    yield _family("build_info", "gauge", "The version of codex_oauth, and of the codex that it drives.", [(build, 1)])
    yield _family("start_time_seconds", "gauge", "When the endpoint began, since 1970.", [({}, tally.started)])
    yield _family("in_flight", "gauge", "Calls of the model that run or wait now.", [({}, tally.in_flight)])
    requests = [
        ({"route": route, "status": str(status)}, count) for (route, status), count in sorted(tally.requests.items())
    ]
    yield _family("requests_total", "counter", "Requests that were answered.", requests)
    errors = [({"code": code}, count) for code, count in sorted(tally.errors.items())]
    yield _family("errors_total", "counter", "Requests that failed, after the first byte too.", errors)
    answered = "calls that a model answered whole"
    yield _histograms("request_seconds", f"How long the {answered} took.", tally.seconds)
    yield _histograms("first_text_seconds", f"How long the {answered} took to their first text.", tally.first_text)
    tokens = [
        ({"kind": kind, "model": model}, count)
        for model, usage in sorted(tally.tokens.items())
        for kind, count in _kinds(usage)
    ]
    words = "Tokens. Those of kind cached are among input, those of kind reasoning among output."
    yield _family("tokens_total", "counter", words, tokens)
    # By name, for a series must not stand twice.
    windows = {(each.name, window_name(each)): each for each in limits.windows} if limits else {}
    named = [({"limit": name, "window": window}, each) for (name, window), each in windows.items()]
    used = [(labels, each.used_percent / 100) for labels, each in named]
    yield _family("limit_used_ratio", "gauge", "How much of a limit of the plan was used, when last seen.", used)
    resets = [(labels, each.resets_at) for labels, each in named if each.resets_at is not None]
    yield _family("limit_reset_timestamp_seconds", "gauge", "When a limit of the plan begins anew, since 1970.", resets)


def _kinds(usage: Usage) -> Iterator[tuple[str, int]]:
    yield "input", usage.input
    yield "cached", usage.cached
    yield "output", usage.output
    yield "reasoning", usage.reasoning


def _family(name: str, kind: Literal["counter", "gauge"], words: str, samples: Iterable[tuple[_Labels, float]]) -> str:
    lines = [_sample(name, labels, value) for labels, value in samples]
    return _head(name, kind, words) + "".join(lines) if lines else ""


def _histograms(name: str, words: str, histograms: Mapping[str, Histogram]) -> str:
    out = [_head(name, "histogram", words)]
    bounds = (*map(_number, BOUNDS), "+Inf")
    for route, histogram in histograms.items():
        total = 0
        for bound, total in zip(bounds, accumulate(histogram.counts), strict=True):
            out.append(_sample(f"{name}_bucket", {"route": route, "le": bound}, total))
        out.append(_sample(f"{name}_sum", {"route": route}, histogram.sum))
        out.append(_sample(f"{name}_count", {"route": route}, total))
    return "".join(out)


def _head(name: str, kind: str, words: str) -> str:
    return f"# HELP codex_oauth_{name} {words}\n# TYPE codex_oauth_{name} {kind}\n"


def _sample(name: str, labels: _Labels, value: float) -> str:
    inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"codex_oauth_{name}{'{' + inner + '}' if inner else ''} {_number(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
