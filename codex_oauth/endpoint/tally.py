"""What the endpoint has served, counted: for its page and for `/metrics`. In memory only, and without content.

How it is used, from the event loop's thread:

    with tally.flight():                  # a call of the model runs, or waits for its turn
        ...
    tally.add(Call(route=route_of(path), status=200, ms=812.4, model=reply.model, usage=reply.usage, finish="stop"))

`add` takes a constant time, and everything here has a bound: the last 200 calls, 24 hours by the minute, a fixed set of
routes, and no more models or error codes than `MOST_LABELS`.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from codex_oauth.types import Usage

__all__ = (
    "BOUNDS",
    "MODEL_ROUTES",
    "MOST_LABELS",
    "ROUTES",
    "Call",
    "Histogram",
    "Span",
    "Tally",
    "route_of",
)

MODEL_ROUTES: Final = ("/v1/chat/completions", "/v1/responses")
"""What a model answers."""

ROUTES: Final = (*MODEL_ROUTES, "/v1/models", "/", "/metrics", "/healthz", "other")
"""Every name that a request is counted under."""

BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""The upper ends of a histogram's buckets, in seconds. One more bucket has what took longer."""

MOST_LABELS: Final = 64
"""Different models, or error codes, that are told apart; the next ones are `other`."""

_KEPT: Final = 200
_MINUTES: Final = 24 * 60

_STEP: Final = 2 ** (1 / 8)
# The steps of the lengths of time that percentiles are made from: each is 9 % longer than the one before, so that a
# percentile is within 5 % of one that was measured.


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was answered, or given up.

    Attributes:
        route: One of `ROUTES`.
        status: The HTTP status that was sent; 499 where the client had gone before there was one.
        ms: Milliseconds from the request to the end of the answer.
        at: When it ended, in seconds since 1970.
        model: The model that ran; None where none did. Never a client's own word, which has no bound.
        effort: The reasoning effort that it ran with.
        first_ms: Milliseconds to the first piece of text; None where there was none.
        usage: Tokens.
        finish: Why the model ended: `stop`, `tool_calls` or `length`; None where it did not.
        error: The code of what went wrong, where something did: after the first byte of a stream too, which has status
            200 all the same.
        streamed: Whether the answer was a stream of events.
        tools: How many tools the client offered.
    """

    route: str
    status: int
    ms: float
    at: float = field(default_factory=time.time)
    model: str | None = None
    effort: str | None = None
    first_ms: float | None = None
    usage: Usage = field(default_factory=Usage)
    finish: str | None = None
    error: str | None = None
    streamed: bool = False
    tools: int = 0

    @property
    def answered(self) -> bool:
        """Whether a model answered it, whole: whose time is worth comparing."""
        return self.model is not None and self.error is None and self.status == 200


class Histogram:
    """How often each length of time occurred, as Prometheus counts it."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[next((number for number, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))] += 1
        self.sum += seconds


@dataclass(slots=True)
class Span:
    """A minute, or several: the calls that ended in it.

    Attributes:
        start: When it begins, in seconds since 1970.
        calls: Calls of the model that were asked for.
        errors: Those of them that failed.
        usage: Tokens.
        times: How often each step of time occurred, of the calls that were answered.
    """

    start: int
    calls: int = 0
    errors: int = 0
    usage: Usage = field(default_factory=Usage)
    times: Counter[int] = field(default_factory=Counter[int])

    def merge(self, other: Span) -> None:
        """Count another's calls as well."""
        self.calls += other.calls
        self.errors += other.errors
        self.usage += other.usage
        self.times.update(other.times)

    def percentile(self, percent: int) -> float | None:
        """The milliseconds that so many percent of the answered calls did not exceed, within 5 %; None for no calls."""
        rank = math.ceil(self.times.total() * percent / 100)
        for step in sorted(self.times):
            rank -= self.times[step]
            if rank <= 0:
                return _STEP ** (step + 0.5)
        return None


class Tally:
    """Everything that was counted since the endpoint began.

    Attributes:
        started: When it began, in seconds since 1970.
        in_flight: How many calls of the model run or wait now.
        last: The last calls of the model, oldest first.
        requests: Requests by route and status.
        errors: Failures by code.
        tokens: Tokens by model.
        seconds: How long the answered calls took, by route.
        first_text: How long they took to their first text, by route.
    """

    def __init__(self) -> None:
        self.started = time.time()
        self.in_flight = 0
        self.last: deque[Call] = deque(maxlen=_KEPT)
        self.requests: Counter[tuple[str, int]] = Counter()
        self.errors: Counter[str] = Counter()
        self.tokens: dict[str, Usage] = {}
        self.seconds = {route: Histogram() for route in MODEL_ROUTES}
        self.first_text = {route: Histogram() for route in MODEL_ROUTES}
        self._minutes: list[Span | None] = [None] * _MINUTES

    @contextmanager
    def flight(self) -> Generator[None]:
        """Within the block, one more call is in flight."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def add(self, call: Call) -> None:
        """Count a request that has ended."""
        route = call.route if call.route in ROUTES else "other"
        self.requests[route, call.status] += 1
        if call.error is not None:
            self.errors[_bounded(call.error, self.errors)] += 1
        if route not in MODEL_ROUTES:
            return
        self.last.append(call)
        minute = self._minute(call.at)
        minute.calls += 1
        minute.errors += call.error is not None
        minute.usage += call.usage
        if call.model is not None:
            name = _bounded(call.model, self.tokens)
            self.tokens[name] = self.tokens.get(name, Usage()) + call.usage
        if call.answered:
            minute.times[_step(call.ms)] += 1
            self.seconds[route].add(call.ms / 1000)
            if call.first_ms is not None:
                self.first_text[route].add(call.first_ms / 1000)

    def spans(self, *, minutes: int, count: int, now: float) -> list[Span]:
        """The calls of the last `count` spans of `minutes` each, oldest first; the last one is not over yet.

        Args:
            minutes: The length of each; the first minute of one is a multiple of it since 1970.
            count: How many. Nothing is known of what is more than 24 hours ago.
            now: Seconds since 1970.
        """
        last = int(now // 60) // minutes
        found = [Span(number * minutes * 60) for number in range(last - count + 1, last + 1)]
        for minute in self._known(now):
            place = minute.start // 60 // minutes - last + count - 1
            if 0 <= place < count:
                found[place].merge(minute)
        return found

    def recent(self, *, minutes: int, now: float) -> Span:
        """The calls of the last minutes, as one: those of the minute that is not over, and of so many before it."""
        whole = Span(int(now // 60) * 60 - minutes * 60)
        for minute in self._known(now):
            if minute.start >= whole.start:
                whole.merge(minute)
        return whole

    def _known(self, now: float) -> Iterator[Span]:
        oldest = now - _MINUTES * 60
        return (minute for minute in self._minutes if minute is not None and oldest < minute.start <= now)

    def _minute(self, at: float) -> Span:
        number = int(at // 60)
        # A day's minutes go round; what is in a place from another day gives way.
        place = number % _MINUTES
        found = self._minutes[place]
        if found is None or found.start != number * 60:
            found = self._minutes[place] = Span(number * 60)
        return found


def route_of(path: str) -> str:
    """What a request of this path is counted under."""
    return path if path in ROUTES else "/v1/models" if path.startswith("/v1/models/") else "other"


def _step(milliseconds: float) -> int:
    return math.floor(math.log(max(milliseconds, 1.0), _STEP))


def _bounded(name: str, known: Counter[str] | dict[str, Usage]) -> str:
    return name if name in known or len(known) < MOST_LABELS else "other"
