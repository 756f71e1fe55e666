"""The whole call in a bounded time: queueing, starting, turns, repairs and retries together."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import anyio

from codex_oauth.errors import DeadlineExceededError, NetworkUnavailableError
from codex_oauth.events import Event, PhaseReached, ServerRetrying, TextDelta
from codex_oauth.policy.runner import Runner
from codex_oauth.session import TurnRequest, TurnResult

__all__ = ("Deadline",)

_NO_ANSWER_AT_ALL: Final = frozenset(
    {"responseStreamDisconnected", "responseStreamConnectionFailed", "httpConnectionFailed"}
)


class Deadline:
    """Cancels what it wraps when the time is up.

    Args:
        inner: The runner.
        timeout: Seconds.
    """

    def __init__(self, inner: Runner, timeout: float) -> None:
        self._inner = inner
        self._timeout = timeout

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run in time.

        Raises:
            DeadlineExceededError: The time was up.
            NetworkUnavailableError: It was up, and the app-server had no network.
        """
        phase: str | None = None
        offline = False
        status: int | None = None

        def observe(event: Event) -> None:
            nonlocal phase, offline, status
            if isinstance(event, PhaseReached):
                phase = event.phase
            elif isinstance(event, ServerRetrying):
                status = event.http_status
                offline = event.http_status is None and event.codex_error_info in _NO_ANSWER_AT_ALL
            elif isinstance(event, TextDelta):
                offline, status = False, None
            request.observer(event)

        with anyio.move_on_after(self._timeout):
            return await self._inner.run(replace(request, observer=observe))
        if offline:
            raise NetworkUnavailableError(
                f"no network within {self._timeout:g} s: the app-server could not reach the service", phase=phase
            )
        reached = f"; the last thing reached was {phase!r}" if phase else ""
        trouble = f", and the service last answered with status {status}" if status else ""
        raise DeadlineExceededError(f"no reply within {self._timeout:g} s{reached}{trouble}", phase=phase)
