"""The way back: one small object for each place of the wire schema that differs from the caller's.

`undo` turns what the model wrote into a value of the caller's schema, and `encode` is its inverse. A value of an
unexpected kind is passed on as it is: the checks before and after say what is wrong with it, in better words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from codex_oauth.types import JSONValue

__all__ = (
    "SAME",
    "Choice",
    "Chooser",
    "Items",
    "Path",
    "Plan",
    "Reference",
    "Trail",
    "UndoError",
    "Wrapped",
    "reaches_change",
)

Path = tuple[str | int, ...]


class UndoError(ValueError):
    """A reply that has the right shape and still stands for no value."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class Chooser(Protocol):
    """A union that wants to know whether a built value is of the alternative that the reply chose."""

    def rivals(self, index: int, value: JSONValue) -> list[int]:
        """The other alternatives that the value of this one might be built as."""
        ...

    def confirms(self, index: int, rivals: list[int], dumped: JSONValue) -> bool:
        """Whether what was built, written as JSON, is of this alternative and of none of the rivals."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative of a union, chosen by the reply."""

    wire: Path
    own: Path
    union: Chooser
    index: int
    value: JSONValue


@dataclass(frozen=True, slots=True)
class Trail:
    """Where the undoing is: in the reply, and in the value that is being made. It remembers where the two differ."""

    wire: Path = ()
    own: Path = ()
    places: dict[Path, Path] = field(default_factory=dict[Path, Path])
    # Maps whose keys are no plain strings: the place in the reply, the kind of keys, and the keys.
    maps: list[tuple[Path, int, list[str]]] = field(default_factory=list[tuple[Path, int, list[str]]])
    # Alternatives that were chosen: the place in the reply and in the value, the union, which one, and its value.
    choices: list[Choice] = field(default_factory=list["Choice"])

    def at(self, wire: Path, own: Path) -> Trail:
        """Go on to a part."""
        return Trail(self.wire + wire, self.own + own, self.places, self.maps, self.choices)

    def mark(self) -> None:
        """Remember this place."""
        self.places[self.own] = self.wire


class Plan:
    """A place where the reply already is the caller's value; the base of those where it is not."""

    __slots__ = ()

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        """Turn a part of a reply into the caller's value."""
        del trail
        return value

    def encode(self, value: JSONValue) -> JSONValue:
        """Turn a value of the caller's into what the model would write."""
        return value

    def parts(self) -> Iterator[Plan]:
        """The plans of the parts."""
        yield from ()

    @property
    def changes(self) -> bool:
        """Whether this place itself, not only a part of it, is written in another way."""
        return False

    @property
    def watched(self) -> bool:
        """Whether the undoing has to be remembered here although nothing is written in another way."""
        return False


SAME = Plan()


@dataclass(slots=True)
class Reference(Plan):
    """A `$ref`. Its target is compiled later, so that a schema can contain itself."""

    target: Plan = SAME

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        return self.target.undo(value, trail)

    def encode(self, value: JSONValue) -> JSONValue:
        return self.target.encode(value)

    def parts(self) -> Iterator[Plan]:
        yield self.target


@dataclass(slots=True)
class Items(Plan):
    """An array whose items are written in another way."""

    item: Plan

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        if not isinstance(value, list):
            return value
        return [self.item.undo(part, trail.at((i,), (i,))) for i, part in enumerate(value)]

    def encode(self, value: JSONValue) -> JSONValue:
        return [self.item.encode(part) for part in value] if isinstance(value, list) else value

    def parts(self) -> Iterator[Plan]:
        yield self.item


@dataclass(slots=True)
class Wrapped(Plan):
    """The root, where it is no object: strict mode wants one, so it is the only property of one."""

    inner: Plan

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        trail = trail.at(("value",), ())
        trail.mark()
        return self.inner.undo(value["value"], trail) if isinstance(value, dict) and "value" in value else value

    def encode(self, value: JSONValue) -> JSONValue:
        return {"value": self.inner.encode(value)}

    def parts(self) -> Iterator[Plan]:
        yield self.inner

    @property
    def changes(self) -> bool:
        return True


def reaches_change(plan: Plan, *, watched: bool = False) -> bool:
    """Whether any part of a plan, followed through references, is written in another way, or is to be watched."""
    seen: set[int] = set()
    waiting = [plan]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        if current.changes or (watched and current.watched):
            return True
        seen.add(id(current))
        waiting.extend(current.parts())
    return False
