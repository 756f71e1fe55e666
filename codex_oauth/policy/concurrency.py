"""No more turns at once than the machine and the app-server bear."""

from __future__ import annotations

import anyio

from codex_oauth.policy.runner import Runner
from codex_oauth.session import TurnRequest, TurnResult

__all__ = ("Concurrency",)


class Concurrency:
    """Waits for a place before each turn; a repair is a turn of its own, a retry keeps its place."""

    def __init__(self, inner: Runner, limiter: anyio.Semaphore) -> None:
        self._inner = inner
        self._limiter = limiter

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run when there is a place."""
        async with self._limiter:
            return await self._inner.run(request)
