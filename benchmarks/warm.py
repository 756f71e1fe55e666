"""The cases of what is kept: calls in a process that has made one before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.bench import Bench
from benchmarks.figures import Case, Row, in_turns, median_of
from benchmarks.lines import Side
from benchmarks.running import run
from benchmarks.subjects import Subject, through

__all__ = ("SETTLE", "many", "network_warm", "series", "stream", "traffic", "warm")

SETTLE: Final = 0.03
"""Seconds after a warm call in which what it leaves to do is done, or it would take the next subject's time."""

_STREAM: Final = ("tuned-ready", "tuned", "ours", "bare", "sdk-lean", "sdk")


def warm(bench: Bench) -> Case:
    """One call in a process that has made one before."""
    with bench.open_workers(bench.workers) as opened:
        rows = _turns(bench, opened, bench.sizes.turns, SETTLE, "warm")
    case = Case("warm", "One call in a warm process", "ms", rows, baseline="tuned")
    case.notes.append("Each on a thread of its own: no call sees another's. From the call to the parsed answer.")
    return case


def network_warm(bench: Bench, round_trip: float) -> Case:
    """The same behind a slow network."""
    with bench.relay(round_trip) as (_, port):
        subjects = [through(subject, port) for subject in bench.workers]
        with bench.open_workers(subjects) as opened:
            # A thread that is started ahead makes its connection meanwhile: some six round trips.
            rows = _turns(bench, opened, bench.sizes.network, SETTLE + 0.008 * round_trip, "network-warm")
    title = f"One call in a warm process, {round_trip:g} ms round trips"
    return Case("network-warm", title, "ms", rows, baseline="tuned")


def _turns(
    bench: Bench, opened: Sequence[tuple[Row, Side]], rounds: int, settle: float, what: str, key: str = "seconds"
) -> list[Row]:
    do = "turn" if key == "seconds" else "stream"

    def measure(row: Row, side: Side) -> Callable[[int], None]:
        def once(number: int) -> None:
            found = side.ask(do)
            if number >= 0:
                row.values.append(1000 * found[key])
            time.sleep(settle)

        return once

    in_turns([measure(row, side) for row, side in opened], rounds, bench.progress(what), warm_up=3)
    return [row for row, _ in opened]


def stream(bench: Bench) -> Case:
    """From the call to the first piece of text."""
    with bench.open_workers(_only(bench.workers, _STREAM)) as opened:
        rows = _turns(bench, opened, bench.sizes.turns, SETTLE, "stream", "first")
    case = Case("stream", "First text of a stream, in a warm process", "ms", rows, baseline="tuned")
    case.notes.append("codex exec does not stream text.")
    return case


def many(bench: Bench) -> Case:
    """Many one-second turns at once, in one process."""
    count, standin = bench.sizes.burst, bench.standin
    cpu: dict[str, list[float]] = {}

    def measure(row: Row, side: Side) -> Callable[[int], None]:
        def once(number: int) -> None:
            before = standin.ask("cpu")["seconds"]
            found = side.ask("many", count=count)
            standin.ask("reset")
            if number >= 0:
                row.values.append(found["seconds"])
                cpu.setdefault(row.key, []).append(standin.ask("cpu")["seconds"] - before)
            time.sleep(SETTLE)

        return once

    with bench.open_workers(
        _only(bench.workers, ("tuned-ready", "tuned-new", "ours", "ours-blocking", "bare", "sdk-lean", "sdk"))
    ) as opened:
        for _, side in opened:
            side.ask("turn")
        standin.ask("turns_take", seconds=1.0)
        try:
            in_turns([measure(*one) for one in opened], bench.sizes.bursts, bench.progress("many"))
        finally:
            standin.ask("turns_take", seconds=0.0)
    for row, _ in opened:
        row.more["stand-in CPU"] = round(median_of(cpu.get(row.key, [])), 2)
    case = Case("many", f"{count} one-second turns at once", "s", [row for row, _ in opened], baseline="tuned-new")
    case.notes.append("stand-in CPU: seconds that the stand-in's one thread was busy, which nobody can be faster than.")
    return case


def series(bench: Bench) -> Case:
    """Short turns in a row, and the memory after them."""
    sizes, standin = bench.sizes, bench.standin
    cpu: dict[str, list[float]] = {}

    def measure(row: Row, side: Side) -> Callable[[int], None]:
        def once(number: int) -> None:
            before = standin.ask("cpu")["seconds"]
            found = side.ask("series", count=sizes.chunk)
            standin.ask("reset")
            if number >= 0:
                row.values.append(1000 * found["seconds"] / sizes.chunk)
                cpu.setdefault(row.key, []).append(1000 * (standin.ask("cpu")["seconds"] - before) / sizes.chunk)
            time.sleep(SETTLE)

        return once

    with bench.open_workers(bench.workers) as opened:
        for _, side in opened:
            side.ask("turn")
        in_turns([measure(*one) for one in opened], sizes.chunks, bench.progress("series"), warm_up=0)
        for row, side in opened:
            for who, found in side.ask("memory").items():
                if found:
                    row.more[who] = round(found["peak"] / 1024, 1)
            row.more["stand-in CPU"] = round(median_of(cpu.get(row.key, [])), 1)
    turns = sizes.chunks * sizes.chunk
    rows = [row for row, _ in opened]
    case = Case("series", f"{turns:,} short turns in a row: time of each", "ms", rows, baseline="tuned")
    case.notes.append(f"In rounds of {sizes.chunk}. client, codex: peak memory in MiB (VmHWM) after all of them.")
    case.notes.append("stand-in CPU: milliseconds of each turn that the stand-in itself was busy.")
    return case


def traffic(bench: Bench) -> Case:
    """Bytes, connections and requests of one call."""
    with bench.relay(0) as (relay, port):
        asking = [subject for subject in bench.processes if subject.key not in ("python", "hook-served")]
        rows = [_cold_traffic(bench, relay, through(subject, port)) for subject in asking]
        with bench.open_workers([through(subject, port) for subject in bench.workers]) as opened:
            for row, side in opened:
                if row.key != "ours-blocking":
                    rows.append(_warm_traffic(bench, relay, row, side))
    case = Case("traffic", "On the network, for one call", "bytes", rows)
    case.notes.append(
        "bytes: what the client sends, with TLS. model: its JSON for the model, decompressed, prewarm too."
    )
    return case


def _cold_traffic(bench: Bench, relay: Side, subject: Subject) -> Row:
    row = Row.of(subject)
    known = bench.known()
    for _ in range(3):
        relay.ask("reset")
        bench.standin.ask("reset")
        run(subject.command, known)
        _count(bench, relay, row, 1)
    return row


def _warm_traffic(bench: Bench, relay: Side, row: Row, side: Side) -> Row:
    row.label, row.key = f"warm: {row.label}", f"warm-{row.key}"
    for _ in range(3):
        side.ask("turn")
    for _ in range(3):
        _until_quiet(relay)
        relay.ask("reset")
        bench.standin.ask("reset")
        for _ in range(5):
            side.ask("turn")
        _until_quiet(relay)
        _count(bench, relay, row, 5)
    return row


def _count(bench: Bench, relay: Side, row: Row, calls: int) -> None:
    counted, record = relay.ask("counts"), bench.standin.ask("record")
    row.values.append(counted["sent"] / calls)
    row.more["received"] = round(counted["received"] / calls)
    row.more["connections"] = round(counted["connections"] / calls, 1)
    row.more["requests"] = round(sum(record["requests"].values()) / calls, 1)
    row.more["model"] = round(record["bytes"] / calls)
    row.more["tools"] = record["tools"]
    if record["refused"]:
        row.more["other hosts"] = ", ".join(sorted(record["refused"]))


def _until_quiet(relay: Side) -> None:
    before = None
    while (now := relay.ask("counts")) != before:
        before = now
        time.sleep(0.2)


def _only(subjects: Sequence[Subject], keys: Sequence[str]) -> list[Subject]:
    return [subject for subject in subjects if subject.key in keys]
