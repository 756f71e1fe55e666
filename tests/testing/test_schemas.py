"""The value an unscripted stand-in makes up."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from codex_oauth.testing import fitting_value

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
    "required": ["name", "next"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 2}, "xx"),
        ({"type": "string", "format": "date"}, "2000-01-01"),
        ({"type": ["string", "null"]}, ""),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 4}, 4),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "minimum": 0.5, "maximum": 0.7}, 0.5),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, {"b": {}}),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, False),
        (
            {"allOf": [{"$ref": "#/$defs/a"}, {"properties": {"b": {"const": 2}}, "required": ["b"]}]}
            | {"$defs": {"a": {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}}},
            {"a": 1, "b": 2},
        ),
        (
            {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
            {"name": "", "next": None},
        ),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}}, 1),
    ],
)
def test_the_plainest_value_fits(schema: dict[str, Any], value: object) -> None:
    assert fitting_value(schema) == value
    jsonschema.validate(value, schema)
