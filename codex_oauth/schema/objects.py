"""Objects and arrays: closing what is open, and giving every place a name."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import cast

from codex_oauth.schema.checks import Checks
from codex_oauth.schema.dialect import Schema, expression, is_never, schema_at, schema_list, schema_map
from codex_oauth.schema.encodings import Entries, Object, Tuple
from codex_oauth.schema.merge import Conflict
from codex_oauth.schema.plan import SAME, Items, Plan
from codex_oauth.schema.words import with_note
from codex_oauth.types import JSONValue

__all__ = ("KEYS", "Containers", "Never")

# Beside a map that a type describes: which of its kinds of keys this one has. No keyword of a caller starts with NUL.
KEYS = "\0keys"

_ENTRIES = "A map, written as a list of its entries; each key is there once."


class Never(Exception):
    """A part that nothing fits; whoever can do without the part leaves it out."""

    def __init__(self, place: str, message: str = "nothing can fit this schema") -> None:
        super().__init__(message)
        self.place = place


class Containers(ABC):
    """The half of the compiler that maps objects and arrays."""

    checks: Checks
    optional: list[tuple[dict[str, JSONValue], str, JSONValue, Object]]

    @abstractmethod
    def node(self, schema: JSONValue, place: str) -> tuple[Schema, Plan]:
        """Map any schema."""

    @abstractmethod
    def emit(self, schema: Schema, replace: Schema, kept: Iterable[str] = ()) -> Schema:
        """Copy what strict mode takes, with some values replaced or added."""

    def closed_object(self, properties: dict[str, JSONValue]) -> Schema:
        """An object with exactly these properties."""
        return {
            "type": "object",
            "properties": properties,
            "required": cast(JSONValue, list(properties)),
            "additionalProperties": False,
        }

    def object(self, schema: Schema, place: str) -> tuple[Schema, Plan]:
        """Map an object: every property required, nothing else allowed."""
        own = dict(schema_map(schema, "properties"))
        required = cast(list[str], schema.get("required", []))
        for name in required:
            own.setdefault(name, schema_at(schema, "additionalProperties"))
        properties: dict[str, JSONValue] = {}
        item = Object({}, frozenset(name for name in own if name not in required))
        for name, part in own.items():
            try:
                wire, plan = self.node(part, f"{place}/properties/{name.replace('~', '~0').replace('/', '~1')}")
            except Never:
                if name in required:
                    raise
                continue
            properties[name] = wire
            item.fields[name] = plan
            if name in item.optional:
                self.optional.append((properties, name, part, item))
        item.optional &= item.fields.keys()
        if self._is_open(schema):
            wire, entries = self._entries(schema, place)
            if not properties:
                return self._as_entries(schema, wire), entries
            name = "additional_entries"
            while name in own:
                name += "_"
            properties[name] = wire
            item.fields = dict(item.fields)
            item.extra = (name, entries)
        out = self._closed(schema, properties)
        if item.optional:
            self.checks.lenient(out, item.optional)
        unchanged = not item.optional and item.extra is None and all(plan is SAME for plan in item.fields.values())
        return out, SAME if unchanged else item

    def _closed(self, schema: Schema, properties: dict[str, JSONValue]) -> Schema:
        listed = cast(list[str], schema.get("required", []))
        # A caller's own order is kept where it is complete, so that a strict schema stays as it is.
        required = listed if set(listed) == set(properties) else list(properties)
        return self.emit(
            schema,
            {
                "type": "object",
                "properties": properties,
                "required": cast(JSONValue, required),
                "additionalProperties": False,
            },
        )

    def _is_open(self, schema: Schema) -> bool:
        if "additionalProperties" in schema:
            return not is_never(schema["additionalProperties"]) or bool(schema_map(schema, "patternProperties"))
        # Nothing said, and properties listed: what people mean is these and no others. Without a list: any.
        return bool(schema_map(schema, "patternProperties")) or not ("properties" in schema or schema.get("required"))

    def _as_entries(self, schema: Schema, wire: Schema) -> Schema:
        said = {keyword: value for keyword, value in schema.items() if keyword in ("title", "description")}
        note = cast(str, wire.pop("description"))
        out: Schema = {**said, **wire}
        with_note(out, note)
        return out

    def _entries(self, schema: Schema, place: str) -> tuple[Schema, Entries]:
        wires: list[Schema] = []
        patterns: list[tuple[re.Pattern[str], Plan]] = []
        for pattern, part in schema_map(schema, "patternProperties").items():
            if is_never(part):
                continue
            wire, plan = self.node(part, f"{place}/patternProperties")
            patterns.append((expression(pattern), plan))
            wires += [wire] if wire not in wires else []
        rest: Plan = SAME
        more = schema.get("additionalProperties", not patterns)
        if not is_never(more):
            wire, rest = self.node(more, f"{place}/additionalProperties")
            wires += [wire] if wire not in wires else []
        if not wires:
            raise Never(place)
        value: Schema = wires[0] if len(wires) == 1 else {"anyOf": cast(JSONValue, wires)}
        entry = self.closed_object({"key": self._key(schema, place), "value": value})
        out: Schema = {"type": "array", "items": entry}
        described = self.emit(
            {k: v for k, v in schema.items() if k not in ("description", "title")} | {"type": "object"}, {}
        )
        with_note(out, _ENTRIES, cast(str, described.get("description", "")))
        if schema_map(schema, "patternProperties") and is_never(more):
            names = " or ".join(schema_map(schema, "patternProperties"))
            with_note(out, f"Each key matches {names}")
        return out, Entries(rest, tuple(patterns), cast("int | None", schema.get(KEYS)))

    def _key(self, schema: Schema, place: str) -> Schema:
        names = schema_at(schema, "propertyNames")
        if not isinstance(names, dict):
            return {"type": "string"}
        # allOf, so that a reference is written out: a key is a string whatever the names' schema leaves open.
        try:
            wire, plan = self.node({"allOf": [names, {"type": "string"}]}, f"{place}/propertyNames")
        except Conflict:
            return {"type": "string"}
        return wire if plan is SAME and wire.get("type") == "string" else {"type": "string"}

    def array(self, schema: Schema, place: str) -> tuple[Schema, Plan]:
        """Map an array: one schema for all items, or a property for each place."""
        if schema_list(schema, "prefixItems"):
            return self._tuple(schema, place)
        if cast(int, schema.get("maxItems", 1)) < cast(int, schema.get("minItems", 0)):
            raise Never(place, "minItems is above maxItems")
        try:
            wire, plan = self.node(schema_at(schema, "items"), f"{place}/items")
        except Never:
            if schema.get("minItems"):
                raise
            # Only the empty array fits, but strict mode wants to know of what.
            empty: Schema = {**schema, "maxItems": 0}
            return self.emit(empty, {"items": {"type": "null"}}), SAME
        return self.emit(schema, {"items": wire}), SAME if plan is SAME else Items(plan)

    def _tuple(self, schema: Schema, place: str) -> tuple[Schema, Plan]:
        parts = schema_list(schema, "prefixItems")
        most = cast(int, schema.get("maxItems", len(parts) if "items" not in schema else 1 << 62))
        least = cast(int, schema.get("minItems", 0))
        names: dict[str, JSONValue] = {f"item_{index}": part for index, part in enumerate(parts[:most])}
        more = "more_items" if most > len(parts) and not is_never(schema.get("items", False)) else None
        required = list(names)[:least]
        if more is not None:
            rest: Schema = {"type": "array", "items": schema["items"]}
            if least > len(parts):
                rest["minItems"] = least - len(parts)
            if "maxItems" in schema:
                rest["maxItems"] = most - len(parts)
            names[more] = rest
            required.append(more)
        said = {k: v for k, v in schema.items() if k in ("title", "description", "uniqueItems", "contains")}
        shape: Schema = {**said, "type": "object", "properties": names, "required": cast(JSONValue, required)}
        wire, plan = self.object(shape, place)
        if not isinstance(plan, Object):
            plan = Object(dict.fromkeys(names, SAME))
        if more is not None and not isinstance(plan.fields[more], Items):
            plan.fields[more] = Items(SAME)
        with_note(wire, "A list, written as an object with a property for each place.")
        item_names = tuple(name for name in plan.fields if name != more)
        return wire, Tuple(item_names, plan, more)
