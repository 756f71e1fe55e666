"""Try again, but only what provably never began: a turn that was accepted may have been paid for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import anyio

from codex_oauth.errors import AccountCheckError, CodexOAuthError, ServerBusyError, ServerCrashedError
from codex_oauth.events import Event, PhaseReached, RetryScheduled
from codex_oauth.policy.runner import Runner
from codex_oauth.records import replace
from codex_oauth.session import TurnRequest, TurnResult

__all__ = ("Retry",)

_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 2.0


class Retry:
    """Runs again after a failure before the turn, with growing pauses.

    Args:
        inner: The runner.
        attempts: How often it may run in all.
        on_busy: Told each time that the app-server has too much to do.
    """

    def __init__(self, inner: Runner, attempts: int = 3, *, on_busy: Callable[[], None] | None = None) -> None:
        self._inner = inner
        self._attempts = attempts
        self._on_busy = on_busy

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run until it has begun."""
        begun = False

        def observe(event: Event) -> None:
            nonlocal begun
            # `turn/start` is sent right after this, before anything else can happen.
            if isinstance(event, PhaseReached) and event.phase == "thread":
                begun = True
            request.observer(event)

        attempt = 1
        while True:
            # A request that goes on with a thread has its thread already.
            begun = request.thread is not None
            try:
                return await self._inner.run(replace(request, observer=observe))
            except CodexOAuthError as error:
                if self._on_busy is not None and isinstance(error, ServerBusyError):
                    self._on_busy()
                if attempt >= self._attempts or not _never_began(error, begun=begun):
                    raise
                delay = min(_LONGEST_DELAY, _FIRST_DELAY * 4 ** (attempt - 1)) * random.uniform(0.5, 1.0)
                attempt += 1
                request.observer(RetryScheduled(attempt, delay, error.code))
                await anyio.sleep(delay)


def _never_began(error: CodexOAuthError, *, begun: bool) -> bool:
    if isinstance(error, ServerBusyError):
        return True  # the app-server's own word that it did not begin
    return not begun and isinstance(error, ServerCrashedError | AccountCheckError)
