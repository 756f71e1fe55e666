"""OpenAI's rules for strict schemas, as an independent check of what the mapping sends."""

from __future__ import annotations

from typing import Any, cast

import jsonschema

from codex_oauth.schema import OutputSpec, output_spec

ALLOWED: dict[str | None, set[str]] = {
    None: {"anyOf", "$ref", "enum", "const", "type", "title", "description", "$defs"},
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}


def spec_of(output: object) -> OutputSpec[Any]:
    """`output_spec` for an output type that a table holds, and no type checker knows."""
    return output_spec(output)


def valid(schema: Any, value: Any) -> bool:
    """Whether a value fits a schema, by `jsonschema` itself."""
    return cast(Any, jsonschema.Draft202012Validator)(schema).is_valid(value)


def assert_strict(schema: dict[str, Any]) -> None:
    """Fail unless the service would take the schema."""
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema.get("type") == "object", "the root must be an object"
    assert schema.keys().isdisjoint(("anyOf", "$ref")), "the root must be no union"
    _check(schema, schema, "#")


def _check(root: dict[str, Any], found: Any, place: str) -> None:
    assert isinstance(found, dict), place
    schema = cast(dict[str, Any], found)
    if "$ref" in schema:
        assert set(schema) == {"$ref"}, f"{place}: keywords beside $ref"
        target: Any = root
        for token in schema["$ref"].split("/")[1:]:
            target = target[token.replace("~1", "/").replace("~0", "~")]
        return
    named: Any = schema.get("type", [])
    types: list[str] = [named] if isinstance(named, str) else named
    assert types or "anyOf" in schema, f"{place}: neither type nor anyOf"
    allowed = set(ALLOWED[None]).union(*(ALLOWED.get(name, set()) for name in types))
    assert set(schema) <= allowed, f"{place}: {set(schema) - allowed}"
    assert ("$defs" in schema) <= (place == "#")
    if "object" in types:
        assert schema["additionalProperties"] is False, place
        assert set(schema["required"]) == set(schema["properties"]), place
        assert len(schema["required"]) == len(set(schema["required"])), place
    if "array" in types:
        assert "items" in schema, place
    assert schema.get("format", "date") in FORMATS, place
    assert "(?" not in schema.get("pattern", "").replace("(?:", ""), f"{place}: look-around"
    for keyword in ("properties", "$defs"):
        for name, part in schema.get(keyword, {}).items():
            _check(root, part, f"{place}/{keyword}/{name}")
    for index, part in enumerate(schema.get("anyOf", [])):
        _check(root, part, f"{place}/anyOf/{index}")
    if "anyOf" in schema:
        assert schema["anyOf"], place
    if "items" in schema:
        _check(root, schema["items"], f"{place}/items")
