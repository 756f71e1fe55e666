"""One turn: started, followed to its end, and never left running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth import events
from codex_oauth.errors import (
    CodexOAuthError,
    EmptyReplyError,
    ForbiddenItemError,
    RpcError,
    TurnInterruptedError,
)
from codex_oauth.protocol import NOTIFICATIONS, TURN_INTERRUPT, TURN_START, check
from codex_oauth.redaction import cleaned
from codex_oauth.session.failures import error_info, turn_failure
from codex_oauth.session.request import TurnRequest, TurnResult
from codex_oauth.session.router import Notification, Route
from codex_oauth.types import Usage, as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import TokenUsageBreakdown, TurnStartParams, UserInput
    from codex_oauth.session.request import Thread
    from codex_oauth.session.session import Session

__all__ = ("INTERRUPT_PATIENCE", "run_turn")

INTERRUPT_PATIENCE: Final = 0.15
"""Seconds that a cancelled call waits for `turn/interrupt` to be confirmed; 3 to 6 ms were measured. After that the
session goes on waiting in the background, and ends the process if the turn does not stop."""

_HARMLESS_ITEMS: Final = frozenset({"userMessage", "agentMessage", "reasoning"})


async def run_turn(session: Session, thread: Thread, request: TurnRequest) -> TurnResult:
    """Run a turn on a thread.

    Raises:
        TurnError: The turn failed, came back empty, or did something other than answer.
        ReauthenticationRequired: The sign-in was refused.
        ServerCrashedError: The app-server went away.
        ProtocolError: It said something that the protocol does not allow.
    """
    with session.router.open(thread.id) as route:
        turn = _Turn(session, thread, request)
        started = session.dispatcher.send(TURN_START, _params(thread, request))
        try:
            turn.id = (await started.result())["turn"]["id"]
            while not turn.done:
                turn.see(await route.next())
        except RpcError:
            raise  # refused: there is no turn
        except BaseException:
            # A turn that nobody listens to goes on costing. Nothing to do once the connection has ended.
            with anyio.CancelScope(shield=True):
                if not turn.done and not session.dispatcher.closed:
                    await _interrupt(session, turn, route)
            raise
        return turn.result()


def _params(thread: Thread, request: TurnRequest) -> TurnStartParams:
    text: UserInput = {"type": "text", "text": request.text}
    images: list[UserInput] = [{"type": "image", "url": url} for url in request.images]
    params: TurnStartParams = {"threadId": thread.id, "input": [text, *images]}
    if request.effort is not None:
        params["effort"] = request.effort
    if request.schema is not None:
        params["outputSchema"] = request.schema
    return params


async def _interrupt(session: Session, turn: _Turn, route: Route) -> None:
    with anyio.move_on_after(INTERRUPT_PATIENCE):
        try:
            while turn.id is None:
                # Cancelled between `turn/start` and its answer: the turn's first notification names it too.
                turn.id = _turn_id((await route.next()).params)
            session.dispatcher.post(TURN_INTERRUPT, {"threadId": turn.thread.id, "turnId": turn.id})
            while not turn.ended_by(await route.next()):
                pass
        except CodexOAuthError:
            pass  # the connection ended, and the turn with it
        return
    session.suspect(turn.thread.id)


class _Turn:
    """What is known of a turn while it runs."""

    def __init__(self, session: Session, thread: Thread, request: TurnRequest) -> None:
        self.session = session
        self.thread = thread
        self.request = request
        self.id: str | None = None
        self.done = False
        self._status = ""
        self._error: Mapping[str, Any] | None = None
        self._answer: str | None = None
        self._before = self._spent = thread.spent
        self._model = thread.model
        self._said = (request.text, request.instructions or "")
        self._heard = False
        self._text_seen = False

    def see(self, notification: Notification) -> None:
        """Take in the next notification of the thread."""
        method, params = notification.method, notification.params
        shape = NOTIFICATIONS.get(method)
        if shape is not None:
            check(shape, params, f"{method}: params")
        turn_id = _turn_id(params)
        if turn_id is not None and turn_id != self.id:
            return
        if turn_id is not None and not self._heard:
            self._heard = True
            self._tell(events.PhaseReached("first_event", notification.at))
        match method:
            case "item/agentMessage/delta":
                if not self._text_seen:
                    self._text_seen = True
                    self._tell(events.PhaseReached("first_text", notification.at))
                self._tell(events.TextDelta(params["itemId"], params["delta"]))
            case "item/reasoning/textDelta" | "item/reasoning/summaryTextDelta":
                self._tell(events.ReasoningDelta(params["itemId"], params["delta"]))
            case "item/started":
                self._item(params["item"], completed=False)
            case "item/completed":
                self._item(params["item"], completed=True)
            case "thread/tokenUsage/updated":
                self._spent = _usage(params["tokenUsage"]["total"])
                self._tell(events.UsageUpdated(_minus(self._spent, self.thread.spent)))
            case "model/rerouted":
                self._model = params["toModel"]
                self._tell(events.ModelRerouted(params["fromModel"], params["toModel"], params.get("reason")))
            case "error":
                if params["willRetry"]:
                    name, status = error_info(params["error"].get("codexErrorInfo"))
                    self._tell(events.ServerRetrying(cleaned(params["error"]["message"], self._said), name, status))
                else:
                    self._error = params["error"]
            case "warning":
                self._tell(events.WarningReceived(cleaned(params["message"], self._said)))
            case "turn/started":
                self._tell(events.TurnStarted(params["turn"]["id"]))
            case "turn/completed":
                self._complete(params["turn"], notification.at)
            case "thread/status/changed" | "account/rateLimits/updated":
                pass
            case _:
                self._tell(events.UnknownEvent(method, params))

    def ended_by(self, notification: Notification) -> bool:
        """Whether this notification is the end of the turn; used where nothing else matters any more."""
        return notification.method == "turn/completed" and _turn_id(notification.params) == self.id

    def result(self) -> TurnResult:
        """What came of it.

        Raises:
            TurnError: Nothing good.
        """
        if self._status == "interrupted":
            raise TurnInterruptedError("the turn was interrupted before it answered")
        if self._status != "completed":
            limits = self.session.limits
            limits = replace(limits, plan=limits.plan or self.session.account.plan)
            raise turn_failure(self._error, limits, self._model, said=self._said, sign_in=self.session.sign_in)
        if not self._answer:
            raise EmptyReplyError("the turn completed without a final message")
        return TurnResult(
            text=self._answer,
            usage=_minus(self._spent, self._before),
            model=self._model,
            turn_id=self.id or "",
            account=self.session.account,
            thread=self.thread,
        )

    def _item(self, item: Mapping[str, Any], *, completed: bool) -> None:
        kind, item_id = item["type"], item["id"]
        if kind not in _HARMLESS_ITEMS:
            raise ForbiddenItemError(
                f"the turn began a {cleaned(kind)}, which is not an answer; it was stopped", item_type=cleaned(kind)
            )
        if kind == "userMessage":
            return
        if not completed:
            self._tell(events.ItemStarted(item_id, kind, item.get("phase")))
        elif kind == "agentMessage":
            phase = item.get("phase")
            # Commentary may come before the answer, and with an older model every message is the answer (phase null).
            if phase in (None, "final_answer"):
                self._answer = item["text"]
            self._tell(events.MessageCompleted(item_id, phase, item["text"]))
        else:
            self._tell(events.ItemCompleted(item_id, kind))

    def _complete(self, turn: Mapping[str, Any], at: float) -> None:
        self.done = True
        self._status = turn["status"]
        self._error = turn.get("error") or self._error
        self._before = self.thread.spent
        self.thread.spent = self._spent
        self._tell(events.PhaseReached("completed", at))
        self._tell(events.TurnCompleted(turn["id"], self._status))

    def _tell(self, event: events.Event) -> None:
        self.request.observer(event)


def _turn_id(params: Mapping[str, Any]) -> Any:
    # Of a notification whose shape may be unknown.
    turn = as_object(params.get("turn"))
    return params.get("turnId") if turn is None else turn.get("id")


def _usage(total: TokenUsageBreakdown) -> Usage:
    return Usage(
        input=total["inputTokens"],
        cached=total["cachedInputTokens"],
        output=total["outputTokens"],
        reasoning=total["reasoningOutputTokens"],
    )


def _minus(total: Usage, before: Usage) -> Usage:
    return Usage(
        input=total.input - before.input,
        cached=total.cached - before.cached,
        output=total.output - before.output,
        reasoning=total.reasoning - before.reasoning,
    )
