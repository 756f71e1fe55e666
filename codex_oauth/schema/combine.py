"""Where one schema is made of several: `allOf`, `anyOf`, `oneOf`, and lists of values."""

from __future__ import annotations

from typing import cast

from codex_oauth.errors import OutputSchemaError
from codex_oauth.schema.dialect import Schema, resolve, schema_list
from codex_oauth.schema.encodings import JSONText, Union
from codex_oauth.schema.members import Members
from codex_oauth.schema.merge import REST, Conflict, merge
from codex_oauth.schema.objects import Containers, Never
from codex_oauth.schema.plan import SAME, Plan
from codex_oauth.types import JSONValue

__all__ = ("SILENT", "Combinations", "is_silent")

# Keywords that say nothing about what fits.
SILENT = frozenset(
    (
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$defs",
        "definitions",
        "discriminator",
        "nullable",
    )
)
_SHAPES = frozenset(
    (
        "type",
        "properties",
        "items",
        "prefixItems",
        "$ref",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "additionalProperties",
        "patternProperties",
    )
)
_TYPE_OF_VALUE = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "NoneType": "null"}


class Combinations(Containers):
    """The part of the compiler that merges, and that maps unions and values."""

    root: JSONValue
    # Whether values are built from what comes back.
    typed: bool
    unions: list[tuple[Schema, Union]]
    # The references that are being written out, innermost last.
    expanding: list[str]

    def flatten(self, schema: Schema, place: str) -> Schema:
        """Merge `allOf`, and what stands beside a `$ref`, into one schema; a bare `$ref` stays."""
        if "allOf" not in schema and ("$ref" not in schema or is_silent(schema, "$ref")):
            return schema
        parts = schema_list(schema, "allOf")
        only = parts[0] if len(parts) == 1 and "$ref" not in schema and is_silent(schema, "allOf") else None
        if isinstance(only, dict) and set(only) == {"$ref"}:
            return {
                ("$ref" if key == "allOf" else key): (only["$ref"] if key == "allOf" else v)
                for key, v in schema.items()
            }
        merged: JSONValue = {key: value for key, value in schema.items() if key not in ("allOf", "$ref")}
        depth = len(self.expanding)
        try:
            for part in [*([{"$ref": schema["$ref"]}] if "$ref" in schema else []), *parts]:
                merged = merge(merged, self._expanded(cast(JSONValue, part), place))
        except Conflict as error:
            raise Never(place, f"the parts of allOf (or a $ref and its siblings) exclude each other: {error}") from None
        finally:
            del self.expanding[depth:]
        return merged if isinstance(merged, dict) else {}

    def _expanded(self, part: JSONValue, place: str) -> JSONValue:
        while isinstance(part, dict) and ("$ref" in part or "allOf" in part):
            if "$ref" in part and set(part) <= SILENT | {"$ref"}:
                pointer, target = resolve(self.root, cast(str, part["$ref"]))
                if pointer in self.expanding:
                    message = f"{place}: an allOf that contains itself through {pointer} cannot be merged; write it out"
                    raise OutputSchemaError(message)
                self.expanding.append(pointer)
                part = target
            else:
                part = self.flatten(part, place)
        return part

    def values(self, schema: Schema, place: str) -> tuple[Schema, Plan]:
        values = [schema["const"]] if "const" in schema else cast(list[JSONValue], schema["enum"])
        if not values:
            raise Never(place)
        kept: Schema = {k: v for k, v in schema.items() if k in ("title", "description", "type", "const", "enum")}
        if "const" in kept:
            kept.pop("enum", None)
        if any(isinstance(value, list | dict) for value in values):
            texts = cast(JSONValue, [JSONText().encode(value) for value in values])
            wire: Schema = {k: v for k, v in kept.items() if k not in ("type", "const", "enum")}
            return {**wire, "type": "string", "enum": texts}, JSONText()
        if "type" not in kept:
            found = list(dict.fromkeys(_TYPE_OF_VALUE[type(value).__name__] for value in values))
            kept["type"] = found[0] if len(found) == 1 else cast(JSONValue, found)
        return kept, SAME

    def union(self, schema: Schema, place: str) -> tuple[Schema, Plan]:
        keyword = "anyOf" if "anyOf" in schema else "oneOf"
        parts = schema_list(schema, keyword)
        base = {k: v for k, v in schema.items() if k != keyword and k not in SILENT}
        if base and not any(_has_shape(part) for part in parts):
            # Only conditions on a shape that is given beside them, such as "either a or b is required".
            rest = [*cast(list[JSONValue], schema.get(REST, [])), {keyword: cast(JSONValue, parts)}]
            return self.node({**{k: v for k, v in schema.items() if k != keyword}, REST: cast(JSONValue, rest)}, place)
        wires: list[JSONValue] = []
        plans: list[Plan] = []
        owns: list[JSONValue] = []
        for index, part in enumerate(parts):
            here = f"{place}/{keyword}/{index}"
            try:
                own = self._with_base(base, part, here)
                wire, plan = self.node(own, here)
            except Never:
                continue
            wires.append(wire)
            plans.append(plan)
            owns.append(own)
        if not wires:
            raise Never(place)
        said = {key: value for key, value in schema.items() if key in (keyword, "title", "description")}
        out: Schema = {("anyOf" if k == keyword else k): (wires if k == keyword else v) for k, v in said.items()}
        members = Members(self.root, owns) if self.typed else None
        if members is not None and members.alike():
            message = f"{place}/{keyword}: members whose values look alike; add a Literal field that tells them apart"
            raise OutputSchemaError(message)
        if members is not None and not members.matters():
            members = None
        if members is None and all(plan is SAME for plan in plans):
            return out, SAME
        union = Union(plans, wires, owns, self.checks, members=members)
        self.unions.append((out, union))
        return out, union

    def _with_base(self, base: Schema, part: JSONValue, place: str) -> JSONValue:
        if not base:
            return part
        try:
            return merge(cast(JSONValue, base), self._expanded(part, place))
        except Conflict:
            raise Never(place) from None
        finally:
            self.expanding.clear()


def is_silent(schema: Schema, keyword: str) -> bool:
    """Whether nothing but this keyword says what fits."""
    return set(schema) <= SILENT | {keyword}


def _has_shape(part: JSONValue) -> bool:
    return not isinstance(part, dict) or not part or not _SHAPES.isdisjoint(part)
