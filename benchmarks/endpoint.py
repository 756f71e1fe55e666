"""The case of the endpoint: a warm chat completion over HTTP beside the warm call of the library."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from importlib.util import find_spec
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Case, Row, in_turns
from benchmarks.ground import Endpoint
from benchmarks.lines import Side
from benchmarks.warm import SETTLE
from benchmarks.workers.measuring import checked

__all__ = ("endpoint",)


def endpoint(bench: Bench) -> Case:
    """One call through `serve --http`, over a connection that is kept, in turns with the library's."""
    ours = [subject for subject in bench.workers if subject.key == "ours"]
    row = Row("endpoint", "POST /v1/chat/completions", "ours")
    case = Case("endpoint", "One warm call through the endpoint", "ms", [row], baseline="ours")
    if find_spec("uvicorn") is None:
        return case
    with bench.open_workers(ours) as ((library, side),), bench.ground.endpoint() as served:
        case.rows.insert(0, library)
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        measures = [_library(library, side), _chat(row, connection, served, bench.ground.request)]
        in_turns(measures, bench.sizes.turns, bench.progress("endpoint"), warm_up=3)
        connection.close()
    case.notes.append(
        "The same question and schema. A connection of Python's own http.client, kept open; its JSON is parsed."
    )
    return case


def _library(row: Row, side: Side) -> Callable[[int], None]:
    def once(number: int) -> None:
        found = side.ask("turn")
        if number >= 0:
            row.values.append(1000 * found["seconds"])
        time.sleep(SETTLE)

    return once


def _chat(row: Row, connection: HTTPConnection, served: Endpoint, asked: dict[str, Any]) -> Callable[[int], None]:
    value = {
        "model": asked["model"],
        "reasoning_effort": asked["effort"],
        "messages": [
            {"role": "system", "content": asked["instructions"]},
            {"role": "user", "content": asked["prompt"]},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": asked["schema"]},
        },
    }
    headers = {"authorization": f"Bearer {served.token}", "content-type": "application/json"}

    def once(number: int) -> None:
        began = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", json.dumps(value).encode(), headers)
        answer = connection.getresponse()
        completion = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"the endpoint answered {answer.status}: {completion}")
        checked(json.loads(completion["choices"][0]["message"]["content"]))
        if number >= 0:
            row.values.append(1000 * (time.perf_counter() - began))
        time.sleep(SETTLE)

    return once
