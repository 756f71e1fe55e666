"""The cases of whole processes: their time, their memory, their imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.figures import Case, Row, in_turns, median_of
from benchmarks.imports import import_times, milliseconds
from benchmarks.running import Run, run, run_watched
from benchmarks.subjects import Subject, through
from benchmarks.workers.measuring import memory_of

__all__ = ("cold", "imports", "memory", "network_cold")


def cold(bench: Bench) -> Case:
    """One structured call as a whole process."""
    with bench.ground.service():
        rows = _processes(bench, bench.processes, bench.sizes.runs, "cold")
    case = Case("cold", "One structured call as a whole process", "ms", rows, baseline="exec")
    case.notes.append("answer: to the first byte on stdout. CPU: of it and all that it starts.")
    if not bench.ground.has_service:
        case.notes.append("The hook with a warm service is left out: this version has no service.")
    return case


def network_cold(bench: Bench, round_trip: float) -> Case:
    """The same behind a slow network."""
    with bench.relay(round_trip) as (_, port):
        # A service has its own way to the network.
        subjects = [one for one in bench.processes if one.key not in ("python", "hook-served")]
        subjects = [through(subject, port) for subject in subjects]
        rows = _processes(bench, subjects, bench.sizes.network, "network-cold")
    title = f"One structured call as a whole process, {round_trip:g} ms round trips"
    return Case("network-cold", title, "ms", rows, baseline="exec")


def _processes(bench: Bench, subjects: list[Subject], rounds: int, what: str) -> list[Row]:
    known = bench.known()
    rows = [Row.of(subject) for subject in subjects]
    runs: dict[str, list[Run]] = {row.key: [] for row in rows}

    def measure(subject: Subject) -> Callable[[int], None]:
        def once(number: int) -> None:
            found = run(subject.command, known)
            if number >= 0:
                runs[subject.key].append(found)

        return once

    in_turns([measure(subject) for subject in subjects], rounds, bench.progress(what))
    for row in rows:
        found = runs[row.key]
        row.values = [1000 * one.seconds for one in found]
        answered = [1000 * one.answered for one in found if one.answered is not None]
        if answered:
            row.more["answer"] = round(median_of(answered), 1)
        row.more["CPU"] = round(1000 * statistics.fmean(one.cpu for one in found), 1)
    return rows


def memory(bench: Bench) -> Case:
    """The most memory that each process of a cold call ever has."""
    known = bench.known()
    rows: list[Row] = []
    tell = bench.progress("memory")
    subjects = [subject for subject in bench.processes if subject.key != "hook-served"]
    for done, subject in enumerate(subjects):
        row = Row.of(subject)
        rounds = [run_watched(subject.command, known) for _ in range(3)]
        rounds = [found for found in rounds if found]
        if subject.key == "python":
            # It is gone before it can be looked at.
            rounds = [{"client": _interpreter(), "codex": 0}]
        if rounds and rounds[0]["client"]:
            row.values = [(found["client"] + found["codex"]) / 1024 for found in rounds]
            row.more["client"] = round(max(found["client"] for found in rounds) / 1024, 1)
            if child := max(found["codex"] for found in rounds):
                row.more["codex"] = round(child / 1024, 1)
        rows.append(row)
        tell(done + 1, len(subjects))
    case = Case("memory", "Peak memory of a cold call, the client and its codex", "MiB", rows, baseline="exec")
    case.notes.append("VmHWM, looked at every 2 ms.")
    return case


def _interpreter() -> int:
    """KiB of an interpreter that waits."""
    waiting = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = memory_of(process.pid).get("peak", 0)
        process.communicate(b"\n")
    return found


def imports(bench: Bench) -> Case:
    """What importing costs, with `-X importtime`, beyond what the interpreter loads by itself."""
    ground = bench.ground
    own, work = ground.own_environment, ground.work
    hook = ("-m", "codex_oauth", "hook", "codex")
    whole = ("-m", "codex_oauth", "classify", "--command", "git status", "--json")
    subjects: list[tuple[Row, tuple[str, ...], bytes]] = [
        (Row("package", "import codex_oauth", "ours"), ("-c", "import codex_oauth"), b""),
        (
            Row("client", "from codex_oauth import AsyncCodex", "ours"),
            ("-c", "from codex_oauth import AsyncCodex"),
            b"",
        ),
        (Row("hook", "all that a cold hook imports", "ours"), hook, ground.hook_input),
        (Row("classify", "all that a cold classify imports", "ours"), whole, b""),
    ]
    if any(subject.key == "sdk" for subject in bench.processes):
        subjects.append((Row("sdk", "import openai_codex", "peer"), ("-c", "import openai_codex"), b""))
    known = import_times(("-c", "pass"), env=own, cwd=work)

    def measure(row: Row, arguments: tuple[str, ...], stdin: bytes) -> Callable[[int], None]:
        def once(number: int) -> None:
            found = import_times(arguments, env=own, cwd=work, stdin=stdin)
            if number >= 0:
                row.values.append(milliseconds(found, known))
                row.more["modules"] = len(found.keys() - known.keys())

        return once

    in_turns([measure(*subject) for subject in subjects], bench.sizes.imports, bench.progress("imports"))
    case = Case("imports", "Import time", "ms", [row for row, _, _ in subjects], baseline="sdk")
    case.notes.append("Sum of -X importtime, which itself adds to it, without the modules of `python -c pass`.")
    return case
