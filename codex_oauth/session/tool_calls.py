"""The calls of the tools of turns: answered while the turn runs, and not after it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth.protocol import TOOL_CALL
from codex_oauth.session.replies import decline

if TYPE_CHECKING:
    from codex_oauth.session.request import Thread, ToolAnswer, TurnRequest

__all__ = ("ToolCalls",)

_PATIENCE: Final = 10.0
"""Seconds that a call stays open which ends its turn. Where the connection was lost within the response, codex asks for
the calls that came before, and only then tries again. Nothing says so, and a response may take its time."""

_NOT_RUN: Final = "This call was not run: its response has not been completed. Make it again if it is still needed."


class ToolCalls:
    """Who answers the calls of each thread's turn."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    @contextmanager
    def answered(self, thread: Thread, request: TurnRequest) -> Generator[None]:
        """Within it, the calls of the request's tools are answered."""
        if not request.tools:
            yield
            return
        self._turns[thread.id] = turn = _Turn(request.on_call)
        try:
            yield
        finally:
            del self._turns[thread.id]
            turn.end()

    async def answer(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a call is answered with; a refusal where no turn with tools runs."""
        turn = self._turns.get(str(params.get("threadId")))
        answer = None if turn is None else await turn.answer(params)
        return await decline(TOOL_CALL.name, params) if answer is None else answer


class _Turn:
    def __init__(self, answer: ToolAnswer | None) -> None:
        self._answer = answer
        self._scopes: set[anyio.CancelScope] = set()
        self._over = anyio.Event()

    async def answer(self, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The answer; None once the turn is over, when codex reads none."""
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                if self._answer is not None and not self._over.is_set():
                    return await self._answer(params)
                # The turn ends at its first calls, which stay open until then.
                with anyio.move_on_after(_PATIENCE) as patience:
                    await self._over.wait()
                if patience.cancelled_caught and self._answer is None:
                    return {"success": False, "contentItems": [{"type": "inputText", "text": _NOT_RUN}]}
            finally:
                self._scopes.discard(scope)
        return None

    def end(self) -> None:
        self._over.set()
        for scope in self._scopes:
            scope.cancel()
