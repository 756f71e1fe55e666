"""The way out and back: a strict schema goes as it is, and through any other no value is lost."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from codex_oauth.schema import output_spec

from .strict import assert_strict

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


def test_the_same_schema_is_compiled_once_and_a_changed_one_anew() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": dict(STRING)}}
    first = output_spec(schema)
    assert output_spec(copy.deepcopy(schema)) is first
    schema["properties"]["a"]["type"] = "integer"
    assert output_spec(schema) is not first
    assert output_spec({"type": "object", "properties": {"a": dict(STRING)}}) is first
