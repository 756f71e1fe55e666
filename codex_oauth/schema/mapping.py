"""The way out: a caller's schema to one that strict mode takes, together with the plan that undoes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from codex_oauth.errors import OutputSchemaError
from codex_oauth.schema.checks import Checks
from codex_oauth.schema.combine import Combinations
from codex_oauth.schema.dialect import Schema, is_never, resolve, schema_map, type_names
from codex_oauth.schema.encodings import JSONText, Object, Union
from codex_oauth.schema.objects import Never
from codex_oauth.schema.plan import SAME, Plan, Reference, Wrapped, reaches_change
from codex_oauth.schema.wire import admits_null, check_limits, distinct, is_plain_object, make_nullable
from codex_oauth.schema.words import compact, describe, is_wire_keyword, with_note
from codex_oauth.types import JSONValue

__all__ = ("Mapping", "map_schema")

_OF_TYPE = {
    "object": "properties required additionalProperties patternProperties propertyNames minProperties maxProperties "
    "dependentRequired dependentSchemas unevaluatedProperties",
    "array": "items prefixItems contains minContains maxContains minItems maxItems uniqueItems unevaluatedItems",
    "string": "minLength maxLength pattern format contentEncoding contentMediaType",
    "number": "multipleOf minimum maximum exclusiveMinimum exclusiveMaximum",
}
# Long ones are left out: they are paid for with each call.
_LONGEST_DEFAULT = 100
_TYPE_OF = {keyword: name for name, keywords in _OF_TYPE.items() for keyword in keywords.split()}


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapped schema: what goes out, how to come back, and the local check of both."""

    wire: Schema
    plan: Plan
    checks: Checks
    changed: bool


@dataclass(slots=True)
class _Definition:
    name: str
    plan: Reference
    wire: Schema = field(default_factory=dict[str, JSONValue])
    references: list[Schema] = field(default_factory=list[Schema])
    never: Never | None = None


def map_schema(root: JSONValue, *, typed: bool = False) -> Mapping:
    """Map a schema that was read; `typed` if values are built from what comes back.

    Raises:
        OutputSchemaError: Nothing can fit it, or a part of it has no strict form.
    """
    compiler = _Compiler(root, typed=typed)
    try:
        return compiler.run()
    except Never as error:
        message = f"{error.place}: {error}; remove the contradiction, or make the property optional"
        raise OutputSchemaError(message) from None


class _Compiler(Combinations):
    def __init__(self, root: JSONValue, *, typed: bool) -> None:
        self.root = root
        self.typed = typed
        self.checks = Checks(root)
        self.definitions: dict[str, _Definition] = {}
        self.unions: list[tuple[Schema, Union]] = []
        self.optional: list[tuple[dict[str, JSONValue], str, JSONValue, Object]] = []
        self.expanding: list[str] = []

    def run(self) -> Mapping:
        wire, plan = self.node(self.root, "#")
        if isinstance(ref := wire.get("$ref"), str):
            wire = self._inline_root(wire, ref)
        wire, plan = self._finish_root(wire, plan)
        defs = {_reference(d.name): d.wire for d in self.definitions.values()} | {"#": wire}
        self._settle(defs)
        wire = self._with_definitions(wire)
        check_limits(wire)
        self.checks.wire_root = wire
        return Mapping(wire, plan, self.checks, changed=reaches_change(plan, watched=True))

    def _inline_root(self, wire: Schema, ref: str) -> Schema:
        # The root may not be a reference, but others may refer to the root.
        pointer, found = next((p, d) for p, d in self.definitions.items() if ref == _reference(d.name))
        if not is_plain_object(found.wire):
            return wire
        for reference in found.references:
            reference["$ref"] = "#"
        del self.definitions[pointer]
        return found.wire

    def _finish_root(self, wire: Schema, plan: Plan) -> tuple[Schema, Plan]:
        if is_plain_object(wire):
            if "#" in self.definitions:
                self.definitions.pop("#").plan.target = plan
            return wire, plan
        if "#" in self.definitions:
            definition = self.definitions["#"]
            definition.wire, definition.plan.target = wire, plan
            for reference in definition.references:
                reference["$ref"] = _reference(definition.name)
            wire = {"$ref": _reference(definition.name)}
        return self.closed_object({"value": wire}), Wrapped(plan)

    def _with_definitions(self, wire: Schema) -> Schema:
        # Reachable ones only, in the caller's order and place, so that a strict schema comes out as it went in.
        order = list(self.root) if isinstance(self.root, dict) else []
        listed = [
            f"#/{k}/{_escape(n)}"
            for k in ("$defs", "definitions")
            if isinstance(self.root, dict)
            for n in schema_map(self.root, k)
        ]
        pointers = [p for p in listed if p in self.definitions] + [p for p in self.definitions if p not in listed]
        named = {d.name: cast(JSONValue, d.wire) for p in pointers if (d := self.definitions[p]).never is None}
        parts: Schema = {**wire, "$defs": named} if named else dict(wire)
        keys = [*("$defs" if key == "definitions" else key for key in order), *parts]
        ordered = {key: parts[key] for key in dict.fromkeys(keys) if key in parts}
        self.checks.alias(wire, ordered)
        return ordered

    def _settle(self, defs: dict[str, Schema]) -> None:
        # Each answer may change another: a tagged union no longer takes null, and two objects may be alike once a
        # property takes null. Nothing is ever taken back, so this ends.
        unsettled = True
        while unsettled:
            unsettled = False
            for found in self.optional:
                unsettled |= self._make_optional(*found, defs)
            for union in self.unions:
                unsettled |= self._tag(*union, defs)

    def _tag(self, wire: Schema, union: Union, defs: dict[str, Schema]) -> bool:
        alternatives = cast(list[Schema], wire["anyOf"])
        changed = [reaches_change(plan) for plan in union.plans]
        alike = {
            index
            for i in range(len(changed))
            for j in range(i)
            if (changed[i] or changed[j]) and not distinct(alternatives[i], alternatives[j], defs)
            for index in (i, j)
            if index not in union.tags
        }
        for index in sorted(alike):
            union.tags[index] = f"option_{index + 1}"
            alternatives[index] = self.closed_object({union.tags[index]: alternatives[index]})
        return bool(alike)

    def _make_optional(
        self, properties: dict[str, JSONValue], name: str, own: JSONValue, item: Object, defs: dict[str, Schema]
    ) -> bool:
        wire = cast(Schema, properties[name])
        if name in item.absent_if_null or admits_null(wire, defs):
            return False
        item.absent_if_null.add(name)
        default = own.get("default") if isinstance(own, dict) else None
        text = compact(default)
        told = default is not None and len(text) <= _LONGEST_DEFAULT
        wire = make_nullable(wire)
        with_note(wire, f"Null stands for the default, {text}." if told else "Null if there is none.")
        properties[name] = wire
        return True

    def node(self, schema: JSONValue, place: str) -> tuple[Schema, Plan]:
        if is_never(schema):
            raise Never(place)
        if not isinstance(schema, dict):
            return self.any_value({}, place)
        schema = self.flatten(schema, place)
        if "$ref" in schema:
            return self._reference(schema, place)
        if "enum" in schema or "const" in schema:
            return self.values(schema, place)
        if "anyOf" in schema or "oneOf" in schema:
            return self.union(schema, place)
        types = type_names(schema) or self._implied(schema)
        return self._typed(schema, types, place) if types else self.any_value(schema, place)

    def _implied(self, schema: Schema) -> list[str]:
        # {"properties": ...} without a type allows a number too, in theory; what was meant is an object.
        implied = dict.fromkeys(_TYPE_OF[keyword] for keyword in schema if keyword in _TYPE_OF)
        return list(implied) if len(implied) == 1 else []

    def _typed(self, schema: Schema, types: list[str], place: str) -> tuple[Schema, Plan]:
        containers = [name for name in types if name in ("object", "array")]
        others = [name for name in types if name not in ("object", "array")]
        if not containers:
            if "type" not in schema:
                schema = {"type": types[0], **schema}
            return self.emit(schema, {}), SAME
        if len(types) == 1:
            return (self.object if types[0] == "object" else self.array)({**schema, "type": types[0]}, place)
        if len(containers) == 1 and others == ["null"]:
            wire, plan = self._typed(schema, containers, place)
            wire["type"] = (
                [containers[0], "null"] if wire["type"] == containers[0] else [cast(str, wire["type"]), "null"]
            )
            if types[0] == "null":
                wire["type"] = cast(JSONValue, cast(list[JSONValue], wire["type"])[::-1])
            return wire, plan
        said = {keyword: value for keyword, value in schema.items() if keyword in ("title", "description")}
        branches: list[JSONValue] = [
            {k: v for k, v in schema.items() if k not in said and _belongs(k, name)} | {"type": name} for name in types
        ]
        return self.union({**said, "anyOf": branches}, place)

    def _reference(self, schema: Schema, place: str) -> tuple[Schema, Plan]:
        pointer, target = resolve(self.root, cast(str, schema["$ref"]))
        definition = self.definitions.get(pointer)
        if definition is None:
            definition = self._define(pointer, target)
        if definition.never is not None:
            raise Never(place)
        wire: Schema = {"$ref": "#" if pointer == "#" else _reference(definition.name)}
        definition.references.append(wire)
        # Strict mode refuses every keyword beside $ref, a description too.
        said: Schema = {
            ("anyOf" if key == "$ref" else key): ([wire] if key == "$ref" else value)
            for key, value in schema.items()
            if key in ("$ref", "description")
        }
        return (said if len(said) > 1 else wire), definition.plan

    def _define(self, pointer: str, target: JSONValue) -> _Definition:
        wanted = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~") if pointer != "#" else "root"
        taken = {definition.name for definition in self.definitions.values()}
        reserved = {
            name
            for key in ("$defs", "definitions")
            if isinstance(self.root, dict)
            for name in schema_map(self.root, key)
        }
        if not pointer.startswith(("#/$defs/", "#/definitions/")) or pointer.count("/") > 2:
            taken |= reserved
        definition = _Definition(_free(wanted, taken), Reference())
        self.definitions[pointer] = definition
        if pointer != "#":
            try:
                definition.wire, definition.plan.target = self.node(target, pointer)
            except Never as error:
                definition.never = error
        return definition

    def any_value(self, schema: Schema, place: str) -> tuple[Schema, Plan]:
        """Anything goes, which strict mode cannot say: the value travels as JSON inside a string."""
        del place
        wire: Schema = {key: value for key, value in schema.items() if key in ("title", "description")}
        wire["type"] = "string"
        with_note(wire, "Any JSON value, written as a string that holds its JSON.", *describe(schema, frozenset()))
        return wire, JSONText()

    def emit(self, schema: Schema, replace: Schema, kept: Iterable[str] = ()) -> Schema:
        """Copy what strict mode takes, in the caller's order, with some values replaced or added."""
        keep = {"type", *kept, *(keyword for keyword in schema if is_wire_keyword(schema, keyword))}
        wire = {key: replace.get(key, value) for key, value in schema.items() if key in keep or key in replace}
        wire.update({key: value for key, value in replace.items() if key not in wire})
        with_note(wire, *describe(schema, frozenset(keep)))
        return wire


def _belongs(keyword: str, name: str) -> bool:
    owner = _TYPE_OF.get(keyword)
    return owner is None or owner == name or (owner == "number" and name == "integer")


def _reference(name: str) -> str:
    return f"#/$defs/{_escape(name)}"


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
