"""What strict mode cannot say: it is told in words, stood for by null or a tag, or checked here."""

from __future__ import annotations

from typing import Any

import pytest

from codex_oauth.errors import OutputValidationError
from codex_oauth.schema import output_spec

from .strict import assert_strict

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


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


def test_render_writes_null_for_what_is_absent_in_a_union_too() -> None:
    spec = output_spec({"anyOf": [{"properties": {"a": {"type": "null"}}, "type": "object"}, STRING]})
    assert spec.render({}) == '{"value": {"a": null}}'


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
