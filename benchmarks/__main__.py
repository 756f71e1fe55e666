"""`python -m benchmarks`: every case in turns on the same stand-in, as tables, JSON and a picture."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import cold, endpoint, service, warm
from benchmarks.bench import Bench, Sizes
from benchmarks.figures import Case
from benchmarks.ground import Ground
from benchmarks.lines import Side
from benchmarks.machine import Load, machine, versions
from benchmarks.reach import Goal, goals
from benchmarks.running import adopt_orphans
from benchmarks.table import case_lines, heading_lines, reach_lines

__all__ = ("main",)

_CASES: Final[Mapping[str, Callable[[Bench], Case]]] = {
    "cold": cold.cold,
    "warm": warm.warm,
    "stream": warm.stream,
    "many": warm.many,
    "series": warm.series,
    "service": service.service,
    "endpoint": endpoint.endpoint,
    "traffic": warm.traffic,
    "memory": cold.memory,
    "imports": cold.imports,
}
_NETWORK: Final[Mapping[str, Callable[[Bench, float], Case]]] = {
    "network-cold": cold.network_cold,
    "network-warm": warm.network_warm,
}
_BEGIN, _END = "<!-- what `python -m benchmarks` printed: begin -->", "<!-- end -->"


def main() -> None:
    """Measure, and print tables; progress goes to stderr."""
    parser = _parser()
    options = parser.parse_args()
    wanted: list[str] = options.cases.split(",") if options.cases else [*_CASES, *_NETWORK]
    if unknown := [name for name in wanted if name not in _CASES and name not in _NETWORK]:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join((*_CASES, *_NETWORK))}")
    if options.rtt <= 0:
        wanted = [name for name in wanted if name not in _NETWORK]
    cases: dict[str, Case] = {}
    adopt_orphans()
    # An app-server that is still ending may hold a file of it.
    with (
        tempfile.TemporaryDirectory(prefix="codex-oauth-benchmarks-", ignore_cleanup_errors=True) as folder,
        Side.module("standin") as standin,
    ):
        ground = Ground(Path(folder).resolve(), standin)
        bench = Bench(ground, standin, Sizes.quick() if options.quick else Sizes.of(options.runs))
        about: dict[str, Any] = {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "machine": machine()}
        about["versions"] = versions(ground.codex)
        for name in wanted:
            with Load() as load:
                cases[name] = _NETWORK[name](bench, options.rtt) if name in _NETWORK else _CASES[name](bench)
            cases[name].load = load.found
            standin.ask("reset")
    reached = goals(cases)
    text = "\n\n".join(
        "\n".join(lines)
        for lines in (
            heading_lines(about["machine"], about["versions"], about["when"]),
            *(case_lines(case) for case in cases.values()),
            reach_lines(reached),
        )
    )
    print(text)
    _write(options, about, cases, reached, text)


def _write(
    options: argparse.Namespace, about: dict[str, Any], cases: Mapping[str, Case], reached: list[Goal], text: str
) -> None:
    if options.json is not None:
        chosen = {"runs": options.runs, "quick": options.quick, "rtt_ms": options.rtt}
        value = {
            **about,
            "options": chosen,
            "cases": {name: case.to_json() for name, case in cases.items()},
            "reach": [goal.to_json() for goal in reached],
        }
        options.json.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    if options.doc is not None:
        page = options.doc.read_text(encoding="utf-8")
        before, _, rest = page.partition(_BEGIN)
        _, found, after = rest.partition(_END)
        if not found:
            sys.exit(f"{options.doc}: has no place for the figures; it is between {_BEGIN} and {_END}")
        options.doc.write_text(f"{before}{_BEGIN}\n```text\n{text}\n```\n{_END}{after}", encoding="utf-8")
    if options.png is not None:
        from benchmarks.chart import draw

        found = about["machine"]
        where = f"{found['cpus']} x {found['cpu']}, codex {about['versions'].get('codex', '?')}, {about['when']}"
        draw(cases, options.png, f"Medians, and the middle half of the runs. {where}. The stand-in answers at once.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What a call costs in local time, memory and bytes, beside every other way to make it. "
        "All run in turns, on a stand-in for ChatGPT that answers at once. Ratios within one run are the result; the "
        "times themselves are this machine's.",
    )
    parser.add_argument("--cases", metavar="A,B", help=f"only these, of {', '.join((*_CASES, *_NETWORK))}")
    parser.add_argument("--runs", type=int, default=25, metavar="N", help="rounds of whole processes (default 25)")
    parser.add_argument("--quick", action="store_true", help="a few rounds of each, to see that everything works")
    parser.add_argument("--rtt", type=float, default=80.0, metavar="MS", help="round trip of the network (default 80)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw it; needs matplotlib")
    parser.add_argument("--doc", type=Path, metavar="FILE", help="put the tables into this page")
    return parser


if __name__ == "__main__":
    main()
