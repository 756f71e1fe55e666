from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from codex_oauth.errors import OutputSchemaError, OutputValidationError
from codex_oauth.schema import output_spec

from .strict import assert_strict, spec_of, valid

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


STRICT: list[dict[str, Any]] = [
    closed(),
    closed(reason=STRING, allow={"type": "boolean"}),
    {
        "type": "object",
        "description": "A verdict",
        "additionalProperties": False,
        "required": ["b", "a"],
        "properties": {"a": {"type": ["string", "null"], "enum": ["x", None]}, "b": {"type": "number", "minimum": 0}},
    },
    closed(when={"type": "string", "format": "date-time"}, code={"type": "string", "pattern": "^[a-z]+$"}),
    closed(
        list={"type": "array", "items": closed(kind={"type": "string", "const": "k"}), "minItems": 1, "maxItems": 9}
    ),
    closed(pick={"anyOf": [closed(a=STRING), closed(b=INTEGER), {"type": "null"}]}),
    {
        **closed(node={"$ref": "#/$defs/node"}),
        "$defs": {"node": closed(next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})},
    },
    closed(name=STRING, children={"type": "array", "items": {"$ref": "#"}}),
    closed(value=STRING, entries=STRING, **{"a/b": STRING, "c~d": STRING, "": STRING, "$ref": STRING}),
]


@pytest.mark.parametrize("schema", STRICT)
def test_a_strict_schema_goes_out_as_it_is(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    assert_strict(schema)
    assert json.dumps(output_spec(schema).wire_schema) == json.dumps(schema)
    assert schema == before


RECURSIVE = {
    "$ref": "#/$defs/tree",
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {
                "name": STRING,
                "marks": {"type": "object", "additionalProperties": INTEGER},
                "left": {"$ref": "#/$defs/tree"},
            },
            "required": ["name"],
        }
    },
}

# Schema, and values that must survive the way out and back.
CASES: list[tuple[dict[str, Any], list[Any]]] = [
    (
        {"type": "object", "properties": {"a": STRING, "b": INTEGER}, "required": ["a"]},
        [{"a": "x"}, {"a": "x", "b": 1}],
    ),
    ({"properties": {"a": {"type": ["string", "null"]}}}, [{"a": "x"}, {"a": None}]),
    ({"type": "object", "properties": {"e": {"enum": ["x", "y"]}, "c": {"const": 1}}}, [{}, {"e": "x"}, {"c": 1}]),
    ({"type": "object"}, [{}, {"a": None, "b": [1, {"c": "d"}]}]),
    ({"type": "object", "additionalProperties": INTEGER}, [{}, {"a/b": 1, "~": 2, "key": 3}]),
    (
        {"type": "object", "properties": {"a": STRING, "additional_entries": INTEGER}, "additionalProperties": True},
        [{}, {"a": "x", "additional_entries": 1, "additional_entries_": {"n": None}}],
    ),
    (
        {
            "type": "object",
            "patternProperties": {"^s_": STRING, "^n_": {"type": "object", "properties": {"q": INTEGER}}},
        },
        [{}, {"s_a": "x", "n_b": {"q": 1}, "n_c": {}}],
    ),
    (
        {"type": "object", "patternProperties": {"^s_": STRING}, "additionalProperties": {}},
        [{"s_a": "x", "other": "y", "third": [None]}],
    ),
    ({"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": INTEGER}, [{"a": 1}]),
    ({"type": "array", "items": STRING}, [[], ["x"]]),
    ({"type": "array"}, [[], [1, "x", None, {"a": [True]}]]),
    ({"type": "array", "items": False}, [[]]),
    (STRING, ["", "x", "\u00e9\U0001f600"]),
    ({"type": ["integer", "null"]}, [1, None, 10**40]),
    ({}, [None, 1, "x", {"a": []}]),
    ({"type": ["object", "null"], "properties": {"a": {}}}, [None, {}, {"a": None}, {"a": "null"}]),
    (
        {"type": ["object", "array", "string"], "additionalProperties": INTEGER, "items": INTEGER, "minLength": 2},
        [{"a": 1}, [1], "ab"],
    ),
    ({"type": ["array", "null"]}, [None, [1]]),
    ({"anyOf": [STRING, INTEGER]}, ["x", 1]),
    ({"anyOf": [STRING, {}]}, ["x", "1", 1, None]),
    (
        {"oneOf": [{"type": "object", "additionalProperties": INTEGER}, {"type": "array", "items": INTEGER}]},
        [{"a": 1}, {}, [1]],
    ),
    (
        {
            "oneOf": [
                {"type": "object", "properties": {"k": {"const": "a"}, "x": INTEGER}, "required": ["k"]},
                {"type": "object", "properties": {"k": {"const": "b"}, "x": INTEGER}, "required": ["k"]},
            ]
        },
        [{"k": "a"}, {"k": "b", "x": 1}],
    ),
    ({"type": "array", "prefixItems": [STRING, INTEGER]}, [[], ["x"], ["x", 1]]),
    ({"type": "array", "prefixItems": [STRING, {}], "minItems": 2, "items": False}, [["x", None], ["x", {"a": 1}]]),
    (
        {"type": "array", "prefixItems": [STRING], "items": {"type": "object"}, "minItems": 1},
        [["x"], ["x", {"a": 1}, {}]],
    ),
    (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "array",
            "items": [STRING, INTEGER],
            "additionalItems": {},
        },
        [["x", 1, None], []],
    ),
    ({"enum": [{"a": 1}, [1], "x", None]}, [{"a": 1}, [1], "x", None]),
    ({"const": {"a": [1]}}, [{"a": [1]}]),
    (
        {
            "allOf": [{"$ref": "#/definitions/base"}, {"properties": {"b": INTEGER}, "required": ["b"]}],
            "definitions": {"base": {"type": "object", "properties": {"a": STRING}}},
        },
        [{"b": 1}, {"a": "x", "b": 1}],
    ),
    (
        {
            "allOf": [{"$ref": "#/definitions/base"}],
            "description": "D",
            "definitions": {"base": {"type": "object", "properties": {"a": STRING}}},
        },
        [{}, {"a": "x"}],
    ),
    (
        {
            "type": "object",
            "properties": {"a": STRING, "b": STRING},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        [{"a": "x"}, {"b": "x"}],
    ),
    (
        {
            "type": "object",
            "properties": {"t": STRING},
            "required": ["t"],
            "oneOf": [
                {"properties": {"x": INTEGER}, "required": ["x"]},
                {"properties": {"y": INTEGER}, "required": ["y"]},
            ],
        },
        [{"t": "a", "x": 1}, {"t": "a", "y": 1}],
    ),
    (
        {
            "type": "object",
            "properties": {"a": STRING},
            "if": {"required": ["a"]},
            "then": {"not": {"properties": {"a": {"const": "no"}}}},
        },
        [{"a": "x"}, {}],
    ),
    ({"type": "object", "properties": {"a": False, "b": STRING}}, [{"b": "x"}, {}]),
    ({"type": "object", "required": ["a"]}, [{"a": [1]}]),
    (
        RECURSIVE,
        [{"name": "a"}, {"name": "a", "marks": {"x": 1}, "left": {"name": "b", "left": {"name": "c", "marks": {}}}}],
    ),
    ({"type": "array", "items": {"anyOf": [STRING, {"$ref": "#"}]}}, [["x", ["y", []]]]),
    ({"type": "object", "properties": {"self": {"$ref": "#"}, "any": {}}}, [{}, {"self": {"self": {"any": None}}}]),
    (
        {
            "type": "object",
            "properties": {"a": {"type": "object", "properties": {"b": STRING}}, "c": {"$ref": "#/properties/a"}},
        },
        [{"c": {"b": "x"}}, {"a": {}}],
    ),
    (
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/x y"}},
            "$defs": {"x y": {"type": "object", "properties": {"z/~": INTEGER}}},
        },
        [{"a": {"z/~": 1}}],
    ),
    ({"anyOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"b": INTEGER}}]}, [{"a": None}, {"b": 1}]),
    # Alternatives that look alike on the wire.
    (
        {"anyOf": [{"type": "object", "properties": {}}, {"type": "object", "additionalProperties": STRING}]},
        [{}, {"a": "x"}],
    ),
    (
        {
            "anyOf": [
                {"type": "object", "additionalProperties": STRING},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"key": STRING, "value": STRING},
                        "required": ["key", "value"],
                    },
                },
            ]
        },
        [{"a": "b"}, [{"key": "a", "value": "b"}], {}, []],
    ),
    (
        {
            "anyOf": [
                {"type": "object", "properties": {"a": INTEGER}},
                {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
            ]
        },
        [{}, {"a": 1}, {"a": None}, {"a": "x"}],
    ),
    (
        {
            "type": "object",
            "properties": {"value": {"type": "object", "properties": {"value": {}, "entries": {"type": "object"}}}},
        },
        [{"value": {"value": 1, "entries": {"entries": 2}}}],
    ),
]


@pytest.mark.parametrize(("schema", "values"), CASES)
def test_a_value_survives_the_way_out_and_back(schema: dict[str, Any], values: list[Any]) -> None:
    spec = output_spec(schema)
    assert spec.wire_schema is not None
    assert_strict(spec.wire_schema)
    for value in values:
        written = spec.render(value)
        jsonschema.validate(json.loads(written), spec.wire_schema)
        assert spec.parse(written) == value


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


def test_constraints_that_strict_mode_refuses_are_told_in_words() -> None:
    spec = output_spec(
        {
            "type": "object",
            "properties": {
                "name": {
                    "type": "string",
                    "description": "A name.",
                    "minLength": 2,
                    "maxLength": 9,
                    "pattern": "^(?!x)",
                },
                "tags": {"type": "array", "items": STRING, "uniqueItems": True, "contains": {"const": "a"}},
                "link": {"type": "string", "format": "uri", "default": "x:"},
                "map": {"type": "object", "additionalProperties": INTEGER, "minProperties": 1},
            },
            "required": ["name", "tags", "map"],
            "dependentRequired": {"link": ["name"]},
        }
    )
    assert spec.wire_schema is not None
    assert_strict(spec.wire_schema)
    wire: Any = spec.wire_schema
    described = {name: part["description"] for name, part in wire["properties"].items()}
    assert described == {
        "name": "A name. At least 2 characters. At most 9 characters. Matches the regular expression ^(?!x)",
        "tags": 'No two items are equal. Also fits the JSON Schema {"contains":{"const":"a"}}',
        "link": 'Format: uri. Null stands for the default, "x:".',
        "map": "A map, written as a list of its entries; each key is there once. At least 1 keys.",
    }
    assert wire["description"] == 'Also fits the JSON Schema {"dependentRequired":{"link":["name"]}}'


def test_descriptions_stay_although_ref_takes_no_company() -> None:
    spec = output_spec(
        {"properties": {"a": {"description": "D", "$ref": "#/$defs/x"}}, "$defs": {"x": STRING}, "required": ["a"]}
    )
    wire: Any = spec.wire_schema
    assert wire["properties"]["a"] == {"description": "D", "anyOf": [{"$ref": "#/$defs/x"}]}


def test_what_strict_mode_cannot_say_is_checked_here() -> None:
    one_of = output_spec({"oneOf": [{"type": "integer", "minimum": 3}, {"type": "integer", "maximum": 5}]})
    assert one_of.parse('{"value": 7}') == 7
    with pytest.raises(OutputValidationError):
        one_of.parse('{"value": 4}')
    short = output_spec({"type": "string", "maxLength": 2, "not": {"const": "no"}})
    for reply in ('{"value": "abc"}', '{"value": "no"}'):
        with pytest.raises(OutputValidationError):
            short.parse(reply)
    cents = output_spec({"type": "number", "multipleOf": 0.01})
    assert cents.parse('{"value": 0.07}') == 0.07
    with pytest.raises(OutputValidationError):
        cents.parse('{"value": 0.075}')


def test_an_optional_property_may_also_be_missing_from_the_reply() -> None:
    spec = output_spec({"properties": {"a": STRING, "b": INTEGER}, "required": ["a"]})
    assert spec.parse('{"a": "x"}') == spec.parse('{"a": "x", "b": null}') == {"a": "x"}


def test_the_same_schema_is_compiled_once_and_a_changed_one_anew() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": dict(STRING)}}
    first = output_spec(schema)
    assert output_spec(copy.deepcopy(schema)) is first
    schema["properties"]["a"]["type"] = "integer"
    assert output_spec(schema) is not first
    assert output_spec({"type": "object", "properties": {"a": dict(STRING)}}) is first


def test_only_alternatives_that_look_alike_are_tagged() -> None:
    anything = {"$ref": "#/$defs/json"}
    scalars = [{"type": name} for name in ("string", "number", "boolean", "null")]
    spec = output_spec(
        {
            **anything,
            "$defs": {
                "json": {
                    "anyOf": [
                        *scalars,
                        {"type": "array", "items": anything},
                        {"type": "object", "additionalProperties": anything},
                    ]
                }
            },
        }
    )
    wire: Any = spec.wire_schema
    assert_strict(wire)
    alternatives = wire["$defs"]["json"]["anyOf"]
    assert alternatives[:4] == scalars
    assert [[*part["properties"]] for part in alternatives[4:]] == [["option_5"], ["option_6"]]
    value: Any = {"a": [1, {"b": [{"c": None, "d": [[{"e": "x"}], []]}]}, {}]}
    assert spec.parse(spec.render(value)) == value


def test_an_allof_that_grows_for_ever_is_refused() -> None:
    again = {"allOf": [{"$ref": "#/$defs/a"}, {"required": ["x"]}]}
    schema = {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"allOf": [{"type": "object"}, {"properties": {"l": again, "r": again}}]}},
    }
    with pytest.raises(OutputSchemaError, match="an allOf that repeats itself"):
        output_spec(schema)


def test_render_writes_null_for_what_is_absent_in_a_union_too() -> None:
    spec = output_spec({"anyOf": [{"properties": {"a": {"type": "null"}}, "type": "object"}, STRING]})
    assert spec.render({}) == '{"value": {"a": null}}'
