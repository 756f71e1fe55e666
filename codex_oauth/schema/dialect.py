"""Reading a caller's JSON Schema: checked, copied, and brought to one dialect (2020-12).

The check is a table instead of the metaschema, because a spec is built on the way to a call, where the import of
`jsonschema` alone would cost more than everything else. The tests hold the table against `jsonschema`'s own check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias, cast
from urllib.parse import unquote

from codex_oauth.errors import OutputSchemaError
from codex_oauth.types import JSONValue

__all__ = (
    "Schema",
    "expression",
    "is_never",
    "read_schema",
    "resolve",
    "schema_at",
    "schema_list",
    "schema_map",
    "type_names",
)

Schema: TypeAlias = dict[str, JSONValue]

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")

_SCHEMA = frozenset(
    [
        "additionalProperties",
        "items",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
        "contentSchema",
    ]
)
_SCHEMA_LIST = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_SCHEMA_MAP = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
# `$id` would move the base of every `$ref` below it; references are only followed inside the caller's document.
_DROPPED = frozenset(("$schema", "$id", "$comment", "$vocabulary", "$anchor", "$dynamicAnchor", "$recursiveAnchor"))
_REFUSED = {
    "$dynamicRef": "a dynamic reference cannot be mapped; use $ref",
    "$recursiveRef": 'a dynamic reference cannot be mapped; use {"$ref": "#"}',
}


def _is_count(value: JSONValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: JSONValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_names(value: JSONValue) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(name, str) for name in value)
        and len(set(map(str, value))) == len(value)
    )


def _is_type(value: JSONValue) -> bool:
    return (
        value in TYPES
        if isinstance(value, str)
        else bool(value) and _is_names(value) and set(cast(list[str], value)) <= set(TYPES)
    )


def _is_dependencies(value: JSONValue) -> bool:
    return isinstance(value, dict) and all(_is_names(names) for names in value.values())


_VALUES: dict[str, tuple[Callable[[JSONValue], bool], str]] = {
    "type": (_is_type, f"one of {', '.join(TYPES)}, or a list of them"),
    "required": (_is_names, "a list of different property names"),
    "enum": (lambda value: isinstance(value, list), "a list"),
    "multipleOf": (lambda value: _is_number(value) and cast(float, value) > 0, "a number above 0"),
    "dependentRequired": (_is_dependencies, "an object of lists of property names"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (_is_number, "a number")),
    **dict.fromkeys(
        (
            [
                "minLength",
                "maxLength",
                "minItems",
                "maxItems",
                "minProperties",
                "maxProperties",
                "minContains",
                "maxContains",
            ]
        ),
        (_is_count, "a whole number of 0 or more"),
    ),
    **dict.fromkeys(
        ("$ref", "title", "description", "pattern", "format", "contentEncoding", "contentMediaType"),
        (lambda value: isinstance(value, str), "a string"),
    ),
    **dict.fromkeys(
        ("uniqueItems", "readOnly", "writeOnly", "deprecated"), (lambda value: isinstance(value, bool), "true or false")
    ),
    "examples": (lambda value: isinstance(value, list), "a list"),
}


_KEYWORDS = (
    frozenset(_VALUES)
    | _SCHEMA
    | _SCHEMA_LIST
    | _SCHEMA_MAP
    | _DROPPED
    | frozenset(_REFUSED)
    | frozenset(("const", "default", "dependencies", "additionalItems", "discriminator", "nullable"))
)
# An escape, a class of characters (in which a bracket may come first), or the end of the text.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


@lru_cache(maxsize=512)
def expression(pattern: str) -> re.Pattern[str]:
    """Compile a pattern as JSON Schema means it: `$` is the very end, and `\\d`, `\\w` and `\\s` are ASCII."""
    return re.compile(_TOKEN.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern), re.ASCII)


def read_schema(document: JSONValue) -> JSONValue:
    """Check a schema and return a copy of it in the 2020-12 dialect.

    Older spellings are translated: `items` as a list, `additionalItems`, `dependencies`, and the boolean
    `exclusiveMinimum` and `exclusiveMaximum` of draft 4. Both `$defs` and `definitions` are understood.

    Raises:
        OutputSchemaError: It is not a JSON Schema, or it has a reference that cannot be followed.
    """
    places: dict[str, JSONValue] = {}
    if isinstance(document, dict) and document and _KEYWORDS.isdisjoint(document):
        raise OutputSchemaError(
            "#: no keyword of JSON Schema is in it; a schema looks like "
            '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}'
        )
    root = _read(document, "#", places)
    for place, schema in places.items():
        if isinstance(schema, dict) and "$ref" in schema:
            _check_reference(place, schema, places)
    return root


def _read(schema: JSONValue, place: str, places: dict[str, JSONValue]) -> JSONValue:
    if isinstance(schema, bool):
        places[place] = schema
        return schema
    if not isinstance(schema, dict):
        raise OutputSchemaError(f"{place}: a schema must be an object, true or false, not {_kind(schema)}")
    copy: Schema = {}
    places[place] = copy
    for keyword, value in _modern(schema, place):
        here = f"{place}/{_escape(keyword)}"
        if keyword in _REFUSED:
            raise OutputSchemaError(f"{here}: {_REFUSED[keyword]}")
        if keyword in _DROPPED:
            continue
        if keyword in _SCHEMA:
            copy[keyword] = _read(value, here, places)
        elif keyword in _SCHEMA_LIST:
            if not isinstance(value, list) or not value:
                raise OutputSchemaError(f"{here}: must be a non-empty list of schemas")
            copy[keyword] = [_read(part, f"{here}/{index}", places) for index, part in enumerate(value)]
        elif keyword in _SCHEMA_MAP:
            if not isinstance(value, dict):
                raise OutputSchemaError(f"{here}: must be an object whose values are schemas")
            copy[keyword] = {name: _read(part, f"{here}/{_escape(name)}", places) for name, part in value.items()}
        else:
            check = _VALUES.get(keyword)
            if check is not None and not check[0](value):
                raise OutputSchemaError(f"{here}: must be {check[1]}")
            copy[keyword] = value
    _check_patterns(copy, place)
    return copy


def _modern(schema: Schema, place: str) -> Iterator[tuple[str, JSONValue]]:
    for keyword, value in schema.items():
        if keyword == "items" and isinstance(value, list):
            if value:
                yield "prefixItems", value
            if "additionalItems" in schema:
                yield "items", schema["additionalItems"]
        elif keyword == "additionalItems":
            # Without a list in `items` it has no effect; with one it was given above.
            continue
        elif keyword == "dependencies":
            if not isinstance(value, dict):
                raise OutputSchemaError(f"{place}/dependencies: must be an object")
            yield "dependentRequired", {name: part for name, part in value.items() if isinstance(part, list)}
            yield "dependentSchemas", {name: part for name, part in value.items() if not isinstance(part, list)}
        elif keyword in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
            bound = schema.get("minimum" if keyword == "exclusiveMinimum" else "maximum")
            if value and bound is not None:
                yield keyword, bound
        else:
            yield keyword, value


def _check_patterns(schema: Schema, place: str) -> None:
    patterns = [("pattern", schema["pattern"])] if "pattern" in schema else []
    patterns += [("patternProperties", pattern) for pattern in schema_map(schema, "patternProperties")]
    for keyword, pattern in patterns:
        try:
            expression(cast(str, pattern))
        except (re.error, OverflowError, RecursionError):
            # ECMA-only syntax, such as \\p{L}, would otherwise first fail when a reply is checked.
            message = f"{place}/{keyword}: not a regular expression that Python can check; rewrite it for the re module"
            raise OutputSchemaError(message) from None


def _check_reference(place: str, schema: Schema, places: dict[str, JSONValue]) -> None:
    seen = {place}
    while True:
        ref = cast(str, schema["$ref"])
        target = _canonical(ref)
        if target is None:
            raise OutputSchemaError(
                f"{place}/$ref: only references inside the same schema can be followed; "
                "copy the referenced schema into $defs and refer to it as #/$defs/<name>"
            )
        if target not in places:
            raise OutputSchemaError(f"{place}/$ref: there is no schema at {target}; define it under $defs")
        found = places[target]
        if target in seen:
            raise OutputSchemaError(f"{place}/$ref: the reference leads back to itself, so nothing is described")
        if not isinstance(found, dict) or "$ref" not in found:
            return
        seen.add(target)
        schema = found


def _canonical(ref: str) -> str | None:
    if ref == "#":
        return ref
    if not ref.startswith("#/"):
        return None
    return "#" + unquote(ref[1:])


def resolve(root: JSONValue, ref: str) -> tuple[str, JSONValue]:
    """Return the canonical pointer and the schema that a checked `$ref` leads to."""
    pointer = _canonical(ref)
    assert pointer is not None, "references are checked on reading"
    found = root
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        found = found[int(name)] if isinstance(found, list) else cast(Schema, found)[name]
    return pointer, found


def is_never(schema: JSONValue) -> bool:
    """Whether a schema says in so many words that nothing fits it."""
    if isinstance(schema, dict):
        return schema.get("not", False) in (True, {}) and "not" in schema
    return schema is False


def schema_at(schema: Schema, keyword: str) -> JSONValue:
    """The schema under a keyword; `true`, which allows everything, if it is not there."""
    return schema.get(keyword, True)


def schema_list(schema: Schema, keyword: str) -> list[JSONValue]:
    """The list of schemas under a keyword of a schema that was read."""
    return cast(list[JSONValue], schema.get(keyword, []))


def schema_map(schema: Schema, keyword: str) -> dict[str, JSONValue]:
    """The named schemas under a keyword of a schema that was read."""
    return cast(dict[str, JSONValue], schema.get(keyword, {}))


def type_names(schema: Schema) -> list[str]:
    """The types that a schema names, as a list."""
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(cast(list[str], named))


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _kind(value: JSONValue) -> str:
    if value is None:
        return "null"
    return "a string" if isinstance(value, str) else "a list" if isinstance(value, list) else "a number"
