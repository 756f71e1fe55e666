"""What happens during a call, as it happens.

A stream yields these; metrics and recorders subscribe to them. Events hold content where they are content (`TextDelta`,
`MessageCompleted`), and keep it out of their `repr`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from codex_oauth.records import field, record
from codex_oauth.types import Account, ModelResponse, ToolCall, Usage

__all__ = (
    "Event",
    "ItemCompleted",
    "ItemStarted",
    "MessageCompleted",
    "ModelRerouted",
    "Observer",
    "PhaseName",
    "PhaseReached",
    "ReasoningDelta",
    "RepairStarted",
    "ResponseCompleted",
    "RetryScheduled",
    "ServerRetrying",
    "TextDelta",
    "ToolCallReceived",
    "ToolFinished",
    "ToolStarted",
    "TurnCompleted",
    "TurnStarted",
    "UnknownEvent",
    "UsageUpdated",
    "WarningReceived",
)

PhaseName: TypeAlias = Literal[
    "queued", "spawn", "initialize", "account", "thread", "first_event", "first_text", "completed", "total"
]


@record()
class PhaseReached:
    """The call got this far. `at` is `time.perf_counter()`, in seconds."""

    phase: PhaseName
    at: float
    account: Account | None = None
    model: str | None = None
    codex_version: str | None = None


@record()
class TurnStarted:
    """The app-server began the turn."""

    turn_id: str


@record()
class TextDelta:
    """A piece of a message's text. A message that the service had to begin again repeats its pieces."""

    item_id: str
    text: str = field(repr=False)


@record()
class ReasoningDelta:
    """A piece of reasoning, or of its summary."""

    item_id: str
    text: str = field(repr=False)


@record()
class ItemStarted:
    """The turn began an item: `agentMessage`, `reasoning`, and so on; `phase` as in `MessageCompleted`."""

    item_id: str
    item_type: str
    phase: str | None = None


@record()
class ItemCompleted:
    """The turn finished an item that is not a message."""

    item_id: str
    item_type: str


@record()
class MessageCompleted:
    """A whole message. `phase` is `final_answer` or None for the answer, `commentary` for what comes before it."""

    item_id: str
    phase: str | None
    text: str = field(repr=False)


@record()
class ToolCallReceived:
    """The model wants one of the caller's tools called."""

    call: ToolCall


@record()
class ToolStarted:
    """A conversation has begun to run a tool."""

    call_id: str
    name: str


@record()
class ToolFinished:
    """A tool has ended, well or not; the model is given its result, or told what was wrong."""

    call_id: str
    name: str
    ok: bool
    seconds: float


@record()
class ResponseCompleted:
    """The model's response is complete; a turn with tools has several. Only where something asked for them: a recorder,
    tools, or `respond`."""

    response: ModelResponse = field(repr=False)


@record()
class UsageUpdated:
    """Tokens of the turn so far."""

    usage: Usage


@record()
class ModelRerouted:
    """The service runs another model than the one asked for."""

    from_model: str
    to_model: str
    reason: str | None = None


@record()
class ServerRetrying:
    """The app-server lost the service and tries again by itself."""

    message: str
    codex_error_info: str | None
    http_status: int | None


@record()
class RetryScheduled:
    """The call failed before it was begun, and starts again after `delay` seconds."""

    attempt: int
    delay: float
    code: str


@record()
class RepairStarted:
    """The reply did not fit; the model was told these errors and answers once more."""

    errors: tuple[str, ...]


@record()
class WarningReceived:
    """Something the app-server wanted to be known, such as an ignored setting."""

    message: str


@record()
class TurnCompleted:
    """The turn ended: `completed`, `failed` or `interrupted`."""

    turn_id: str
    status: str


@record()
class UnknownEvent:
    """A notification that this version has no class for."""

    method: str
    params: Any = field(repr=False)


Event: TypeAlias = (
    PhaseReached
    | TurnStarted
    | TextDelta
    | ReasoningDelta
    | ItemStarted
    | ItemCompleted
    | MessageCompleted
    | ToolCallReceived
    | ToolStarted
    | ToolFinished
    | ResponseCompleted
    | UsageUpdated
    | ModelRerouted
    | ServerRetrying
    | RetryScheduled
    | RepairStarted
    | WarningReceived
    | TurnCompleted
    | UnknownEvent
)

Observer: TypeAlias = Callable[[Event], None]
"""Called synchronously, in order, from the task that makes the call. It must return quickly; what it raises is
contained."""
