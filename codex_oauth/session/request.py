"""What a turn is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from codex_oauth.events import Event, Observer
from codex_oauth.records import field, record
from codex_oauth.types import Account, ToolCall, Usage, as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import DynamicToolSpec

__all__ = ("Finish", "Item", "Thread", "ToolAnswer", "TurnRequest", "TurnResult", "ignore")

Item: TypeAlias = "Mapping[str, Any]"
"""An item of OpenAI's Responses API: a message, a function call, its output, reasoning."""

ToolAnswer: TypeAlias = "Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]"
"""Answers `item/tool/call`: its params, and a `DynamicToolCallResponse`."""

Finish: TypeAlias = Literal["stop", "tool_calls", "length"]


def ignore(event: Event) -> None:
    """The observer of a turn that nobody observes."""


class Thread:
    """A live thread of one session.

    Attributes:
        id: The app-server's id.
        model: The model it was started with.
        spent: Tokens of its turns so far.
        items: What was said on it, oldest first; None where nobody wanted to know.
    """

    __slots__ = ("id", "items", "model", "spent")

    def __init__(self, id: str, model: str) -> None:  # noqa: A002 - its attribute's name
        self.id = id
        self.model = model
        self.spent = Usage()
        self.items: list[Item] | None = None


@record(kw_only=True)
class TurnRequest:
    """One turn.

    Attributes:
        text: The input; None where `items` are all of it.
        images: Data URLs.
        items: What was said before, put into a new thread.
        instructions: What the model is told before the input; None for nothing at all.
        schema: A strict JSON Schema for the reply; None for text.
        model: The model's id; None for the server's default.
        effort: The reasoning effort; None for the model's own default.
        observer: Told what happens.
        thread: The thread to go on with; None for a new one.
        tools: The caller's tools.
        on_call: What answers their calls; None to end the turn with the first response that holds some.
        raw: Whether each response of the model is wanted, with its items.
        most_output: Tokens of text after which the turn is ended; None for no limit.
    """

    text: str | None = field(repr=False)
    images: tuple[str, ...] = field(default=(), repr=False)
    items: tuple[Item, ...] = field(default=(), repr=False)
    instructions: str | None = field(default=None, repr=False)
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    model: str | None = None
    effort: str | None = None
    observer: Observer = field(default=ignore, repr=False)
    thread: Thread | None = None
    tools: tuple[DynamicToolSpec, ...] = field(default=(), repr=False)
    on_call: ToolAnswer | None = field(default=None, repr=False)
    raw: bool = False
    most_output: int | None = None

    def said(self) -> tuple[str, ...]:
        """Every text of the caller's in it, each once, to keep them out of messages that quote them: all that was said
        on its thread where that is known, this turn's own words among it."""
        texts = [self.instructions or ""]
        items: Sequence[Item] | None = None if self.thread is None else self.thread.items
        if items is None:
            texts.append(self.text or "")
            items = self.items
        for item in items:
            texts += _texts(item)
        return tuple(texts)


def _texts(item: Item) -> list[str]:
    found: list[str] = []
    for value in (item.get(name) for name in ("arguments", "input", "output", "content", "summary")):
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            parts = [as_object(part) or {} for part in cast("list[object]", value)]
            found += [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return found


@record(kw_only=True)
class TurnResult:
    """A turn that ended well.

    Attributes:
        text: The final message; what there was of it where `finish` is not `stop`.
        usage: Tokens of this turn alone.
        model: The model that ran.
        turn_id: The app-server's id.
        account: Who paid.
        thread: Where a next turn would go on.
        value: What the text says in the wanted form, once a policy has read it.
        repaired: Whether this is the second reply.
        finish: Why it ended.
        calls: The calls of the caller's tools that nobody has answered, in the model's order.
        items: The output items of its responses, where `raw` was asked for.
        response_id: The service's id of the last response, where it is known.
    """

    text: str = field(repr=False)
    usage: Usage
    model: str
    turn_id: str
    account: Account
    thread: Thread
    value: Any = field(default=None, repr=False)
    repaired: bool = False
    finish: Finish = "stop"
    calls: tuple[ToolCall, ...] = ()
    items: tuple[Item, ...] = field(default=(), repr=False)
    response_id: str | None = None
