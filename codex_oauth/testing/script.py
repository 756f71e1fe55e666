"""Which reply the next model request gets."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from .messages import ModelRequest
from .replies import Json, Reply, Text
from .schemas import fitting_value

__all__ = ["Answer", "Script", "plain_reply"]

Answer: TypeAlias = Reply | Callable[[ModelRequest], Reply]


class Script:
    """A queue of replies, and what is answered when it is empty."""

    def __init__(self) -> None:
        self.default: Answer = plain_reply
        self._lock = threading.Lock()
        self._queue = deque[Answer]()

    def add(self, *answers: Answer) -> None:
        with self._lock:
            self._queue.extend(answers)

    def clear(self) -> None:
        with self._lock:
            self._queue.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._queue)

    def next_reply(self, request: ModelRequest) -> Reply:
        """Takes the next answer of the queue, or the default, and lets it see the request if it is a callable."""
        with self._lock:
            answer = self._queue.popleft() if self._queue else self.default
        return answer(request) if callable(answer) else answer


def plain_reply(request: ModelRequest) -> Reply:
    """The reply of a stand-in without a script: a value of the schema that was asked for, or else an echo."""
    if request.schema is not None:
        return Json(fitting_value(request.schema))
    return Text(f"You said: {request.text}")
