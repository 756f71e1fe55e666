"""How far a batch is: what its progress and its summary are made of."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from codex_oauth.types import Usage

__all__ = ("Pace", "Tally")

_WINDOW: Final = 30.0
_BETWEEN: Final = 0.5
# Seconds: long enough to even out slow answers, short enough to show a change; and a sample each half second of it.


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of a batch's items, kept up to date while it runs.

    Attributes:
        total: Items of the input.
        answered: Items with an answer, those of earlier runs included.
        failures: Items that have failed, by the error's code; those of earlier runs too, unless they are asked again.
        asking: Items that are being asked at this moment.
        usage: Tokens of this run's answers.
    """

    total: int
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    asking: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def failed(self) -> int:
        """Items that have failed."""
        return self.failures.total()

    @property
    def done(self) -> int:
        """Items with a result, of either kind."""
        return self.answered + self.failed

    @property
    def left(self) -> int:
        """Items without one."""
        return self.total - self.done


class Pace:
    """How fast a tally grows.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()

    def rate(self, done: int) -> float | None:
        """Items a second over the last half minute, up to these that are done now; None before it can be told."""
        now, samples = self._clock(), self._samples
        if not samples or now - samples[-1][0] >= _BETWEEN:
            samples.append((now, done))
        while now - samples[0][0] > _WINDOW and len(samples) > 2:
            samples.popleft()
        began, before = samples[0]
        return (done - before) / (now - began) if done > before and now - began >= _BETWEEN else None
