"""The stand-in as a process of its own: `python -m benchmarks.standin`, told what to do by JSON lines.

A process of its own, so that its work is never the client's, and one for all subjects, so that all meet the same.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from benchmarks.lines import serve
from codex_oauth.testing import Json, LoopbackChatGPT, ModelRequest, Slow, Text
from codex_oauth.testing.responses import Event, render

__all__ = ("main",)

STORY: Final = "One word after the other comes down the line, and the first of them is the one that counts. "
"""What is streamed where no schema is asked for."""


class StandIn:
    """What the lines can ask for."""

    def __init__(self, chatgpt: LoopbackChatGPT, verdict: dict[str, Any]) -> None:
        self._chatgpt = chatgpt
        self._reply = Json(verdict)
        self._seconds = 0.0
        chatgpt.default = self._answer

    def answer(self, do: str, line: dict[str, Any]) -> dict[str, Any]:
        """Do what a line says, and say what is to be said back."""
        match do:
            case "environment":
                return dict(self._chatgpt.environment)
            case "sign_in":
                self._chatgpt.sign_in(Path(line["home"]), expires_in=30 * 86_400)
            case "turns_take":
                self._seconds = float(line["seconds"])
            case "reset":
                self._chatgpt.reset()
            case "record":
                return self._record()
            case "request":
                return self._last_request()
            case "cpu":
                return {"seconds": time.process_time()}
            case _:
                raise ValueError(do)
        return {}

    def _answer(self, request: ModelRequest) -> Slow | Json | Text:
        reply = Text(STORY, chunks=20) if request.schema is None else self._reply
        if not self._seconds:
            return reply
        # Spread over the events, as a model's own time is, and not before the prewarm, which no model answers.
        events = sum(isinstance(step, Event) for step in render(reply, "resp_0"))
        return Slow(reply, self._seconds / events)

    def _record(self) -> dict[str, Any]:
        turns, prewarms = self._chatgpt.model_requests, self._chatgpt.prewarms
        paths = Counter(f"{request.method} {request.host}{request.path}" for request in self._chatgpt.requests)
        return {
            "requests": dict(paths),
            "connections": dict(self._chatgpt.connections),
            "refused": dict(self._chatgpt.refused),
            "turns": len(turns),
            "transports": dict(Counter(request.transport for request in turns)),
            "prewarms": len(prewarms),
            "bytes": sum(request.size for request in (*turns, *prewarms)),
            "tools": max((len(request.tools) for request in turns), default=0),
        }

    def _last_request(self) -> dict[str, Any]:
        """What the last turn said to the model: for peers to say the same."""
        last = self._chatgpt.model_requests[-1]
        instructions = [
            part["text"]
            for item in last.context
            if item.get("type") == "message" and item.get("role") == "developer"
            for part in item["content"]
        ]
        effort = last.body["reasoning"]["effort"]
        return {
            "instructions": "\n".join(instructions),
            "prompt": last.text,
            "schema": last.schema,
            "model": last.model,
            "effort": effort,
        }


def main() -> None:
    """Serve until stdin ends."""
    verdict = {"reason": "Shows the state and changes nothing.", "rule": "read-only", "behavior": "allow"}
    with LoopbackChatGPT() as chatgpt:
        serve(StandIn(chatgpt, {**verdict, "deny_message": ""}).answer, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
