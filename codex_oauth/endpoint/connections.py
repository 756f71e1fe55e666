"""uvicorn's HTTP/1.1 connections, with the bounds that they lack.

uvicorn waits for ever for a request's head, for what follows a request that was refused before its body had come, and
for a client to read its answer; its `limit_concurrency` counts idle connections and turns away whoever comes next,
however honest. Here a head has ten seconds, the rest of a refused body five, and a client that reads nothing sixty; and
where too many connections are open, the one that has been waited for longest is closed, so that whoever comes next is
served.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("HEAD_BYTES", "KEEP_ALIVE", "OPEN", "bounded_protocol")

OPEN: Final = 512
"""Connections at once."""

HEAD_BYTES: Final = 32 * 1024
"""Bytes of a request's head."""

KEEP_ALIVE: Final = 75
"""Seconds that a connection may be idle between two requests."""

_HEAD_PATIENCE: Final = 10.0
_REST_PATIENCE: Final = 5.0
# Seconds for a request's head from its first byte on (or from the connection's), and for what is left of a body that
# nobody wants, before the connection is closed: one that is closed at once may lose the answer on its way.

_WRITE_PATIENCE: Final = 60.0
"""Seconds for a client to take what is ready for it, some 64 KiB, before the connection is closed."""

_BROKEN: Final = json.dumps(
    {
        "error": {
            "message": "this is not a request of HTTP/1.1, or its head is too large",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_http",
        }
    }
).encode()


def bounded_protocol(
    *,
    most: int = OPEN,
    head_patience: float = _HEAD_PATIENCE,
    rest_patience: float = _REST_PATIENCE,
    write_patience: float = _WRITE_PATIENCE,
) -> type[H11Protocol]:
    """The class of one server's connections.

    Args:
        most: Connections at once; those that have sent no whole request are closed for new ones, and others never are.
        head_patience: Seconds for a request's head.
        rest_patience: Seconds for the rest of a body that was refused.
        write_patience: Seconds for a client to take a part of its answer.
    """
    # Those that wait for a request, or for the rest of one: the one that has waited longest first.
    idle: dict[Any, None] = {}

    class BoundedProtocol(H11Protocol):
        """One connection."""

        _timer: Any = None
        _writing: Any = None
        _resting = False

        def connection_made(self, transport: Any) -> None:  # type: ignore[override]
            super().connection_made(transport)
            idle[self] = None
            if len(self.connections) > most and (oldest := next(iter(idle))) is not self:
                # Its end is told later, when more may have come.
                del idle[oldest]
                oldest.transport.abort()
            self._within(head_patience, self._expire)

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel()
            if self._writing is not None:
                self._writing.cancel()
            idle.pop(self, None)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_served():
                self._cancel()
                self._resting = False
                if not self.cycle.more_body:
                    idle.pop(self, None)
            elif self.transport.is_closing():
                return
            elif self._timer is None or (self._resting and self.conn.their_state is not h11.SEND_BODY):
                # The next request's head has begun, or would be welcome.
                self._resting = False
                self._within(head_patience, self._expire)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.transport.is_closing():
                return
            if self.conn.their_state is h11.SEND_BODY:
                self._resting = True
                self._within(rest_patience, self.transport.close)
            elif not self._is_served():
                self._cancel()
                idle.pop(self, None)
                idle[self] = None
                if self.conn.trailing_data[0]:
                    # A part of the next head came with this request.
                    self._within(head_patience, self._expire)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._writing = self.loop.call_later(write_patience, self._expire)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._writing.cancel()

        def send_400_response(self, msg: str) -> None:
            del msg
            if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                # In the middle of an answer, or after it.
                self.transport.close()
                return
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(_BROKEN)).encode()),
                (b"connection", b"close"),
            ]
            head = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=_BROKEN), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _is_served(self) -> bool:
            cycle: Any = self.cycle
            return cycle is not None and not cycle.response_complete

        def _expire(self) -> None:
            # Without a word: an answer to a request that was not made would be taken for that to the next one.
            self.transport.abort()

        def _within(self, seconds: float, act: Callable[[], None]) -> None:
            self._cancel()
            self._timer = self.loop.call_later(seconds, act)

        def _cancel(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return BoundedProtocol
