"""From the read loop to whoever waits: notifications by thread, in the order of the wire."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import anyio

from codex_oauth.errors import CodexOAuthError

__all__ = ("Notification", "Route", "Router")


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification and when it arrived, by `time.perf_counter()`."""

    method: str
    params: Mapping[str, Any] = field(repr=False)
    at: float


class Route:
    """The notifications of one thread, kept until they are asked for.

    Unbounded on purpose: a bounded one would either stop the read loop, and with it every other call, or lose events.
    What a turn may send is bounded by its deadline and by the size limit of a line.
    """

    def __init__(self) -> None:
        self._queue: deque[Notification] = deque()
        self._arrived = anyio.Event()
        self._end: CodexOAuthError | None = None

    def put(self, notification: Notification) -> None:
        """Keep one; called in the read loop."""
        self._queue.append(notification)
        self._arrived.set()

    def end(self, error: CodexOAuthError) -> None:
        """Nothing more will come."""
        self._end = error
        self._arrived.set()

    async def next(self) -> Notification:
        """The next one, waiting for it.

        Raises:
            CodexOAuthError: The connection ended; everything that came before has been given out.
        """
        while not self._queue:
            if self._end is not None:
                raise copy(self._end)  # many may wait, and each adds its own traceback
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._queue.popleft()


class Router:
    """All routes of a session."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._end: CodexOAuthError | None = None

    @contextmanager
    def open(self, thread_id: str) -> Generator[Route]:
        """A route for a thread, or for a method that is about none, such as `account/login/completed`. Open it before
        the request that makes it speak, or its first words are lost."""
        route = Route()
        if self._end is not None:
            route.end(self._end)
        self._routes[thread_id] = route
        try:
            yield route
        finally:
            if self._routes.get(thread_id) is route:
                del self._routes[thread_id]

    def deliver(self, method: str, params: Mapping[str, Any]) -> bool:
        """Hand a notification to the route of its thread or method; False if it has none."""
        thread_id = params.get("threadId")
        route = self._routes.get(thread_id if isinstance(thread_id, str) else method)
        if route is None:
            return False
        route.put(Notification(method, params, time.perf_counter()))
        return True

    def end(self, error: CodexOAuthError) -> None:
        """The connection has ended: every route ends."""
        self._end = error
        for route in self._routes.values():
            route.end(error)
