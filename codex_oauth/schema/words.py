"""What strict mode cannot enforce, said in words, so that the model still knows it."""

from __future__ import annotations

import json
import re
from typing import cast

from codex_oauth.schema.dialect import Schema, type_names
from codex_oauth.schema.merge import REST
from codex_oauth.types import JSONValue

__all__ = ("compact", "describe", "is_wire_keyword", "with_note")

# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])
_ALWAYS = frozenset(("title", "description"))
_NUMERIC = frozenset(["multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"])
_BY_TYPE = {
    "string": frozenset(("pattern", "format")),
    "number": _NUMERIC,
    "integer": _NUMERIC,
    "array": frozenset(("minItems", "maxItems")),
}
# Look-around, named groups, inline flags and back references are not part of the service's expressions.
_DIALECT = re.compile(r"\(\?(?!:)|\\[1-9kgAZG]")

_SENTENCES = {
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "pattern": "Matches the regular expression {}",
    "format": "Format: {}.",
    "minimum": "At least {}.",
    "maximum": "At most {}.",
    "exclusiveMinimum": "More than {}.",
    "exclusiveMaximum": "Less than {}.",
    "multipleOf": "A multiple of {}.",
    "minItems": "At least {} items.",
    "maxItems": "At most {} items.",
    "minProperties": "At least {} keys.",
    "maxProperties": "At most {} keys.",
    "contentEncoding": "Encoded as {}.",
    "contentMediaType": "Content of type {}.",
}
_LOGIC = frozenset(
    [
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "contains",
        "minContains",
        "maxContains",
        "propertyNames",
        "unevaluatedProperties",
        "unevaluatedItems",
    ]
)
_OF_TYPE = {
    **dict.fromkeys(("minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType"), ("string",)),
    **dict.fromkeys(_NUMERIC, ("number", "integer")),
    **dict.fromkeys(
        ("minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"),
        ("array",),
    ),
    **dict.fromkeys(
        (
            "minProperties",
            "maxProperties",
            "propertyNames",
            "dependentRequired",
            "dependentSchemas",
            "unevaluatedProperties",
        ),
        ("object",),
    ),
    "format": ("string",),
}


def is_wire_keyword(schema: Schema, keyword: str) -> bool:
    """Whether strict mode takes this keyword, with this value, in a schema of this type."""
    if keyword in _ALWAYS:
        return True
    if not any(keyword in _BY_TYPE.get(name, ()) for name in type_names(schema)):
        return False
    if keyword == "format":
        return schema["format"] in _FORMATS
    return keyword != "pattern" or not _DIALECT.search(cast(str, schema["pattern"]))


def describe(schema: Schema, kept: frozenset[str]) -> list[str]:
    """Sentences for the constraints of a schema that are not among the keywords `kept`."""
    types = type_names(schema)
    sentences: list[str] = []
    rest: Schema = {}
    for keyword, value in schema.items():
        applies = keyword not in _OF_TYPE or not types or any(name in types for name in _OF_TYPE[keyword])
        if keyword in kept or not applies:
            continue
        if keyword in _SENTENCES:
            sentences.append(_SENTENCES[keyword].format(value if isinstance(value, str) else compact(value)))
        elif keyword == "uniqueItems" and value is True:
            sentences.append("No two items are equal.")
        elif keyword in _LOGIC:
            rest[keyword] = value
    also = [*([cast(JSONValue, rest)] if rest else []), *cast(list[JSONValue], schema.get(REST, []))]
    sentences += [f"Also fits the JSON Schema {compact(part)}" for part in also]
    return sentences


def with_note(schema: Schema, *notes: str) -> None:
    """Append sentences to a schema's description."""
    said = [note for note in notes if note]
    if said:
        before = schema.get("description")
        schema["description"] = " ".join([before, *said] if isinstance(before, str) and before else said)


def compact(value: JSONValue) -> str:
    """A value as short JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
