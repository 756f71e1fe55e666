"""Threads that are started before a call wants them: most of a warm call's local time is what a new thread waits for.

A spare thread is one that no turn has run on. It holds the instructions, the model and the effort of calls that were
made, and nothing of their input; it serves one call, and is let go of afterwards like any other. codex opens its
connection and sends the instructions with `generate: false`, which the model does not answer.

A thread's first turn waits for the person's settings, which codex asks the service for; three round trips. Items that
are added to a thread make it ask for them earlier, and an item of a type that it does not know is dropped on the way:
so a spare is given one, and its turn begins at once.
"""

from __future__ import annotations

import json
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codex_oauth.jsonrpc import Dispatcher, PendingResponse
from codex_oauth.protocol import THREAD_INJECT_ITEMS, THREAD_START, THREAD_UNSUBSCRIBE
from codex_oauth.session.request import TurnRequest
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import ThreadStartParams, ThreadStartResponse

__all__ = ("LIFETIME", "MOST", "MOST_SETS", "Spares", "send_thread_start")

Start: TypeAlias = "PendingResponse[ThreadStartResponse]"
_Key: TypeAlias = "tuple[str | None, str | None, str | None, str, bool]"

MOST: Final = 4
"""Spares of one set of parameters, where that many calls run at once."""

MOST_SETS: Final = 4
"""Sets of parameters that have spares: those that were used last."""

LIFETIME: Final = 90.0
"""Seconds that a spare is kept for, as connections in a pool commonly are. One that the service has closed costs its
turn a few milliseconds, but one that a router has forgotten would be waited for."""

_SOONER: Final = 0.5
# How much more is wanted after a call that came before its thread was ready.

_LONGEST: Final = 64 * 1024
# Characters of instructions that are kept in memory for a call that may never come.

_NOTHING: Final = {"type": "nothing"}


@dataclass(slots=True, eq=False)
class _Spare:
    lifetime: float
    since: float = field(default_factory=time.monotonic)
    since_by_the_wall: float = field(default_factory=time.time)
    start: Start | None = None
    settings: PendingResponse[Any] | None = None

    @property
    def is_ready(self) -> bool:
        return self.settings is not None and self.settings.arrived

    @property
    def is_waited_for(self) -> bool:
        """Whether the app-server is still at work for it."""
        if self.settings is not None:
            return not self.settings.arrived
        return self.start is not None and not self.start.arrived

    @property
    def left(self) -> float:
        """Seconds that it is good for. The one clock stands still while the machine sleeps, and the other is set."""
        age = max(time.monotonic() - self.since, time.time() - self.since_by_the_wall)
        return self.lifetime - age


@dataclass(slots=True, eq=False)
class _Set:
    """What is kept for calls of the same instructions, model and effort."""

    params: ThreadStartParams
    spares: deque[_Spare] = field(default_factory=deque[_Spare])
    good: int = 0
    running: int = 0
    usual: float = 1.0

    @property
    def wanted(self) -> int:
        """How many spares: as many as there are calls at once, lately."""
        return max(1, min(MOST, math.floor(self.usual + 0.5)))


class Spares:
    """The spare threads of one app-server.

    Args:
        dispatcher: The connection.
        params: What a thread for a request is started with.
        calm: Whether nothing is amiss with the sign-in. Where the service refuses the token, making a spare ready
            begins a loop of refreshes (0.163).
        lifetime: Seconds that a spare is kept for.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        params: Callable[[TurnRequest], ThreadStartParams],
        calm: Callable[[], bool],
        *,
        lifetime: float = LIFETIME,
    ) -> None:
        self._lifetime = lifetime
        self._dispatcher = dispatcher
        self._params = params
        self._calm = calm
        self._sets: OrderedDict[_Key, _Set] = OrderedDict()
        self._closed = False

    def __len__(self) -> int:
        return sum(len(one.spares) for one in self._sets.values())

    def take(self, request: TurnRequest) -> Start | None:
        """A spare for this request, that nobody else gets; None where there is none. The oldest that is there comes
        first."""
        one = self._sets.get(_key(request))
        while one is not None and one.spares and one.spares[0].left <= 0:
            _abandon(one.spares.popleft())
        if one is None or not one.spares:
            return None
        spare = next((spare for spare in one.spares if spare.is_ready), one.spares[0])
        one.spares.remove(spare)
        if not spare.is_ready:
            one.usual = min(MOST, one.usual + _SOONER)  # calls follow each other faster than threads are made ready
        return spare.start

    def begin(self, request: TurnRequest) -> None:
        """A call with these parameters has its thread."""
        key = _key(request)
        if self._closed or len(request.instructions or "") > _LONGEST:
            return
        one = self._sets.get(key)
        if one is None:
            one = self._sets[key] = _Set(self._params(request))
            if len(self._sets) > MOST_SETS:
                _, oldest = self._sets.popitem(last=False)
                self._drop(oldest)
        self._sets.move_to_end(key)
        one.running += 1
        one.usual += (min(one.running, MOST) - one.usual) / 8

    def end(self, request: TurnRequest, *, good: bool) -> None:
        """That call is over; the next one like it gets a thread that is there, if this was not the first of them."""
        one = self._sets.get(_key(request))
        if one is None:
            return
        one.running = max(0, one.running - 1)  # the set may be a later one of the same name
        one.good = one.good + 1 if good else 0
        if one.good > 1 and one.running <= MOST:
            self._fill(one, 1)

    def fill(self, *, idle: bool) -> None:
        """Start what is missing, now that there is time.

        Args:
            idle: Whether no call runs, and none has for a while: then the last call gets a successor even if it was the
                only one. A client that is left after its one call has none started.
        """
        for one in self._sets.values():
            # In a rush the app-server has enough to do, and a few spares would make no difference to it.
            if one.running <= MOST and (one.good > 1 or (one.good and one.running)):
                self._fill(one, MOST if idle else 1)
        if idle and self._sets and (last := next(reversed(self._sets.values()))).good:
            self._fill(last, 1)

    @property
    def busy(self) -> bool:
        """Whether the app-server is still at work for one."""
        return any(spare.is_waited_for for one in self._sets.values() for spare in one.spares)

    def drop_old(self) -> float | None:
        """Let go of spares that have waited for too long; seconds until the next one has, None if there is none."""
        first: float | None = None
        for key, one in list(self._sets.items()):
            while one.spares and one.spares[0].left <= 0:
                _abandon(one.spares.popleft())
            if one.spares:
                first = min(one.spares[0].left, first or self._lifetime)
            elif not one.running:
                # Its instructions are somebody's words.
                del self._sets[key]
        return first

    def close(self) -> None:
        """Let go of all, and start no more."""
        self._closed = True
        for one in self._sets.values():
            self._drop(one)
        self._sets.clear()

    def _drop(self, one: _Set) -> None:
        while one.spares:
            _abandon(one.spares.popleft())

    def _fill(self, one: _Set, most: int) -> None:
        for _ in range(min(most, one.wanted - len(one.spares))):
            if self._closed or self._dispatcher.closed or not self._calm():
                return
            spare = _Spare(self._lifetime)
            one.spares.append(spare)
            spare.start = send_thread_start(self._dispatcher, one.params, on_result=partial(self._make_ready, spare))

    def _make_ready(self, spare: _Spare, answer: Mapping[str, Any]) -> None:
        if (thread_id := _thread_id(answer)) is not None:
            spare.settings = self._dispatcher.send(THREAD_INJECT_ITEMS, {"threadId": thread_id, "items": [_NOTHING]})


def _abandon(spare: _Spare) -> None:
    if spare.start is not None:
        spare.start.abandon()


def send_thread_start(
    dispatcher: Dispatcher, params: ThreadStartParams, on_result: Callable[[Mapping[str, Any]], None] | None = None
) -> Start:
    """Ask for a thread; one that nobody waits for any more when it comes is let go of at once."""

    def unload(answer: Mapping[str, Any]) -> None:
        if (thread_id := _thread_id(answer)) is not None:
            dispatcher.post(THREAD_UNSUBSCRIBE, {"threadId": thread_id})

    return dispatcher.send(THREAD_START, params, unwanted=unload, on_result=on_result)


def _key(request: TurnRequest) -> _Key:
    tools = json.dumps(request.tools) if request.tools else ""
    return request.instructions, request.model, request.effort, tools, request.raw


def _thread_id(answer: Mapping[str, Any]) -> str | None:
    # Of an answer whose shape nobody has checked.
    thread_id = (as_object(answer.get("thread")) or {}).get("id")
    return thread_id if isinstance(thread_id, str) else None
