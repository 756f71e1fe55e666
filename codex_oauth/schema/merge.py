"""Merging two schemas that must both hold: `allOf`, and `$ref` with constraints beside it.

The result describes the reply to the model. It may allow more than the two together, never less, because the reply is
checked against the caller's own schema afterwards; what could not be merged is kept under `REST`, to be told in words.
"""

from __future__ import annotations

import json
from typing import cast

from codex_oauth.schema.dialect import Schema, is_never, schema_map, type_names
from codex_oauth.types import JSONValue

__all__ = ("REST", "Conflict", "merge", "same")

# A NUL cannot be typed by accident, so this is no keyword of a caller.
REST = "\0rest"

_LARGER = frozenset(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"])
_SMALLER = frozenset(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"])
_ANNOTATIONS = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "discriminator",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "$defs",
        "definitions",
    ]
)
_BOTH = frozenset(("items", "propertyNames"))


class Conflict(Exception):
    """Two schemas that nothing can fit together; the argument says why."""


def same(a: JSONValue, b: JSONValue) -> bool:
    """JSON equality: unlike Python's, it tells true from 1."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def merge(first: JSONValue, second: JSONValue) -> JSONValue:
    """Return one schema for two that must both hold.

    Raises:
        Conflict: Nothing can fit both.
    """
    if is_never(first) or is_never(second):
        raise Conflict("one of them allows nothing")
    if not isinstance(first, dict) or not isinstance(second, dict):
        return second if isinstance(second, dict) else first
    merged = dict(first)
    _merge_properties(merged, first, second)
    for keyword, value in second.items():
        if keyword in ("properties", "patternProperties", "additionalProperties"):
            continue
        if keyword not in merged:
            merged[keyword] = value
        elif not same(merged[keyword], value) and keyword not in _ANNOTATIONS:
            _merge_keyword(merged, keyword, value, second)
    return merged


def _merge_keyword(merged: Schema, keyword: str, value: JSONValue, second: Schema) -> None:
    present = merged[keyword]
    if keyword == "type":
        merged["type"] = _common_types(merged, second)
    elif keyword == "required":
        names = cast(list[str], present)
        merged["required"] = [*names, *(name for name in cast(list[str], value) if name not in names)]
    elif keyword == "enum":
        kept = [
            item for item in cast(list[JSONValue], present) if any(same(item, x) for x in cast(list[JSONValue], value))
        ]
        if not kept:
            raise Conflict("their enum lists have nothing in common")
        merged["enum"] = cast(JSONValue, kept)
    elif keyword == "const":
        raise Conflict("their const values differ")
    elif keyword in _BOTH:
        merged[keyword] = {"allOf": [present, value]}
    elif keyword in _LARGER:
        merged[keyword] = max(cast(float, present), cast(float, value))
    elif keyword in _SMALLER:
        merged[keyword] = min(cast(float, present), cast(float, value))
    elif keyword == "uniqueItems":
        merged[keyword] = True
    elif keyword == REST:
        merged[REST] = [*cast(list[JSONValue], present), *cast(list[JSONValue], value)]
    elif keyword == "if":
        group = {name: second[name] for name in ("if", "then", "else") if name in second}
        merged[REST] = [*cast(list[JSONValue], merged.get(REST, [])), cast(JSONValue, group)]
    elif keyword not in ("then", "else"):
        merged[REST] = [*cast(list[JSONValue], merged.get(REST, [])), {keyword: value}]


def _common_types(first: Schema, second: Schema) -> JSONValue:
    a, b = type_names(first), type_names(second)
    common = [name for name in a if name in b or (name == "integer" and "number" in b)]
    if "integer" in b and "number" in a and "integer" not in common:
        common.append("integer")
    if not common:
        raise Conflict(f"one asks for {' or '.join(a)}, the other for {' or '.join(b)}")
    return common[0] if len(common) == 1 else cast(JSONValue, common)


def _merge_properties(merged: Schema, first: Schema, second: Schema) -> None:
    a, b = schema_map(first, "properties"), schema_map(second, "properties")
    properties: dict[str, JSONValue] = {}
    for name in [*a, *(name for name in b if name not in a)]:
        parts = [
            part for part in (a.get(name, _beyond(first, name)), b.get(name, _beyond(second, name))) if part is not True
        ]
        properties[name] = parts[0] if len(parts) == 1 else {"allOf": parts} if parts else True
    if properties or "properties" in first or "properties" in second:
        merged["properties"] = properties
    patterns = dict(schema_map(first, "patternProperties"))
    for pattern, part in schema_map(second, "patternProperties").items():
        patterns[pattern] = {"allOf": [patterns[pattern], part]} if pattern in patterns else part
    if patterns:
        merged["patternProperties"] = patterns
    if "additionalProperties" in second:
        more = second["additionalProperties"]
        present = first.get("additionalProperties", True)
        if present is False or more is False:
            merged["additionalProperties"] = False
        else:
            both = [part for part in (present, more) if part is not True]
            merged["additionalProperties"] = both[0] if len(both) == 1 else {"allOf": both} if both else True


def _beyond(schema: Schema, name: str) -> JSONValue:
    # What a schema says of a property that it does not list. Patterns are left to the check of the reply.
    del name
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)
