"""One turn: started, followed to its end, and never left running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth.errors import CodexOAuthError, InvalidRequestError, RpcError
from codex_oauth.protocol import THREAD_INJECT_ITEMS, TURN_INTERRUPT, TURN_START
from codex_oauth.records import replace
from codex_oauth.redaction import cleaned
from codex_oauth.session.progress import TurnProgress, turn_id, turn_params
from codex_oauth.session.request import TurnRequest, TurnResult
from codex_oauth.session.router import Route

if TYPE_CHECKING:
    from codex_oauth.jsonrpc import PendingResponse
    from codex_oauth.session.request import Thread
    from codex_oauth.session.session import Session

__all__ = ("INTERRUPT_PATIENCE", "run_turn")

INTERRUPT_PATIENCE: Final = 0.15
"""Seconds that a cancelled call waits for `turn/interrupt` to be confirmed; 3 to 6 ms were measured. After that the
session goes on waiting in the background, and ends the process if the turn does not stop."""


async def run_turn(session: Session, thread: Thread, request: TurnRequest) -> TurnResult:
    """Run a turn on a thread.

    Raises:
        TurnError: The turn failed, came back empty, or did something other than answer.
        ReauthenticationRequired: The sign-in was refused.
        ServerCrashedError: The app-server went away.
        ProtocolError: It said something that the protocol does not allow.
    """
    request = replace(request, thread=thread)
    with session.router.open(thread.id) as route, session.tool_calls.answered(thread, request):
        turn = TurnProgress(session, thread, request)
        # Both at once: they are taken in the order in which they are sent.
        added = _add_items(session, thread, request)
        started = session.dispatcher.send(TURN_START, turn_params(thread, request))
        try:
            turn.id = (await started.result())["turn"]["id"]
            if added is not None:
                await _confirm(added, request)
            while not turn.done:
                told = await route.next()
                turn.see(told.method, told.params, told.at)
                if turn.stop is not None and not turn.done:
                    await _interrupt(session, turn, route)
                    break
        except RpcError:
            raise  # refused: there is no turn
        except BaseException:
            # A turn that nobody listens to goes on costing. Nothing to do once the connection has ended.
            with anyio.CancelScope(shield=True):
                if not turn.done and not session.dispatcher.closed:
                    await _interrupt(session, turn, route)
            raise
        return turn.result()


def _add_items(session: Session, thread: Thread, request: TurnRequest) -> PendingResponse[Any] | None:
    if not request.items:
        return None
    return session.dispatcher.send(THREAD_INJECT_ITEMS, {"threadId": thread.id, "items": list(request.items)})


async def _confirm(added: PendingResponse[Any], request: TurnRequest) -> None:
    try:
        await added.result()
    except RpcError as error:
        # Not an RpcError here: the turn is there, without what was said before, and has to be interrupted.
        words = cleaned(error.message, request.said())
        raise InvalidRequestError(f"codex does not take what was said before: {words}") from None


async def _interrupt(session: Session, turn: TurnProgress, route: Route) -> None:
    with anyio.move_on_after(INTERRUPT_PATIENCE):
        try:
            while turn.id is None:
                # Cancelled between `turn/start` and its answer: the turn's first notification names it too.
                turn.id = turn_id((await route.next()).params)
            session.dispatcher.post(TURN_INTERRUPT, {"threadId": turn.thread.id, "turnId": turn.id})
            while True:
                told = await route.next()
                if turn.ended_by(told.method, told.params):
                    turn.see(told.method, told.params, told.at)
                    break
        except CodexOAuthError:
            pass  # the connection ended, and the turn with it
        return
    session.suspect(turn.thread.id)
