"""The plans for what strict mode cannot say, and what is therefore written in another way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from codex_oauth.schema.decode import DecodeError, decode
from codex_oauth.schema.members import Members
from codex_oauth.schema.plan import SAME, Choice, Items, Plan, Trail, UndoError, reaches_change
from codex_oauth.types import JSONValue

__all__ = ("Entries", "Fits", "JSONText", "Object", "Tuple", "Union")


@dataclass(slots=True)
class JSONText(Plan):
    """Any value, as a string that holds its JSON."""

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        trail.mark()
        if not isinstance(value, str):
            return value
        try:
            return decode(value)
        except DecodeError as error:
            raise UndoError(trail.wire, f"must be a string that holds one JSON value; {error}") from None

    def encode(self, value: JSONValue) -> JSONValue:
        return json.dumps(value, ensure_ascii=False)

    @property
    def changes(self) -> bool:
        return True


@dataclass(slots=True)
class Entries(Plan):
    """An open object, as a list of keys with values."""

    value: Plan
    patterns: Sequence[tuple[re.Pattern[str], Plan]] = ()
    # Which kind of keys a type has for it, where they are no plain strings.
    keys: int | None = None

    def _for(self, key: str) -> Plan:
        return next((plan for pattern, plan in self.patterns if pattern.search(key)), self.value)

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        trail.mark()
        if not isinstance(value, list):
            return value
        found: dict[str, JSONValue] = {}
        for index, entry in enumerate(value):
            if not isinstance(entry, dict) or not isinstance(key := entry.get("key"), str):
                return value
            if key in found:
                raise UndoError((*trail.wire, index, "key"), "the same key was given before")
            part = trail.at((index, "value"), (key,))
            part.mark()
            found[key] = self._for(key).undo(entry.get("value"), part)
        if self.keys is not None:
            trail.maps.append((trail.wire, self.keys, list(found)))
        return found

    def encode(self, value: JSONValue) -> JSONValue:
        if not isinstance(value, dict):
            return value
        return [{"key": key, "value": self._for(key).encode(part)} for key, part in value.items()]

    def parts(self) -> Iterator[Plan]:
        yield self.value
        yield from (plan for _, plan in self.patterns)

    @property
    def changes(self) -> bool:
        return True


@dataclass(slots=True)
class Object(Plan):
    """An object: null may stand for a property that is absent, and one property may hold the open ones."""

    fields: dict[str, Plan]
    optional: frozenset[str] = frozenset()
    absent_if_null: set[str] = field(default_factory=set[str])
    extra: tuple[str, Entries] | None = None

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        if not isinstance(value, dict):
            return value
        found: dict[str, JSONValue] = {}
        for name, part in value.items():
            if part is None and name in self.absent_if_null:
                continue
            if self.extra is not None and name == self.extra[0]:
                continue
            found[name] = self.fields.get(name, SAME).undo(part, trail.at((name,), (name,)))
        if self.extra is not None:
            name, plan = self.extra
            entries = plan.undo(value.get(name, []), trail.at((name,), ()))
            trail.mark()
            if not isinstance(entries, dict):
                return value
            twice = next((index for index, key in enumerate(entries) if key in self.fields), None)
            if twice is not None:
                message = "the key is the name of a property beside it"
                raise UndoError((*trail.wire, name, twice, "key"), message)
            found |= entries
        return found

    def encode(self, value: JSONValue) -> JSONValue:
        if not isinstance(value, dict):
            return value
        written: dict[str, JSONValue] = {
            name: plan.encode(value[name]) if name in value else None
            for name, plan in self.fields.items()
            if name in value or name in self.optional
        }
        if self.extra is not None:
            name, plan = self.extra
            written[name] = plan.encode({key: part for key, part in value.items() if key not in self.fields})
            return written
        # Kept although there is no room for them, so that the check of the result refuses them.
        return written | {key: part for key, part in value.items() if key not in self.fields}

    def parts(self) -> Iterator[Plan]:
        yield from self.fields.values()
        if self.extra is not None:
            yield self.extra[1]

    @property
    def changes(self) -> bool:
        return bool(self.absent_if_null) or self.extra is not None


@dataclass(slots=True)
class Tuple(Plan):
    """An array of fixed places, as an object with a property for each."""

    names: tuple[str, ...]
    item: Object
    more: str | None = None

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        trail.mark()
        if not isinstance(value, dict):
            return value
        found: list[JSONValue] = []
        missing = 0
        for index, name in enumerate(self.names):
            if name not in value or (value[name] is None and name in self.item.absent_if_null):
                missing += 1
                continue
            if missing:
                raise UndoError((*trail.wire, name), "an item before this one was left out")
            part = trail.at((name,), (index,))
            part.mark()
            found.append(self.item.fields[name].undo(value[name], part))
        rest = value.get(self.more) if self.more is not None else None
        if isinstance(rest, list) and rest and self.more is not None:
            if missing:
                raise UndoError((*trail.wire, self.more), "an item before these was left out")
            plan = self.item.fields[self.more]
            assert isinstance(plan, Items), "the open end of a tuple is an array"
            for index, part_value in enumerate(rest):
                part = trail.at((self.more, index), (len(self.names) + index,))
                part.mark()
                found.append(plan.item.undo(part_value, part))
        return found

    def encode(self, value: JSONValue) -> JSONValue:
        if not isinstance(value, list):
            return value
        named: dict[str, JSONValue] = dict(zip(self.names, value, strict=False))
        if self.more is not None:
            named[self.more] = value[len(self.names) :]
        return self.item.encode(named)

    def parts(self) -> Iterator[Plan]:
        yield self.item

    @property
    def changes(self) -> bool:
        return True


class Fits(Protocol):
    """The local check, as far as a union needs it."""

    def wire(self, schema: JSONValue, value: JSONValue) -> bool:
        """Whether a part of a reply fits a part of the wire schema."""
        ...

    def own(self, schema: JSONValue, value: JSONValue) -> bool:
        """Whether a value fits a part of the caller's schema."""
        ...


@dataclass(slots=True)
class Union(Plan):
    """Alternatives, each with its plan and with its schema on the wire and in the caller's terms.

    An alternative that is written in another way never looks like one of the others: either their wire schemas
    exclude each other, or those that do not are tagged, each as the only property of an object.
    """

    plans: list[Plan]
    wires: list[JSONValue]
    owns: list[JSONValue]
    fits: Fits
    tags: dict[int, str] = field(default_factory=dict[int, str])
    members: Members | None = None

    def undo(self, value: JSONValue, trail: Trail) -> JSONValue:
        if not reaches_change(self, watched=True):
            return value
        for index, plan in enumerate(self.plans):
            if not self.fits.wire(self.wires[index], value):
                continue
            if index in self.tags and isinstance(value, dict):
                trail = trail.at((self.tags[index],), ())
                trail.mark()
                value = value[self.tags[index]]
            undone = plan.undo(value, trail)
            if self.members is not None:
                trail.choices.append(Choice(trail.wire, trail.own, self, index, undone))
            return undone
        return value

    def rivals(self, index: int, value: JSONValue) -> list[int]:
        """The other alternatives that the value of this one might be built as."""
        assert self.members is not None, "only a watched union is asked"
        return self.members.rivals(index, value)

    def confirms(self, index: int, rivals: list[int], dumped: JSONValue) -> bool:
        """Whether what was built, written as JSON, is of this alternative and of none of the rivals."""
        return self._write(index, dumped) is not None and all(self._write(rival, dumped) is None for rival in rivals)

    def _write(self, index: int, value: JSONValue) -> tuple[JSONValue] | None:
        if not self.fits.own(self.owns[index], value):
            return None
        written = self.plans[index].encode(value)
        if index in self.tags:
            written = {self.tags[index]: written}
        # An open object may fit the caller's schema and have no room in the closed one of the wire.
        return (written,) if self.fits.wire(self.wires[index], written) else None

    def encode(self, value: JSONValue) -> JSONValue:
        found: tuple[JSONValue] | None = None
        for index in range(len(self.plans)):
            written = self._write(index, value)
            if written is not None and (value is not None or written[0] is None):
                return written[0]
            found = found or written
        # Null is written as null where it can be, as an absent property is, and otherwise in the first way there is.
        return value if found is None else found[0]

    def parts(self) -> Iterator[Plan]:
        yield from self.plans

    @property
    def changes(self) -> bool:
        return bool(self.tags)

    @property
    def watched(self) -> bool:
        return self.members is not None
