"""The bare drivers, kept: `python -m benchmarks.workers.bare CODEX REQUEST [--tuned AHEAD [--ready]]`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.lines import serve
from benchmarks.peers import bare, tuned
from benchmarks.workers.measuring import checked, memory_of, timed

__all__ = ("main",)


class BareWorker:
    """What the lines can ask for."""

    def __init__(self, driver: bare.Driver | tuned.Driver) -> None:
        self._driver = driver

    def answer(self, do: str, line: dict[str, Any]) -> dict[str, Any]:
        """Do what a line says."""
        match do:
            case "turn":
                with timed() as result:
                    checked(self._driver.turn())
                self._driver.after()
                self._driver.idle()
                return result
            case "series":
                return self._series(line["count"])
            case "many":
                return self._many(line["count"])
            case "stream":
                return self._stream()
            case "memory":
                return {"client": memory_of(None), "codex": memory_of(self._driver.pid)}
            case _:
                raise ValueError(do)

    def _series(self, count: int) -> dict[str, Any]:
        with timed() as result:
            for _ in range(count):
                checked(self._driver.turn())
                self._driver.after()
        return result

    def _many(self, count: int) -> dict[str, Any]:
        driver = self._driver
        texts: dict[str, str] = {}
        left = count
        with timed() as result:
            for number in range(count):
                driver.send({"id": 1_000_000 + number, "method": "thread/start", "params": driver.thread()})
            while left:
                message = driver.receive()
                params = message.get("params", {})
                if message.get("id", 0) >= 1_000_000:
                    question = driver.question(message["result"]["thread"]["id"])
                    driver.send({"id": 2, "method": "turn/start", "params": question})
                elif message.get("method") == "item/completed" and params["item"]["type"] == "agentMessage":
                    texts[params["threadId"]] = params["item"]["text"]
                elif message.get("method") == "turn/completed":
                    checked(json.loads(texts[params["threadId"]]))
                    driver.send({"id": 2, "method": "thread/unsubscribe", "params": {"threadId": params["threadId"]}})
                    left -= 1
        return result

    def _stream(self) -> dict[str, Any]:
        driver = self._driver
        first = None
        with timed() as result:
            began = time.perf_counter()
            question = driver.question(driver.start(), schema=False)
            driver.send({"id": 2, "method": "turn/start", "params": question})
            while (message := driver.receive()).get("method") != "turn/completed":
                if first is None and message.get("method") == "item/agentMessage/delta":
                    first = time.perf_counter() - began
        driver.after()
        driver.idle()
        return {**result, "first": first}

    def close(self) -> None:
        """End the app-server."""
        self._driver.close()


def main() -> None:
    """Serve until stdin ends."""
    codex, path, *more = sys.argv[1:]
    request: dict[str, Any] = json.loads(Path(path).read_bytes())
    if more[:1] == ["--tuned"]:
        driver = tuned.Driver(tuned.spawn(codex), request, ahead=int(more[1]), ready="--ready" in more)
    else:
        driver = bare.Driver(codex, request)
    worker = BareWorker(driver)
    serve(worker.answer, sys.stdin.buffer, sys.stdout.buffer)
    worker.close()


if __name__ == "__main__":
    main()
