"""The values that calls take and give back: frozen, and without content in their `repr`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

from codex_oauth.records import field, record

__all__ = (
    "Account",
    "Credits",
    "JSONValue",
    "LimitWindow",
    "Limits",
    "Model",
    "ModelResponse",
    "Reply",
    "Timing",
    "ToolCall",
    "Usage",
    "as_object",
)

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"


def as_object(value: object) -> dict[str, Any] | None:
    """A JSON value if it is an object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


T_co = TypeVar("T_co", covariant=True)


@record(kw_only=True)
class Account:
    """Who pays for a call.

    Attributes:
        kind: `chatgpt` for a plan; otherwise the app-server's word, such as `apiKey`.
        plan: The plan, such as `plus`; None where the kind has none.
        email: The address of the sign-in, where the app-server told it. Kept out of `repr`.
    """

    kind: str
    plan: str | None = None
    email: str | None = field(default=None, repr=False)


@record(kw_only=True)
class LimitWindow:
    """How much of the plan a stretch of time allows is used.

    Attributes:
        name: The limit's name: `codex` for the account's own, else that of a model.
        used_percent: 0 to 100.
        minutes: The window's length: 300 for five hours, 10080 for a week; None where the service did not say.
        resets_at: When it begins anew, in seconds since 1970; None where the service did not say.
    """

    name: str
    used_percent: int
    minutes: int | None = None
    resets_at: int | None = None


@record(kw_only=True)
class Credits:
    """Credits beside the plan's own allowance.

    Attributes:
        has: Whether there are any.
        unlimited: Whether they do not run out.
        balance: How many, as the service writes it.
    """

    has: bool
    unlimited: bool
    balance: str | None = None


@record(kw_only=True)
class Limits:
    """What the plan has left.

    Attributes:
        plan: The plan, such as `plus`.
        windows: The windows; none where the service reports none.
        credits: The credits; None where the service reports none.
        reached: Which limit is reached, in the service's words; None for none.
    """

    plan: str | None
    windows: tuple[LimitWindow, ...]
    credits: Credits | None = None
    reached: str | None = None


@record(kw_only=True)
class Usage:
    """Tokens, added up over the turns of a call (a repair is a second turn).

    Attributes:
        input: All input tokens, cached ones included.
        cached: Those of `input` that came from the service's cache.
        output: All output tokens, reasoning included.
        reasoning: Those of `output` that were reasoning.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input + self.output

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
        )


@record(kw_only=True)
class Timing:
    """When a call reached each phase, in milliseconds since it began; None for a phase that it did not pass.

    A call on a process that was already running has no `spawn`, `initialize` or `account` of its own.

    Attributes:
        queued: It had waited for a place among the calls that are made at once; None where there was one.
        spawn: The process was started.
        initialize: The app-server answered the handshake.
        account: It said who pays.
        thread: The thread existed, and the turn began; 0 where it had been started ahead.
        first_event: The first notification about the turn arrived.
        first_text: The first piece of the reply's text arrived.
        completed: The (last) turn completed.
        total: The call returned.
    """

    queued: float | None = None
    spawn: float | None = None
    initialize: float | None = None
    account: float | None = None
    thread: float | None = None
    first_event: float | None = None
    first_text: float | None = None
    completed: float | None = None
    total: float | None = None


@record(kw_only=True)
class Model:
    """A model that the account may be offered.

    Attributes:
        id: What `model=` takes.
        name: For people.
        description: One line for people.
        efforts: The reasoning efforts it lists, lowest first.
        default_effort: The effort that the service would use by itself.
        default: Whether it is the account's default.
        hidden: Whether it is kept out of model pickers.
    """

    id: str
    name: str
    description: str
    efforts: tuple[str, ...]
    default_effort: str | None
    default: bool
    hidden: bool


@record(kw_only=True)
class ToolCall:
    """A function that the model wants called.

    Attributes:
        call_id: What its output is sent back under.
        name: The tool's.
        arguments: As the model wrote them: JSON text that nobody has checked.
    """

    call_id: str
    name: str
    arguments: str = field(repr=False)


@record(kw_only=True)
class ModelResponse:
    """One answer of the model: what it was sent, and what came back. A turn with tools has several.

    Attributes:
        response_id: The service's id; None where the app-server does not tell it.
        thread_id: The app-server's thread.
        turn_id: The turn.
        number: Which of the turn's responses it is, from 1.
        model: The model that ran.
        effort: The reasoning effort that was asked for.
        instructions: What the model was told before the input.
        tools: The caller's tools, as `thread/start` takes them.
        schema: The JSON Schema that was sent; None for text.
        input: Every input item, of the history too, oldest first: items as OpenAI's Responses API has them.
        output: The items that the model answered with.
        usage: The tokens of this response alone.
        account: Who paid.
        began: When the request was begun, in seconds since 1970.
        ended: When the response was complete.
        exact: Whether the items are the service's own; False where they were put together from codex's own items.
    """

    response_id: str | None
    thread_id: str
    turn_id: str
    number: int
    model: str
    effort: str | None
    instructions: str | None = field(repr=False)
    tools: tuple[Mapping[str, Any], ...] = field(repr=False)
    schema: Mapping[str, Any] | None = field(repr=False)
    input: tuple[Mapping[str, Any], ...] = field(repr=False)
    output: tuple[Mapping[str, Any], ...] = field(repr=False)
    usage: Usage
    account: Account
    began: float
    ended: float
    exact: bool


@record(kw_only=True)
class Reply(Generic[T_co]):
    """What a call gives back.

    Attributes:
        output: The value: an instance of the given type, the JSON value for a schema given as a dict, or the text.
        text: The final message as the model wrote it.
        usage: Tokens.
        model: The model that ran, which the service may have changed (`model/rerouted`).
        effort: The reasoning effort that was asked for.
        account: Who paid.
        timing: Milliseconds, phase by phase.
        repaired: Whether the first reply did not fit and a second turn mended it.
        warm: Whether a process that was already running served the call.
        turn_id: The (last) turn's id.
        codex_version: The version that the app-server gave for itself; None where it gave none.
        began: When the call began, by this machine's `time.perf_counter()`: what `timing` counts from.
        finish: Why it ended: `stop`; `tool_calls` where `calls` are to be answered; `length` where `max_output_tokens`
            ended it, and the text is what there was.
        calls: The calls of the caller's tools, in the model's order.
        items: The output items of a `respond`, as OpenAI's Responses API has them; none of other calls.
        response_id: The service's id of the last response, where it is known.
    """

    output: T_co = field(repr=False)
    text: str = field(repr=False)
    usage: Usage
    model: str
    effort: str | None
    account: Account
    timing: Timing
    repaired: bool
    warm: bool
    turn_id: str
    codex_version: str | None = None
    began: float | None = field(default=None, repr=False, compare=False)
    finish: Literal["stop", "tool_calls", "length"] = "stop"
    calls: tuple[ToolCall, ...] = ()
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    response_id: str | None = None
