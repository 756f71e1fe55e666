"""The way to a turn on an app-server of its own, without an event loop: importing one takes as long as an app-server's
start.

It knows the way that a call goes where nothing is wrong. Whatever comes in between (`NotBegun`) is left to `Session`,
which tells one trouble from another, and tries again: nothing has been paid for by then. Nothing is imported here that
is needed once the turn has begun; the app-server's start leaves time for that.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections import deque
from collections.abc import Mapping

from codex_oauth.session.params import PROVIDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, cast

    from codex_oauth.thin.child import Started
else:

    def cast(_, value):
        return value


__all__ = ("RATE_LIMITS", "STDERR_TAIL", "Connection", "Ended", "Late", "NotBegun", "Opened", "open_turn", "params_of")

_READ_SIZE = 256 * 1024
_LONGEST_LINE = 64 * 1024 * 1024

RATE_LIMITS = "account/rateLimits/updated"

STDERR_TAIL = 16 * 1024
"""Bytes of stderr that are kept for error messages."""

_LAST_PIECES = 16
# A pipe holds less; somebody else may go on writing.

_LOOK = 0.1
"""Seconds between two calls of whoever looks at something meanwhile."""

_FIRST_OWN_ID = 10
# Below are the requests that were sent before this module was there.


def _nothing() -> None:
    pass


class NotBegun(Exception):
    """Something other than the usual happened before the turn was accepted; nothing was paid for."""


class Late(Exception):
    """The time is up."""


class Ended(Exception):
    """The app-server has ended the connection."""


class Connection:
    """Lines to and from an app-server's pipes.

    Args:
        started: The app-server's process.
        until: When the time is up, by `time.perf_counter()`.

    Attributes:
        until: The same; it may be changed.
        stderr: The last of what it wrote there.
        look: Called some ten times a second while something is waited for.
    """

    def __init__(self, started: Started, until: float) -> None:
        self.until = until
        self.stderr = b""
        self.look = _nothing
        self.pid = started.pid
        self._child = started
        self._poll = select.poll()
        self._poll.register(started.stdout, select.POLLIN)
        self._poll.register(started.stderr, select.POLLIN)
        self._rest: list[bytes] = []
        self._messages: deque[dict[str, Any]] = deque()
        self._outgoing = bytearray(started.unsent)
        self._ended = False
        self._number = _FIRST_OWN_ID
        self._write()

    def send(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a request; its number."""
        self._number += 1
        self.post({"id": self._number, "method": method, "params": params})
        return self._number

    def post(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        self._outgoing += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self._write()

    def response(self, number: int, about: str | None = None) -> dict[str, Any]:
        """The response to a request. Other responses that come before it are kept, and so are notifications about a
        thread, and the rate limits.

        Raises:
            Late, Ended: There is none.
        """
        kept: list[dict[str, Any]] = []
        while True:
            message = self.next()
            if message.get("id") == number and "method" not in message:
                break
            told = "method" in message and message["method"] != RATE_LIMITS
            if not told or (about and params_of(message).get("threadId") == about):
                kept.append(message)
        self._messages.extendleft(reversed(kept))
        return message

    def next(self) -> dict[str, Any]:
        """The next message that is not a question; those are declined.

        Raises:
            Late, Ended: There is none.
        """
        while True:
            while not self._messages:
                self._receive()
            message = self._messages.popleft()
            if "id" not in message or "method" not in message:
                return message
            self._decline(message["id"], str(message["method"]))

    def close(self) -> None:
        """End the app-server: it sees the end of its input. Nobody waits for it here."""
        for descriptor in (self._child.stdin, self._child.stdout, self._child.stderr):
            os.close(descriptor)

    def last_words(self, seconds: float) -> int | None:
        """Wait a moment for the exit status and the rest of stderr, which come just after the end of stdout."""
        until = time.perf_counter() + seconds
        code: int | None = None
        while code is None and time.perf_counter() < until:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                break  # where SIGCHLD is ignored, and a host may have left that to us, nobody can know it
            code = os.waitstatus_to_exitcode(status) if ended else None
            time.sleep(0 if ended else 0.005)
        for _ in range(_LAST_PIECES):
            if not (piece := _read(self._child.stderr)):
                break
            self.stderr = (self.stderr + piece)[-STDERR_TAIL:]
        return code

    def _write(self) -> None:
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._child.stdin, self._outgoing)]
        except BlockingIOError:
            self._poll.register(self._child.stdin, select.POLLOUT)
        except BrokenPipeError:
            self._outgoing.clear()  # the end of its output says the rest

    def _decline(self, number: Any, method: str) -> None:
        from codex_oauth.session.replies import refusal_of

        refusal = refusal_of(method)
        if refusal is None:
            self.post({"id": number, "error": {"code": -32601, "message": f"not supported: {method}"}})
        else:
            self.post({"id": number, "result": refusal})

    def _receive(self) -> None:
        if self._ended:
            raise Ended
        left = self.until - time.perf_counter()
        if left <= 0:
            raise Late
        ready = self._poll.poll(min(left, _LOOK) * 1000 + 1)
        self.look()
        for descriptor, _ in ready:
            if descriptor == self._child.stdin:
                self._poll.unregister(descriptor)
                self._write()
            elif descriptor == self._child.stderr:
                piece = _read(descriptor)
                self.stderr = (self.stderr + (piece or b""))[-STDERR_TAIL:]
                if piece == b"":
                    self._poll.unregister(descriptor)
            else:
                self._take(_read(descriptor))

    def _take(self, piece: bytes | None) -> None:
        if piece is None:
            return
        if not piece:
            self._ended = True
            return
        *lines, rest = piece.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest.clear()
        self._rest.append(rest)
        if sum(map(len, self._rest)) > _LONGEST_LINE:
            self._ended = True
        for line in lines:
            try:
                message: Any = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a stray print must not end everything
            if isinstance(message, dict):
                self._messages.append(cast("dict[str, Any]", message))


class Opened:
    """A turn that was asked for.

    Attributes:
        connection: Where it goes on.
        thread: The thread's id.
        model: The model that the thread was started with.
        account: What `account/read` said, of the kind that pays.
        codex_version: The app-server's version; None where it did not say.
        number: The number of the `turn/start`.
        at: When `initialize`, `account` and `thread` were reached, by `time.perf_counter()`.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.thread = ""
        self.model = ""
        self.account: dict[str, Any] = {}
        self.codex_version: str | None = None
        self.number = 0
        self.at: dict[str, float] = {}


def open_turn(
    connection: Connection,
    *,
    thread: Mapping[str, Any],
    ahead: Mapping[str, Any] | None,
    turn: Mapping[str, Any],
    meanwhile: Callable[[], None] = _nothing,
) -> Opened:
    """Ask for a turn, once it is known who pays and that the thread holds nothing else.

    Args:
        connection: To an app-server that was sent `initialize` as request 1, `account/read` as 2, and if a thread was
            asked for ahead, `thread/start` as 3.
        thread: What `thread/start` is to be sent with.
        ahead: What it was sent with.
        turn: What `turn/start` is to be sent with, but for the thread's id.
        meanwhile: What is done while the app-server starts.

    Raises:
        NotBegun: It is not all as it should be.
        Late: The time is up.
    """
    number = 3 if thread == ahead else connection.send("thread/start", thread)
    meanwhile()
    opened = Opened(connection)
    try:
        agent: str = connection.response(1)["result"]["userAgent"]
        opened.codex_version = agent.split("/", 1)[-1].split(" ", 1)[0] or None
        opened.at["initialize"] = time.perf_counter()
        opened.account = connection.response(2)["result"]["account"]
        opened.at["account"] = time.perf_counter()
        if opened.account["type"] != "chatgpt":
            raise NotBegun("another wallet")
        answer = connection.response(number)["result"]
        opened.at["thread"] = time.perf_counter()
        if answer.get("instructionSources") or answer["modelProvider"] != PROVIDER:
            raise NotBegun("the thread is not what was asked for")
        opened.thread, opened.model = str(answer["thread"]["id"]), str(answer["model"])
    except Ended as error:
        raise NotBegun("the app-server has ended") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise NotBegun("an answer is not what it should be") from error
    opened.number = connection.send("turn/start", {**turn, "threadId": opened.thread})
    return opened


def params_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """A notification's params."""
    params: Any = message.get("params")
    return cast("dict[str, Any]", params) if isinstance(params, dict) else {}


def _read(descriptor: int) -> bytes | None:
    """What is there; empty at the end, None where nothing is there yet."""
    try:
        return os.read(descriptor, _READ_SIZE)
    except BlockingIOError:
        return None
