"""Schemas that are refused, each with the place that is wrong and what is wrong with it."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from codex_oauth.errors import OutputSchemaError
from codex_oauth.schema import output_spec

from .strict import spec_of, valid

STRING = {"type": "string"}
INTEGER = {"type": "integer"}

REFUSED: list[tuple[Any, str]] = [
    ({"type": "strnig"}, "#/type: must be one of object, array, string, number, integer, boolean, null"),
    ({"type": "object", "properties": {"a": {"minLength": -1}}}, "#/properties/a/minLength: must be a whole number"),
    ({"type": "object", "required": "a"}, "#/required: must be a list"),
    ({"anyOf": []}, "#/anyOf: must be a non-empty list"),
    ({"properties": {"a/b": 3}}, "#/properties/a~1b: a schema must be an object, true or false, not a number"),
    ({"properties": {"a": {"$ref": "other.json"}}}, "#/properties/a/$ref: only references inside"),
    ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "#/properties/a/$ref: there is no schema at #/$defs/none"),
    ({"$ref": "#"}, "#/$ref: the reference leads back to itself"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "leads back to itself"),
    ({"$dynamicRef": "#x"}, "#/$dynamicRef: a dynamic reference cannot be mapped"),
    ({"properties": {"a": False}, "required": ["a"]}, "#/properties/a: nothing can fit"),
    ({"not": {}}, "#: nothing can fit"),
    ({"enum": []}, "#: nothing can fit"),
    ({"anyOf": [False, {"enum": []}]}, "#: nothing can fit"),
    ({"allOf": [STRING, INTEGER]}, "exclude each other: one asks for string, the other for integer"),
    ({"type": "string", "pattern": r"\p{L}"}, "#/pattern: not a regular expression that Python can check"),
    (
        {"properties": {str(i): STRING for i in range(5001)}},
        "#: the schema has 5001 properties; the service takes 5000",
    ),
    ({"enum": [str(i) for i in range(1001)]}, "1001 enum values"),
    ({"a": float("nan")}, "#: the schema is not JSON"),
    ({"a": object()}, "#: the schema is not JSON: a object cannot be written as JSON"),
    ({"properties": {"\ud800": {}}}, "#: the schema is not JSON"),
    ({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}, {"minLength": 1}]}}, "$ref": "#/$defs/a"}, "contains itself"),
]


@pytest.mark.parametrize(("schema", "message"), REFUSED)
def test_what_cannot_be_mapped_is_refused_with_its_place(schema: Any, message: str) -> None:
    with pytest.raises(OutputSchemaError) as caught:
        output_spec(schema)
    assert message in str(caught.value)


def test_a_schema_without_an_end_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(20_000):
        deep = {"type": "array", "items": deep}
    circular: dict[str, Any] = {}
    circular["items"] = circular
    for schema in (deep, circular):
        with pytest.raises(OutputSchemaError):
            output_spec(schema)


def test_an_allof_that_grows_for_ever_is_refused() -> None:
    again = {"allOf": [{"$ref": "#/$defs/a"}, {"required": ["x"]}]}
    schema = {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"allOf": [{"type": "object"}, {"properties": {"l": again, "r": again}}]}},
    }
    with pytest.raises(OutputSchemaError, match="an allOf that repeats itself"):
        output_spec(schema)


# Keywords with values of every kind: the reading must refuse exactly what the metaschema refuses.
KEYWORDS = [
    "type",
    "required",
    "enum",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
    "uniqueItems",
    "title",
    "description",
    "format",
    "items",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "additionalProperties",
    "properties",
    "patternProperties",
    "$defs",
    "allOf",
    "anyOf",
    "oneOf",
    "prefixItems",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
    "examples",
    "deprecated",
    "readOnly",
]
ODD: list[Any] = [
    None,
    True,
    3,
    0,
    -1,
    1.5,
    "x",
    "string",
    [],
    ["a"],
    ["a", "a"],
    ["string"],
    [3],
    {},
    {"a": 3},
    {"a": {}},
    {"a": ["b"]},
    [{}],
]
# Older spellings, which the reading translates.
OLDER = {("exclusiveMinimum", "True"), ("exclusiveMaximum", "True"), ("items", "[]"), ("items", "[{}]")}


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_the_reading_refuses_what_the_metaschema_refuses(keyword: str) -> None:
    for value in ODD:
        schema: dict[str, Any] = {"properties": {"p": {keyword: value}}}
        if (keyword, str(value)) in OLDER:
            continue
        if _is_schema(schema):
            assert spec_of(schema).wire_schema
        else:
            with pytest.raises(OutputSchemaError, match="#/properties/p"):
                spec_of(schema)


def _is_schema(schema: Any) -> bool:
    return valid(jsonschema.Draft202012Validator.META_SCHEMA, schema)
