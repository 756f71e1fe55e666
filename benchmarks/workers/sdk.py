# pyright: basic, reportMissingImports=false
"""The official SDK, kept open: `python -m benchmarks.workers.sdk CODEX REQUEST`."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from openai_codex import ApprovalMode, Codex, CodexConfig, Sandbox, Thread

from benchmarks.lines import serve
from benchmarks.workers.measuring import checked, memory_of, timed

__all__ = ("main",)


class SdkWorker:
    """What the lines can ask for. The blocking client in threads: the asynchronous one uses threads too, and fewer."""

    def __init__(self, codex: Codex, request: dict[str, Any]) -> None:
        self._codex = codex
        self._request = request

    def answer(self, do: str, line: dict[str, Any]) -> dict[str, Any]:
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
            case "stream":
                return self._stream()
            case "memory":
                # The SDK does not say which process is its own; it is the only one.
                children = Path("/proc/self/task").glob("*/children")
                pid = next((int(pid) for file in children for pid in file.read_text().split()), -1)
                return {"client": memory_of(None), "codex": memory_of(pid)}
            case _:
                raise ValueError(do)

    def _thread(self) -> Thread:
        return self._codex.thread_start(
            approval_mode=ApprovalMode.deny_all,
            base_instructions=self._request["instructions"],
            ephemeral=True,
            model=self._request["model"],
            sandbox=Sandbox.read_only,
        )

    def _turn(self) -> None:
        asked = self._request
        result = self._thread().run(asked["prompt"], effort=asked["effort"], output_schema=asked["schema"])
        checked(json.loads(result.final_response or ""))

    def _stream(self) -> dict[str, Any]:
        first = None
        with timed() as result:
            began = time.perf_counter()
            for event in self._thread().turn(self._request["prompt"], effort=self._request["effort"]).stream():
                if first is None and event.method == "item/agentMessage/delta":
                    first = time.perf_counter() - began
        return {**result, "first": first}


def main() -> None:
    """Serve until stdin ends."""
    codex_bin, path = sys.argv[1:]
    with Codex(CodexConfig(codex_bin=codex_bin)) as codex:
        worker = SdkWorker(codex, json.loads(Path(path).read_bytes()))
        serve(worker.answer, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
