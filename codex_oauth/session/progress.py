"""What is known of a turn while it runs, from its notifications to its result. Whoever reads the messages feeds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from codex_oauth import events
from codex_oauth.errors import ContextWindowExceededError, EmptyReplyError, ForbiddenItemError, TurnInterruptedError
from codex_oauth.protocol import NOTIFICATIONS, check
from codex_oauth.records import replace
from codex_oauth.redaction import cleaned
from codex_oauth.session.failures import RateLimits, error_info, turn_failure
from codex_oauth.session.params import turn_start
from codex_oauth.session.request import TurnRequest, TurnResult
from codex_oauth.types import Account, ModelResponse, ToolCall, Usage, as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import TokenUsageBreakdown, TurnStartParams
    from codex_oauth.session.request import Finish, Thread
    from codex_oauth.session.responses import ResponseLog

__all__ = ("Conversation", "TurnProgress", "turn_id", "turn_params")

_HARMLESS_ITEMS: Final = frozenset({"userMessage", "agentMessage", "reasoning"})

_CHARACTERS: Final = 4
# Of a token of English text, for a limit of the output: codex has none of its own, and counts when all is over.


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
        stop: Why it is to be ended now; None while it may go on.
        log: Its responses; None where nobody wants them.
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
        self._heard = False
        self._text_seen = False
        self.stop: Finish | None = None
        self.log: ResponseLog | None = None
        self._calls: tuple[ToolCall, ...] = ()
        self._partial: dict[str, str] = {}
        self._pieces = 0
        self._settled = Usage()
        if request.raw:
            from codex_oauth.session.responses import ResponseLog

            self.log = ResponseLog(thread, request, self._responded)

    def see(self, method: str, params: Mapping[str, Any], at: float) -> None:
        """Take in the next notification of the thread, which came at that moment of `time.perf_counter()`."""
        shape = NOTIFICATIONS.get(method)
        if shape is not None:
            check(shape, params, f"{method}: params")
        about = turn_id(params)
        if about is not None and about != self.id:
            return
        if self.stop is not None:
            # What still comes is of no use: codex answers open calls by itself, and says that it was interrupted.
            if method == "turn/completed":
                self._complete(params["turn"], at)
            return
        if about is not None and not self._heard:
            self._heard = True
            self._tell(events.PhaseReached("first_event", at))
        if method.startswith("rawResponse"):
            self._see_raw(method, params)
            return
        match method:
            case "item/agentMessage/delta":
                if not self._text_seen:
                    self._text_seen = True
                    self._tell(events.PhaseReached("first_text", at))
                if piece := self._within(params["itemId"], params["delta"]):
                    self._tell(events.TextDelta(params["itemId"], piece))
            case "item/reasoning/textDelta" | "item/reasoning/summaryTextDelta":
                self._tell(events.ReasoningDelta(params["itemId"], params["delta"]))
            case "item/started":
                self._item(params["item"], completed=False)
            case "item/completed":
                self._item(params["item"], completed=True)
            case "thread/tokenUsage/updated":
                self._spent = _usage(params["tokenUsage"]["total"])
                self._tell(events.UsageUpdated(_minus(self._spent, self.thread.spent)))
                self._end_unfinished(params)
            case "model/rerouted":
                self._model = params["toModel"]
                self._tell(events.ModelRerouted(params["fromModel"], params["toModel"], params.get("reason")))
            case "error":
                if params["willRetry"]:
                    name, status = error_info(params["error"].get("codexErrorInfo"))
                    self._tell(
                        events.ServerRetrying(cleaned(params["error"]["message"], self.request.said()), name, status)
                    )
                else:
                    self._error = params["error"]
            case "warning":
                self._tell(events.WarningReceived(cleaned(params["message"], self.request.said())))
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
        if self.stop is not None:
            return self._stopped()
        if self._status == "interrupted":
            raise TurnInterruptedError("the turn was interrupted before it answered")
        if self._status != "completed":
            limits = self.session.limits
            limits = replace(limits, plan=limits.plan or self.session.account.plan)
            raise turn_failure(self._error, limits, self._model, said=self.request.said(), sign_in=self.session.sign_in)
        if not self._answer:
            raise EmptyReplyError("the turn completed without a final message")
        return self._result(self._answer, "stop")

    def _stopped(self) -> TurnResult:
        text = self._answer or ""
        if self.stop == "length":
            text = next(reversed(self._partial.values()), "")
        return self._result(text, self.stop or "stop")

    def _result(self, text: str, finish: Finish) -> TurnResult:
        return TurnResult(
            text=text,
            usage=_minus(self._spent, self._before),
            model=self._model,
            turn_id=self.id or "",
            account=self.session.account,
            thread=self.thread,
            finish=finish,
            calls=self._calls,
            items=() if self.log is None else tuple(self.log.items),
            response_id=None if self.log is None else self.log.response_id,
        )

    def _within(self, item_id: str, piece: str) -> str:
        """A piece of text, or what of it is within the limit."""
        most = self.request.most_output
        if most is None:
            return piece
        # A piece is a token as a rule; where several come in one, its length tells.
        self._pieces += 1
        room = most * _CHARACTERS - sum(map(len, self._partial.values()))
        if self._pieces > most or len(piece) > room:
            self.stop = "length"
            # The app-server's own count never comes for a turn that is broken off.
            said = sum(map(len, self.request.said()))
            self._spent += Usage(input=said // _CHARACTERS, output=min(self._pieces, most))
            self._tell(events.UsageUpdated(_minus(self._spent, self.thread.spent)))
            piece = piece[: max(0, room)] if self._pieces <= most else ""
        self._partial[item_id] = self._partial.get(item_id, "") + piece
        return piece

    def _see_raw(self, method: str, params: Mapping[str, Any]) -> None:
        if self.log is None:
            return
        if method == "rawResponseItem/completed":
            known = self.log.raw_item(params["item"])
            if known is not None and known.get("type") == "function_call":
                from codex_oauth.session.responses import calls_of

                self._tell(events.ToolCallReceived(calls_of((known,))[0]))
        elif method == "rawResponse/completed":
            used = params.get("usage")
            self._end_response(Usage() if used is None else _usage(used), params["responseId"])

    def _end_unfinished(self, params: Mapping[str, Any]) -> None:
        # A binary that does not tell the end of a response tells what it cost.
        if self.log is not None and self.log.unfinished:
            self._end_response(_usage(params["tokenUsage"]["last"]), None)

    def _end_response(self, usage: Usage, response_id: str | None) -> None:
        if self.log is not None:
            self.log.end(
                usage, model=self._model, turn_id=self.id or "", account=self.session.account, response_id=response_id
            )

    def _responded(self, response: ModelResponse) -> None:
        self._tell(events.ResponseCompleted(response))
        if self.request.tools and self.request.on_call is None:
            from codex_oauth.session.responses import calls_of

            known = {tool["name"] for tool in self.request.tools}
            # A tool that nobody has given is codex's to refuse; the model then goes on.
            self._calls = tuple(call for call in calls_of(response.output) if call.name in known)
            if self._calls:
                self.stop = "tool_calls"
                if response.usage != Usage():
                    # The app-server's own count comes only when the calls are answered.
                    self._spent = self.thread.spent + self._settled + response.usage
                    self._tell(events.UsageUpdated(_minus(self._spent, self.thread.spent)))
        self._settled += response.usage

    def _item(self, item: Mapping[str, Any], *, completed: bool) -> None:
        kind, item_id = item["type"], item["id"]
        if kind == "dynamicToolCall" and self.request.tools:
            if completed and self.log is not None:
                self.log.codex_item(item)
            return
        if kind == "contextCompaction":
            raise ContextWindowExceededError(
                "what was said takes nine tenths of the model's window; codex would have it summed up, and was stopped"
            )
        if kind not in _HARMLESS_ITEMS:
            raise ForbiddenItemError(
                f"the turn began a {cleaned(kind)}, which is not an answer; it was stopped", item_type=cleaned(kind)
            )
        if kind == "userMessage":
            return
        if not completed:
            self._tell(events.ItemStarted(item_id, kind, item.get("phase")))
            return
        if self.log is not None:
            self.log.codex_item(item)
        if kind == "agentMessage":
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
