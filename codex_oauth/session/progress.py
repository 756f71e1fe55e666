"""What is known of a turn while it runs, from its notifications to its result. Whoever reads the messages feeds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from codex_oauth import events
from codex_oauth.errors import EmptyReplyError, ForbiddenItemError, TurnInterruptedError
from codex_oauth.protocol import NOTIFICATIONS, check
from codex_oauth.records import replace
from codex_oauth.redaction import cleaned
from codex_oauth.session.failures import RateLimits, error_info, turn_failure
from codex_oauth.session.params import turn_start
from codex_oauth.session.request import TurnRequest, TurnResult
from codex_oauth.types import Account, Usage, as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import TokenUsageBreakdown, TurnStartParams
    from codex_oauth.session.request import Thread

__all__ = ("Conversation", "TurnProgress", "turn_id", "turn_params")

_HARMLESS_ITEMS: Final = frozenset({"userMessage", "agentMessage", "reasoning"})


class Conversation(Protocol):
    """What an app-server has said besides the turn."""

    @property
    def account(self) -> Account:
        """Who pays."""
        ...

    @property
    def limits(self) -> RateLimits:
        """The last rate-limit snapshot."""
        ...

    @property
    def sign_in(self) -> str:
        """The command that signs in on its home."""
        ...


def turn_params(thread: Thread, request: TurnRequest) -> TurnStartParams:
    """What `turn/start` is sent with."""
    return turn_start(
        thread=thread.id, text=request.text, images=request.images, effort=request.effort, schema=request.schema
    )


class TurnProgress:
    """A turn, from `turn/start` on.

    Attributes:
        id: The app-server's id, once it is known.
        done: Whether it has ended.
    """

    def __init__(self, session: Conversation, thread: Thread, request: TurnRequest) -> None:
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

    def see(self, method: str, params: Mapping[str, Any], at: float) -> None:
        """Take in the next notification of the thread, which came at that moment of `time.perf_counter()`."""
        shape = NOTIFICATIONS.get(method)
        if shape is not None:
            check(shape, params, f"{method}: params")
        about = turn_id(params)
        if about is not None and about != self.id:
            return
        if about is not None and not self._heard:
            self._heard = True
            self._tell(events.PhaseReached("first_event", at))
        match method:
            case "item/agentMessage/delta":
                if not self._text_seen:
                    self._text_seen = True
                    self._tell(events.PhaseReached("first_text", at))
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
                self._complete(params["turn"], at)
            case "thread/status/changed" | "account/rateLimits/updated":
                pass
            case _:
                self._tell(events.UnknownEvent(method, params))

    def ended_by(self, method: str, params: Mapping[str, Any]) -> bool:
        """Whether this notification is the end of the turn; used where nothing else matters any more."""
        return method == "turn/completed" and turn_id(params) == self.id

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


def turn_id(params: Mapping[str, Any]) -> Any:
    """The turn that a notification is about; None for one that is about none."""
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
