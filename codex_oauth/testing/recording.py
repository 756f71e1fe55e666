"""What happened, shared between the stand-in's thread and everybody else's."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

from .messages import ModelRequest, Request

__all__ = ["Recording"]


class Recording:
    """Appended to by the stand-in's thread; every change wakes those who wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._model_requests: list[ModelRequest] = []
        self._connections = Counter[str]()
        self._refused = Counter[str]()
        self._refreshes = Counter[str]()
        self._errors: list[Exception] = []
        self._answering = 0
        self._peak_answering = 0

    @property
    def requests(self) -> tuple[Request, ...]:
        with self._changed:
            return tuple(self._requests)

    @property
    def model_requests(self) -> tuple[ModelRequest, ...]:
        """Prewarms too."""
        with self._changed:
            return tuple(self._model_requests)

    @property
    def connections(self) -> Counter[str]:
        with self._changed:
            return Counter(self._connections)

    @property
    def refused(self) -> Counter[str]:
        with self._changed:
            return Counter(self._refused)

    @property
    def refreshes(self) -> Counter[str]:
        with self._changed:
            return Counter(self._refreshes)

    @property
    def errors(self) -> tuple[Exception, ...]:
        with self._changed:
            return tuple(self._errors)

    @property
    def answering(self) -> int:
        with self._changed:
            return self._answering

    @property
    def peak_answering(self) -> int:
        with self._changed:
            return self._peak_answering

    def request(self, request: Request) -> None:
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def model_request(self, request: ModelRequest) -> None:
        with self._changed:
            self._model_requests.append(request)
            self._changed.notify_all()

    def connection(self, host: str, *, refused: bool) -> None:
        with self._changed:
            self._connections[host] += 1
            if refused:
                self._refused[host] += 1
            self._changed.notify_all()

    def refresh(self, outcome: str) -> None:
        with self._changed:
            self._refreshes[outcome] += 1
            self._changed.notify_all()

    def error(self, error: Exception) -> None:
        with self._changed:
            self._errors.append(error)
            self._changed.notify_all()

    @contextmanager
    def answer(self) -> Generator[None]:
        """Counts one model answer as under way."""
        with self._changed:
            self._answering += 1
            self._peak_answering = max(self._peak_answering, self._answering)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def changed(self) -> None:
        """Wakes those who wait for something that is kept elsewhere."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Blocks until `predicate` holds, looking again after every change; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(predicate, timeout)

    def clear(self) -> None:
        with self._changed:
            self._requests.clear()
            self._model_requests.clear()
            self._connections.clear()
            self._refused.clear()
            self._refreshes.clear()
            self._errors.clear()
            self._peak_answering = self._answering
            self._changed.notify_all()
