"""Questions about a wire schema, asked once all of it is there, and OpenAI's limits on its size."""

from __future__ import annotations

from typing import cast

from codex_oauth.errors import OutputSchemaError
from codex_oauth.schema.dialect import Schema, schema_list, schema_map, type_names
from codex_oauth.schema.merge import same
from codex_oauth.types import JSONValue

__all__ = ("admits_null", "check_limits", "distinct", "is_plain_object", "make_nullable")

# As documented for structured outputs. The ten levels of nesting are left to the service: how it counts them through
# references and unions is documented nowhere, and a wrong guess would refuse what it takes.
MAX_PROPERTIES = 5_000
MAX_ENUM_VALUES = 1_000
MAX_NAME_CHARACTERS = 120_000
_SCALARS = frozenset(("string", "number", "integer", "boolean", "null"))
# Deep enough for a discriminator inside an envelope. A union that is not told apart by then is tagged.
_LOOK_AHEAD = 4


def is_plain_object(schema: Schema) -> bool:
    """Whether strict mode takes it as a root."""
    return schema.get("type") == "object" and "anyOf" not in schema


def _follow(schema: Schema, defs: dict[str, Schema]) -> Schema:
    # Cycles of bare references were refused when the schema was read.
    while isinstance(ref := schema.get("$ref"), str):
        schema = defs[ref]
    return schema


def admits_null(schema: Schema, defs: dict[str, Schema]) -> bool:
    """Whether null fits."""
    schema = _follow(schema, defs)
    if "anyOf" in schema:
        return any(admits_null(cast(Schema, part), defs) for part in schema_list(schema, "anyOf"))
    if "const" in schema:
        return schema["const"] is None
    if "enum" in schema and None not in cast(list[JSONValue], schema["enum"]):
        return False
    return "null" in type_names(schema)


def make_nullable(schema: Schema) -> Schema:
    """Return a schema that also takes null: the same one, widened, or another one around it.

    In place where that can be, because plans and the local check know their part of the wire schema by identity.
    """
    if "anyOf" in schema:
        schema_list(schema, "anyOf").append({"type": "null"})
        return schema
    kinds = type_names(schema)
    if "const" not in schema and kinds and _SCALARS.issuperset(kinds):
        schema["type"] = [*kinds, "null"]
        if "enum" in schema:
            schema["enum"] = [*cast(list[JSONValue], schema["enum"]), None]
        return schema
    outer: Schema = {"description": schema.pop("description")} if "description" in schema else {}
    outer["anyOf"] = [schema, {"type": "null"}]
    return outer


def distinct(a: Schema, b: Schema, defs: dict[str, Schema], depth: int = 0) -> bool:
    """Whether it is certain that nothing fits both."""
    a, b = _follow(a, defs), _follow(b, defs)
    if depth > _LOOK_AHEAD:
        return False
    for one, other in ((a, b), (b, a)):
        if "anyOf" in one:
            return all(distinct(cast(Schema, part), other, defs, depth + 1) for part in schema_list(one, "anyOf"))
    values, others = _values(a), _values(b)
    if values is not None and others is not None:
        return not any(same(x, y) for x in values for y in others)
    kinds, more = _kinds(a), _kinds(b)
    if kinds.isdisjoint(more):
        return True
    if kinds != {"object"} or more != {"object"}:
        return False
    mine, theirs = schema_map(a, "properties"), schema_map(b, "properties")
    if mine.keys() != theirs.keys():
        return True
    return any(distinct(cast(Schema, mine[name]), cast(Schema, theirs[name]), defs, depth + 1) for name in mine)


def _values(schema: Schema) -> list[JSONValue] | None:
    if "const" in schema:
        return [schema["const"]]
    return cast(list[JSONValue], schema["enum"]) if "enum" in schema else None


def _kinds(schema: Schema) -> set[str]:
    return {"number" if name == "integer" else name for name in type_names(schema)}


def check_limits(wire: Schema) -> None:
    """Refuse a schema that the service would refuse for its size.

    Raises:
        OutputSchemaError: More than 5,000 properties, 1,000 enum values, or 120,000 characters of names and values.
    """
    properties = values = characters = 0
    waiting: list[JSONValue] = [wire]
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, dict):
            continue
        for keyword in ("properties", "$defs"):
            named = schema_map(schema, keyword)
            properties += len(named) if keyword == "properties" else 0
            characters += sum(map(len, named))
            waiting.extend(named.values())
        listed = _values(schema) or []
        values += len(listed) if "enum" in schema else 0
        characters += sum(len(value) for value in listed if isinstance(value, str))
        waiting.extend(schema_list(schema, "anyOf"))
        waiting.append(schema.get("items"))
    for found, limit, what in (
        (properties, MAX_PROPERTIES, "properties"),
        (values, MAX_ENUM_VALUES, "enum values"),
        (characters, MAX_NAME_CHARACTERS, "characters in property names, definition names and enum values"),
    ):
        if found > limit:
            raise OutputSchemaError(
                f"#: the schema has {found} {what}; the service takes {limit}; ask for less at once"
            )
