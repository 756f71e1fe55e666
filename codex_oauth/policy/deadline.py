"""The whole call in a bounded time: queueing, starting, turns, repairs and retries together."""

from __future__ import annotations

import anyio

from codex_oauth.events import Event
from codex_oauth.lateness import Lateness
from codex_oauth.policy.runner import Runner
from codex_oauth.records import replace
from codex_oauth.session import TurnRequest, TurnResult

__all__ = ("Deadline",)


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
        lateness = Lateness()

        def observe(event: Event) -> None:
            lateness.observe(event)
            request.observer(event)

        with anyio.move_on_after(self._timeout):
            return await self._inner.run(replace(request, observer=observe))
        raise lateness.error(self._timeout)
