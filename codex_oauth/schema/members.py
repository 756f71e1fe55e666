"""Members of a union that a type describes: whether what is built of a reply is the one that the reply chose.

Pydantic chooses by itself, from a value that no longer says which alternative it was on the wire. Two members that
would look alike as values are refused with the type; the others are compared after building, where they could be mixed
up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from codex_oauth.schema.dialect import Schema, resolve, schema_list, schema_map, type_names
from codex_oauth.schema.merge import same
from codex_oauth.types import JSONValue

__all__ = ("Members",)

_LOOK_AHEAD = 6


@dataclass(frozen=True, slots=True)
class Members:
    """The alternatives of one union, in the caller's terms."""

    root: JSONValue
    owns: list[JSONValue]

    def alike(self) -> bool:
        """Whether two of them can never be told apart by their values."""
        return any(
            self._may_differ(a, b) and not self._tellable(a, b, 0)
            for index, a in enumerate(self.owns)
            for b in self.owns[:index]
        )

    def matters(self) -> bool:
        """Whether it makes a difference which one a value is of."""
        return len(self.owns) > 1 and any(self._named(own, 0) for own in self.owns)

    def rivals(self, index: int, value: JSONValue) -> list[int]:
        """The other members that the value of this one might be built as."""
        return [
            other
            for other, own in enumerate(self.owns)
            if other != index and self._may_differ(self.owns[index], own) and not self._excluded(own, value, 0)
        ]

    def _follow(self, schema: JSONValue) -> Schema:
        while isinstance(schema, dict) and isinstance(ref := schema.get("$ref"), str):
            schema = resolve(self.root, ref)[1]
        return schema if isinstance(schema, dict) else {}

    def _may_differ(self, a: JSONValue, b: JSONValue) -> bool:
        # Of numbers and strings, and of lists and maps of them, any member makes the same value.
        return self._named(a, 0) or self._named(b, 0)

    def _named(self, schema: JSONValue, depth: int) -> bool:
        # Whether values have places with names, as those of a class have.
        schema = self._follow(schema)
        if depth > _LOOK_AHEAD or "properties" in schema or "prefixItems" in schema:
            return True
        parts = [schema[name] for name in ("items", "additionalProperties") if name in schema]
        return any(self._named(part, depth + 1) for part in [*parts, *_parts(schema)])

    def _tellable(self, a: JSONValue, b: JSONValue, depth: int) -> bool:
        a, b = self._follow(a), self._follow(b)
        if depth > _LOOK_AHEAD:
            return False
        for one, other in ((a, b), (b, a)):
            if parts := _parts(one):
                return all(
                    not self._may_differ(part, other) or self._tellable(part, other, depth + 1) for part in parts
                )
        if "properties" in a and "properties" in b:
            return self._distinct(a, b, depth)
        if "prefixItems" in a and "prefixItems" in b:
            return self._distinct(a, b, depth)
        if "items" in a and "items" in b and self._may_differ(a["items"], b["items"]):
            return self._tellable(a["items"], b["items"], depth + 1)
        mine, theirs = schema_map(a, "properties"), schema_map(b, "properties")
        more, others = a.get("additionalProperties"), b.get("additionalProperties")
        if not mine and not theirs and isinstance(more, dict) and isinstance(others, dict):
            return not self._may_differ(more, others) or self._tellable(more, others, depth + 1)
        # Such as a class and a map: that depends on the value.
        return True

    def _distinct(self, a: JSONValue, b: JSONValue, depth: int) -> bool:
        # Whether it is certain that no value, written with all its properties, fits both.
        a, b = self._follow(a), self._follow(b)
        if depth > _LOOK_AHEAD:
            return False
        for one, other in ((a, b), (b, a)):
            if parts := _parts(one):
                return all(self._distinct(part, other, depth + 1) for part in parts)
        values, others = _values(a), _values(b)
        if values is not None and others is not None:
            return not any(same(x, y) for x in values for y in others)
        kinds, more = _kinds(a), _kinds(b)
        if kinds and more and kinds.isdisjoint(more):
            return True
        if "properties" in a and "properties" in b:
            mine, theirs = schema_map(a, "properties"), schema_map(b, "properties")
            return mine.keys() != theirs.keys() or any(self._distinct(mine[n], theirs[n], depth + 1) for n in mine)
        if "prefixItems" in a and "prefixItems" in b:
            first, second = schema_list(a, "prefixItems"), schema_list(b, "prefixItems")
            places = zip(first, second, strict=False)
            return len(first) != len(second) or any(self._distinct(x, y, depth + 1) for x, y in places)
        return False

    def _excluded(self, schema: JSONValue, value: JSONValue, depth: int) -> bool:
        # Whether it is certain that this value is not built as this member. A wrong type alone may be converted.
        schema = self._follow(schema)
        if depth > _LOOK_AHEAD:
            return False
        if parts := _parts(schema):
            return all(self._excluded(part, value, depth + 1) for part in parts)
        kinds = _kinds(schema)
        if isinstance(value, list):
            if kinds and "array" not in kinds:
                return True
            if "prefixItems" in schema:
                return len(value) < cast(int, schema.get("minItems", 0))
            # An empty list is the same one whatever it is a list of.
            return not value or any(self._excluded(schema.get("items", True), part, depth + 1) for part in value)
        if not isinstance(value, dict):
            return bool(kinds) and kinds <= {"object", "array"}
        if kinds and "object" not in kinds:
            return True
        properties = schema_map(schema, "properties")
        if any(name not in value for name in cast(list[str], schema.get("required", []))):
            return True
        if schema.get("additionalProperties") is False and any(name not in properties for name in value):
            return True
        for name, part in properties.items():
            values = _values(self._follow(part))
            if values is not None and name in value and value[name] not in values:
                return True
        return False


def _parts(schema: Schema) -> list[JSONValue]:
    return [*schema_list(schema, "anyOf"), *schema_list(schema, "oneOf")]


def _values(schema: Schema) -> list[JSONValue] | None:
    if "const" in schema:
        return [schema["const"]]
    return cast(list[JSONValue], schema["enum"]) if "enum" in schema else None


def _kinds(schema: Schema) -> set[str]:
    return {"number" if name == "integer" else name for name in type_names(schema)}
