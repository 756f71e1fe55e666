"""The one interface that a call goes through: each policy wraps a runner and is one."""

from __future__ import annotations

from typing import Protocol

from codex_oauth.session import TurnRequest, TurnResult

__all__ = ("Runner",)


class Runner(Protocol):
    """Runs a turn."""

    async def run(self, request: TurnRequest) -> TurnResult:
        """Run it. What a runner adds (a deadline, a repair, a retry) is its own affair.

        Raises:
            CodexOAuthError: It gave no result.
        """
        ...
