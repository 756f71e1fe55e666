"""One request and its answer, and what is told about both afterwards."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codex_oauth.endpoint.access import agent_of
from codex_oauth.endpoint.bodies import Receive
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.endpoint.tally import Call, route_of
from codex_oauth.types import Account, Usage

if TYPE_CHECKING:
    from codex_oauth.endpoint.asked import Asked
    from codex_oauth.types import Reply

__all__ = ("CLIENT_GONE", "Exchange", "Send")

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CLIENT_GONE: Final = 499
"""What stands for the status where the client had left before there was one."""

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream; charset=utf-8"

_LONGEST_LIST: Final = 1_000
"""Characters of a header that lists parameters. Clients read no header of any length."""
_LONGEST_NAME: Final = 60
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.$-]")


class Exchange:
    """A request, from its head on.

    Attributes:
        id: 32 hexadecimal digits: what its answer and its line in the log can be found by.
        at: When it came, in seconds since 1970.
        method: As sent.
        path: Without a query.
        query: The query, undecoded.
        headers: Names in lower case, the last value of each.
        receive: Brings the body, and word of a client that leaves.
        status: What was answered; None until then.
        complete: Whether all of the answer has been sent.
        asked: What it asks for, once that is read.
        error: The code of what went wrong.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self._began = time.perf_counter()
        self.at = time.time()
        self.id = os.urandom(16).hex()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive
        self._send = send
        self.status: int | None = None
        self.complete = False
        self.asked: Asked | None = None
        self.error: str | None = None
        self.account: Account | None = None
        self._reply: Reply[Any] | None = None
        self._wasted: Usage | None = None
        self._first: float | None = None
        self._streamed = False

    @property
    def begun(self) -> bool:
        """Whether the answer has begun, so that its status cannot change any more."""
        return self.status is not None

    def elapsed(self) -> float:
        """Milliseconds since the request came."""
        return (time.perf_counter() - self._began) * 1000

    def replied(self, reply: Reply[Any]) -> None:
        """Keep what is told about a reply. None of its content is."""
        self._reply = reply
        self.account = reply.account

    # --- the answer ---------------------------------------------------------------------------------------------

    async def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole answer."""
        self.status, self.complete = status, True
        await self._send(self._head(status, {**headers, "content-length": str(len(body))}))
        await self._send({"type": "http.response.body", "body": body})

    async def answer_json(self, value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send a JSON value."""
        # Half a surrogate pair, out of a request's own words, has no other form.
        body = json.dumps(value, ensure_ascii=status != 200, separators=(",", ":")).encode()
        await self.answer(status, body, {"content-type": _JSON, **(headers or {})})

    def failed(self, error: ApiError) -> None:
        """Keep what went wrong."""
        self.error = error.code or error.type
        self._wasted = error.usage

    async def refuse(self, error: ApiError) -> None:
        """Send an error."""
        self.failed(error)
        await self.answer_json(error.body(), status=error.status, headers=error.headers)

    async def write(self, piece: bytes) -> None:
        """Send a piece of a stream of events, and its beginning before the first one. Waits for a client that is slow
        to read; one that does not read at all loses its connection."""
        if self.status is None:
            self.status, self._streamed = 200, True
            self._first = self.elapsed()
            await self._send(self._head(200, {"content-type": _EVENTS}))
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """End a stream."""
        self.complete = True
        await self._send({"type": "http.response.body", "body": b""})

    def _head(self, status: int, headers: Mapping[str, str]) -> dict[str, Any]:
        given = {
            "x-request-id": self.id,
            "openai-processing-ms": str(round(self.elapsed())),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        if (account := self.account) is not None:
            given["x-codex-oauth-account"] = f"{account.kind} {account.plan or ''}".strip()
        if self.asked is not None:
            if self.asked.ignored:
                given["x-codex-oauth-ignored"] = _listed(self.asked.ignored)
            # Until a model was found that has it, it is the client's own word.
            if self.asked.effort is not None and status == 200:
                given["x-codex-oauth-effort"] = self.asked.effort
        given.update(headers)
        encoded = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in given.items()]
        return {"type": "http.response.start", "status": status, "headers": encoded}

    # --- what is told -------------------------------------------------------------------------------------------

    def call(self) -> Call:
        """For the tally."""
        reply, asked = self._reply, self.asked
        return Call(
            route=route_of(self.path),
            status=self.status or CLIENT_GONE,
            ms=self.elapsed(),
            # What has cost something has run.
            model=reply.model if reply else asked.model if asked and self._wasted else None,
            effort=reply.effort if reply else None,
            first_ms=self._first,
            usage=reply.usage if reply else self._wasted or Usage(),
            finish=reply.finish if reply else None,
            error=self.error,
            streamed=self._streamed,
            tools=len(asked.tools) if asked else 0,
        )

    def line(self, call: Call) -> dict[str, Any]:
        """For the access log."""
        reply, usage = self._reply, call.usage
        account = self.account
        return {
            "time": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds"),
            "id": self.id,
            "method": self.method if self.method.isalpha() and len(self.method) < 10 else "other",
            "route": call.route,
            "status": call.status,
            "ms": round(call.ms, 1),
            "first_ms": None if call.first_ms is None else round(call.first_ms, 1),
            "model": call.model,
            "effort": call.effort,
            "tokens": None
            if reply is None and self._wasted is None
            else {
                "input": usage.input,
                "cached": usage.cached,
                "output": usage.output,
                "reasoning": usage.reasoning,
            },
            "finish": call.finish,
            "account": account.kind if account else None,
            "plan": account.plan if account else None,
            "error": call.error,
            "stream": call.streamed or None,
            "agent": agent_of(self.headers.get(b"user-agent", b"")),
        }


def _listed(names: Iterable[str]) -> str:
    """Names as a header's value. Some are a client's own words, of any length and any characters."""
    shown = list(dict.fromkeys(_NO_NAME.sub("?", name[:_LONGEST_NAME]) for name in names))
    text = ", ".join(shown)
    if len(text) <= _LONGEST_LIST:
        return text
    return text[:_LONGEST_LIST].rpartition(", ")[0] + ", ..."
