"""This package, kept: `python -m benchmarks.workers.ours REQUEST [--blocking]`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio

from benchmarks.lines import serve
from benchmarks.workers.measuring import checked, memory_of, timed
from codex_oauth import AsyncCodex, Codex, TextDelta

__all__ = ("main",)


class AsyncWorker:
    """What the lines can ask for, with `AsyncCodex`."""

    def __init__(self, codex: AsyncCodex, request: dict[str, Any]) -> None:
        self._codex = codex
        self._asked = {"instructions": request["instructions"], "model": request["model"], "effort": request["effort"]}
        self._prompt, self._schema = request["prompt"], request["schema"]

    async def answer(self, do: str, line: dict[str, Any]) -> Mapping[str, Any]:
        """Do what a line says."""
        match do:
            case "turn":
                with timed() as result:
                    await self._turn()
                return result
            case "series":
                with timed() as result:
                    for _ in range(line["count"]):
                        await self._turn()
                return result
            case "many":
                with timed() as result:
                    async with anyio.create_task_group() as tasks:
                        for _ in range(line["count"]):
                            tasks.start_soon(self._turn)
                return result
            case "stream":
                return await self._stream()
            case "memory":
                return memory()
            case _:
                raise ValueError(do)

    async def _turn(self) -> None:
        reply = await self._codex.complete(self._prompt, output=self._schema, timeout=120, **self._asked)
        checked(reply.output)

    async def _stream(self) -> dict[str, Any]:
        first = None
        with timed() as result:
            began = time.perf_counter()
            async with self._codex.stream(self._prompt, output=None, **self._asked) as events:
                async for event in events:
                    if first is None and isinstance(event, TextDelta):
                        first = time.perf_counter() - began
        return {**result, "first": first}


class BlockingWorker:
    """The same with `Codex`."""

    def __init__(self, codex: Codex, request: dict[str, Any]) -> None:
        self._codex = codex
        self._request = request

    def answer(self, do: str, line: dict[str, Any]) -> Mapping[str, Any]:
        """Do what a line says."""
        match do:
            case "turn":
                with timed() as result:
                    self._turn()
                return result
            case "series":
                with timed() as result:
                    for _ in range(line["count"]):
                        self._turn()
                return result
            case "many":
                with timed() as result, ThreadPoolExecutor(line["count"]) as pool:
                    for done in [pool.submit(self._turn) for _ in range(line["count"])]:
                        done.result()
                return result
            case "memory":
                return memory()
            case _:
                raise ValueError(do)

    def _turn(self) -> None:
        asked = self._request
        reply = self._codex.complete(
            asked["prompt"],
            instructions=asked["instructions"],
            output=asked["schema"],
            model=asked["model"],
            effort=asked["effort"],
        )
        checked(reply.output)


def memory() -> Mapping[str, Any]:
    """This process's, and the app-server's: of its children the one that takes most."""
    pids = [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    child = max((memory_of(pid) for pid in pids), key=lambda found: found.get("peak", 0), default=dict[str, int]())
    return {"client": memory_of(None), "codex": child}


async def serve_lines(request: dict[str, Any]) -> None:
    """Like `lines.serve`, without blocking the event loop between two lines."""
    rest = b""
    async with AsyncCodex() as codex:
        worker = AsyncWorker(codex, request)
        while True:
            while b"\n" not in rest:
                await anyio.wait_readable(0)
                piece = os.read(0, 65_536)
                if not piece:
                    return
                rest += piece
            line, _, rest = rest.partition(b"\n")
            wanted: dict[str, Any] = json.loads(line)
            answer = await worker.answer(wanted.pop("do"), wanted)
            os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Serve until stdin ends."""
    request: dict[str, Any] = json.loads(Path(sys.argv[1]).read_bytes())
    if sys.argv[2:] == ["--blocking"]:
        with Codex() as codex:
            serve(BlockingWorker(codex, request).answer, sys.stdin.buffer, sys.stdout.buffer)
    else:
        anyio.run(serve_lines, request)


if __name__ == "__main__":
    main()
