"""Schemas that codex would not read are refused before they are sent."""

from __future__ import annotations

from typing import Any

import pytest

from codex_oauth.errors import ConfigurationError, OutputSchemaError
from codex_oauth.items import checked_tools
from codex_oauth.schema import output_spec


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}
    return schema


def test_a_schema_may_be_fifty_objects_deep_and_no_sixty() -> None:
    assert output_spec(nested(49)).wire_schema
    assert checked_tools([{"name": "a", "inputSchema": nested(49)}])
    with pytest.raises(OutputSchemaError, match="100 levels"):
        output_spec(nested(60))
    with pytest.raises(ConfigurationError, match="100 levels"):
        checked_tools([{"name": "a", "inputSchema": nested(60)}])


@pytest.mark.parametrize(
    ("number", "read"), [(2**64 - 1, True), (2**64, False), (-(2**63), True), (-(2**63) - 1, False)]
)
def test_whole_numbers_have_sixty_four_bits(number: int, read: bool) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [number]}}, "required": ["a"]}
    if read:
        assert output_spec(schema).wire_schema
        assert checked_tools([{"name": "a", "parameters": schema}])
        return
    with pytest.raises(OutputSchemaError, match="64 bits"):
        output_spec(schema)
    with pytest.raises(ConfigurationError, match="64 bits"):
        checked_tools([{"name": "a", "parameters": schema}])
