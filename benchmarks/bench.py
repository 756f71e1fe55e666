"""What a case is given to work with."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

from benchmarks.figures import Row
from benchmarks.ground import Ground
from benchmarks.lines import Side
from benchmarks.running import children_of
from benchmarks.subjects import Subject, processes, workers

__all__ = ("Bench", "Sizes")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        runs: Rounds of whole processes.
        turns: Rounds of warm calls.
        bursts: Rounds of many turns at once.
        burst: How many those are.
        chunks: Rounds of the long series.
        chunk: Turns of each of its rounds.
        network: Rounds behind the slow network.
        imports: Rounds of imports.
        served: Calls through the service.
    """

    runs: int
    turns: int
    bursts: int
    burst: int
    chunks: int
    chunk: int
    network: int
    imports: int
    served: int

    @classmethod
    def of(cls, runs: int) -> Sizes:
        """For a run that is to be believed: a thousand turns in a row."""
        return cls(runs, 2 * runs, max(runs // 5, 3), 64, 10, 100, max(runs // 3, 5), max(runs // 2, 5), 5_000)

    @classmethod
    def quick(cls) -> Sizes:
        """To see that everything works."""
        return cls(runs=3, turns=5, bursts=1, burst=64, chunks=2, chunk=20, network=2, imports=2, served=200)


class Bench:
    """The stand-in, the ground, and who stands on it.

    Attributes:
        ground: The folder and its homes.
        standin: The stand-in's process.
        sizes: How much is measured.
    """

    def __init__(self, ground: Ground, standin: Side, sizes: Sizes) -> None:
        self.ground = ground
        self.standin = standin
        self.sizes = sizes
        self._began = time.monotonic()
        self._told = 0.0

    @cached_property
    def processes(self) -> list[Subject]:
        """Those that are started for each answer."""
        return processes(self.ground)

    @cached_property
    def workers(self) -> list[Subject]:
        """Those that are kept."""
        return workers(self.ground)

    def known(self) -> frozenset[int]:
        """The processes beside the measured ones."""
        return frozenset(children_of(os.getpid()))

    def say(self, words: str) -> None:
        """A line on stderr."""
        print(f"[{time.monotonic() - self._began:5.0f} s] {words}", file=sys.stderr, flush=True)

    def progress(self, what: str) -> Callable[[int, int], None]:
        """Tells on stderr how far a case is: on a terminal in one line, else now and then."""

        def tell(done: int, total: int) -> None:
            now = time.monotonic()
            if sys.stderr.isatty():
                end = "\n" if done == total else ""
                line = f"\r[{now - self._began:5.0f} s] {what}: {done}/{total}"
                print(line, end=end, file=sys.stderr, flush=True)
            elif done == total or now - self._told > 15:
                self._told = now
                self.say(f"{what}: {done}/{total}")

        return tell

    @contextmanager
    def open_workers(self, subjects: Sequence[Subject]) -> Generator[list[tuple[Row, Side]]]:
        """All of them running, each with a row."""
        with ExitStack() as stack:
            opened: list[tuple[Row, Side]] = []
            for subject in subjects:
                command = subject.command
                side = stack.enter_context(Side(command.argv, env=command.env, cwd=command.cwd))
                opened.append((Row.of(subject), side))
            yield opened

    @contextmanager
    def relay(self, round_trip: float) -> Generator[tuple[Side, int]]:
        """A network of that many milliseconds before the stand-in, and its port."""
        port = self.ground.environment["HTTPS_PROXY"].rpartition(":")[2]
        with Side.module("relay", port, str(round_trip)) as relay:
            yield relay, relay.ask("port")["port"]
