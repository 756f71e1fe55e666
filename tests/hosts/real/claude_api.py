"""The model of a Claude Code that is the host: `POST /v1/messages` on 127.0.0.1, its words scripted."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias, cast

from tests.hosts.real.gate_model import SAID

__all__ = ("Block", "ClaudeAPI", "tool_use")

Block: TypeAlias = dict[str, Any]


def tool_use(name: str, call_id: str, **arguments: Any) -> Block:
    """The call of a tool, as a block of an answer."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


class ClaudeAPI:
    """A service that answers each request with the next message of its script."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._script = deque[Sequence[Block]]()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="claude-api", daemon=True)

    @property
    def url(self) -> str:
        """Where it is: ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def play(self, *messages: Sequence[Block]) -> None:
        """What the model answers next; after that it says `SAID`."""
        self._script.clear()
        self._script.extend(messages)

    def reset(self) -> None:
        """Forget what was asked and what is to be played."""
        self.requests.clear()
        self._script.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if not self.path.startswith("/v1/messages?"):
                    self.send_error(404)
                    return
                data = answer(json.loads(body)).encode()
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
                """Nothing: a test's output is for what fails."""

        return Handler

    def _answer(self, request: dict[str, Any]) -> str:
        self.requests.append(request)
        content = self._script.popleft() if self._script else [{"type": "text", "text": SAID}]
        name = f"msg_{len(self.requests)}"
        events = _events(name, str(request.get("model", "")), content)
        return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _events(name: str, model: str, content: Sequence[Block]) -> Iterator[Block]:
    message: Block = {
        "id": name,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(content):
        if block["type"] == "tool_use":
            empty: Block = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            empty = {**block, "text": ""}
            delta = {"type": "text_delta", "text": cast("str", block["text"])}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    calls = any(block["type"] == "tool_use" for block in content)
    stop = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}
