"""What a turn is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_oauth.events import Event, Observer
from codex_oauth.records import field, record
from codex_oauth.types import Account, Usage

__all__ = ("Thread", "TurnRequest", "TurnResult", "ignore")


def ignore(event: Event) -> None:
    """The observer of a turn that nobody observes."""


class Thread:
    """A live thread of one session.

    Attributes:
        id: The app-server's id.
        model: The model it was started with.
        spent: Tokens of its turns so far.
    """

    __slots__ = ("id", "model", "spent")

    def __init__(self, id: str, model: str) -> None:  # noqa: A002 - its attribute's name
        self.id = id
        self.model = model
        self.spent = Usage()


@record(kw_only=True)
class TurnRequest:
    """One turn.

    Attributes:
        text: The input.
        images: Data URLs.
        instructions: What the model is told before the input; None for nothing at all.
        schema: A strict JSON Schema for the reply; None for text.
        model: The model's id; None for the server's default.
        effort: The reasoning effort; None for the model's own default.
        observer: Told what happens.
        thread: The thread to go on with; None for a new one.
    """

    text: str = field(repr=False)
    images: tuple[str, ...] = field(default=(), repr=False)
    instructions: str | None = field(default=None, repr=False)
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    model: str | None = None
    effort: str | None = None
    observer: Observer = field(default=ignore, repr=False)
    thread: Thread | None = None


@record(kw_only=True)
class TurnResult:
    """A turn that completed with a final message.

    Attributes:
        text: That message.
        usage: Tokens of this turn alone.
        model: The model that ran.
        turn_id: The app-server's id.
        account: Who paid.
        thread: Where a next turn would go on.
        value: What the text says in the wanted form, once a policy has read it.
        repaired: Whether this is the second reply.
    """

    text: str = field(repr=False)
    usage: Usage
    model: str
    turn_id: str
    account: Account
    thread: Thread
    value: Any = field(default=None, repr=False)
    repaired: bool = False
