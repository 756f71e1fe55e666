"""Generated schemas with values that fit them: the mapping must lose nothing."""

from __future__ import annotations

import json
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st

from codex_oauth.schema import output_spec

from .strict import assert_strict, valid

Pair = tuple[Any, st.SearchStrategy[Any]]

NAMES = st.sampled_from(
    ["a", "b", "value", "key", "additional_entries", "entries", "x/y", "~", "item_0", "option_1", ""]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
LEAVES: list[Pair] = [
    ({"type": "string", "minLength": 1}, st.text(min_size=1, max_size=3)),
    ({"type": "integer", "minimum": 0}, st.integers(0, 10**20)),
    ({"type": "number"}, st.floats(allow_nan=False, allow_infinity=False)),
    ({"type": "boolean"}, st.booleans()),
    ({"type": "null"}, st.none()),
    ({"type": ["string", "null"]}, st.none() | st.text(max_size=3)),
    ({"enum": ["a", 1, None]}, st.sampled_from(["a", 1, None])),
    ({"const": {"a": [1]}}, st.just({"a": [1]})),
    ({}, ANY_JSON),
    (True, ANY_JSON),
    ({"type": "object"}, st.dictionaries(NAMES, ANY_JSON, max_size=3)),
    ({"type": "array"}, st.lists(ANY_JSON, max_size=3)),
]


def _array(pair: Pair) -> Pair:
    return {"type": "array", "items": pair[0]}, st.lists(pair[1], max_size=3)


def _map(pair: Pair) -> Pair:
    return {"type": "object", "additionalProperties": pair[0]}, st.dictionaries(NAMES, pair[1], max_size=3)


def _tuple(pairs: list[Pair]) -> Pair:
    schema = {"type": "array", "prefixItems": [pair[0] for pair in pairs], "minItems": len(pairs), "items": False}
    return schema, st.tuples(*(pair[1] for pair in pairs)).map(list)


def _union(pairs: list[Pair]) -> Pair:
    return {"anyOf": [pair[0] for pair in pairs]}, st.one_of(*(pair[1] for pair in pairs))


@st.composite
def _object(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    fields = draw(st.dictionaries(NAMES, inner, max_size=3))
    required = draw(st.lists(st.sampled_from([*fields]), unique=True)) if fields else []
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {k: v[0] for k, v in fields.items()},
        "required": required,
    }
    present = {name: fields[name][1] for name in required}
    optional = {name: pair[1] for name, pair in fields.items() if name not in required}
    values: st.SearchStrategy[Any] = st.fixed_dictionaries(present, optional=optional)
    if draw(st.booleans()):
        more = draw(inner)
        schema["additionalProperties"] = more[0]
        extra = st.dictionaries(NAMES.filter(lambda name: name not in fields), more[1], max_size=2)
        values = st.tuples(values, extra).map(lambda both: {**both[0], **both[1]})
    return schema, values


PAIRS: st.SearchStrategy[Pair] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(_array),
        inner.map(_map),
        st.lists(inner, min_size=1, max_size=3).map(_tuple),
        st.lists(inner, min_size=1, max_size=3).map(_union),
        _object(inner),
    ),
    max_leaves=6,
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], Any]:
    schema, values = draw(PAIRS)
    return ({} if schema is True else schema), draw(values)


@settings(max_examples=400, deadline=None)
@given(cases())
@example(
    (
        {
            "type": "array",
            "items": {"type": "object", "properties": {"a": {"anyOf": [{}, {"type": "null"}]}}, "required": []},
        },
        [{}],
    )
)
def test_no_value_is_lost_on_the_way_out_and_back(case: tuple[dict[str, Any], Any]) -> None:
    schema, value = case
    spec = output_spec(schema)
    assert spec.wire_schema is not None
    assert_strict(spec.wire_schema)
    written = spec.render(value)
    assert valid(spec.wire_schema, json.loads(written))
    returned = spec.parse(written)
    assert valid(schema, returned)
    # Absent and null are one where a property is optional and nullable, so compare what is written for them.
    assert spec.render(returned) == written
    if returned != value:
        assert _nulls_removed(returned) == _nulls_removed(value)


def _nulls_removed(value: Any) -> Any:
    if isinstance(value, dict):
        named = cast(dict[str, Any], value)
        return {name: _nulls_removed(part) for name, part in named.items() if part is not None}
    return [_nulls_removed(part) for part in cast(list[Any], value)] if isinstance(value, list) else value


@settings(max_examples=200, deadline=None)
@given(cases())
def test_the_mapping_of_a_mapped_schema_changes_nothing(case: tuple[dict[str, Any], Any]) -> None:
    wire = output_spec(case[0]).wire_schema
    assert wire is not None
    assert json.dumps(output_spec(wire).wire_schema) == json.dumps(wire)
