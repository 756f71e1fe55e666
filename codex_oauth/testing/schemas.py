"""The smallest value that fits a JSON Schema, for a stand-in that nobody gave a script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

__all__ = ["fitting_value"]

_FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "duration": "P1D",
    "email": "person@example.com",
    "hostname": "example.com",
    "idn-email": "person@example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "time": "00:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class _EndlessError(Exception):
    """This branch of the schema contains itself, so that no finite value takes it."""


def fitting_value(schema: Any) -> Any:
    """The plainest value of `schema`: the first `enum` member, empty strings and lists, 0, false.

    It knows the keywords that structured outputs allow (`type`, `properties`, `required`, `items`, `enum`, `const`,
    `anyOf`, `oneOf`, `allOf`, `$ref`, the bounds and `format`). A `pattern` is not solved.
    """
    try:
        return _value(schema, schema, ())
    except _EndlessError:
        return None


def _value(schema: Any, root: Any, inside: tuple[str, ...]) -> Any:
    if not isinstance(schema, Mapping):
        return {}
    node = cast("Mapping[str, Any]", schema)
    if "const" in node:
        return node["const"]
    if node.get("enum"):
        return node["enum"][0]
    if "default" in node:
        return node["default"]
    if isinstance(node.get("$ref"), str):
        reference = cast("str", node["$ref"])
        if reference in inside:
            raise _EndlessError(reference)
        return _value(_resolve(reference, root), root, (*inside, reference))
    for keyword in ("anyOf", "oneOf"):
        if node.get(keyword):
            return _first(cast("Sequence[Any]", node[keyword]), root, inside)
    if node.get("allOf"):
        return _value(_merged(cast("Sequence[Any]", node["allOf"]), node, root), root, inside)
    return _of_type(node, root, inside)


def _first(branches: Sequence[Any], root: Any, inside: tuple[str, ...]) -> Any:
    for branch in branches:
        try:
            return _value(branch, root, inside)
        except _EndlessError:
            continue
    raise _EndlessError


def _merged(parts: Sequence[Any], node: Mapping[str, Any], root: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for part in [*parts, {key: value for key, value in node.items() if key != "allOf"}]:
        known = cast("Mapping[str, Any]", part)
        if isinstance(known.get("$ref"), str):
            known = cast("Mapping[str, Any]", _resolve(known["$ref"], root))
        properties = {**whole.get("properties", {}), **known.get("properties", {})}
        required = [*whole.get("required", []), *known.get("required", [])]
        whole |= known
        if properties:
            whole |= {"properties": properties, "required": required}
    return whole


def _of_type(node: Mapping[str, Any], root: Any, inside: tuple[str, ...]) -> Any:
    kind = node.get("type")
    if isinstance(kind, list):
        kind = cast("list[str]", kind)[0] if kind else None
    if kind is None:
        kind = "object" if "properties" in node else "array" if "items" in node else "object"
    match kind:
        case "string":
            text = _FORMATS.get(str(node.get("format")), "")
            return text.ljust(int(node.get("minLength", 0)), "x")
        case "integer" | "number":
            return _number(node, whole=kind == "integer")
        case "boolean":
            return False
        case "null":
            return None
        case "array":
            least = int(node.get("minItems", 0))
            return [_value(node.get("items", {}), root, inside) for _ in range(least)]
        case _:
            properties = cast("Mapping[str, Any]", node.get("properties", {}))
            required = cast("Sequence[str]", node.get("required", ()))
            return {name: _value(properties.get(name, {}), root, inside) for name in required}


def _number(node: Mapping[str, Any], *, whole: bool) -> float:
    """0 where it is allowed, or else the allowed number that is nearest to a bound."""
    step = node.get("multipleOf", 1 if whole else None)
    lows = [float(node[key]) for key in ("minimum", "exclusiveMinimum") if key in node]
    highs = [float(node[key]) for key in ("maximum", "exclusiveMaximum") if key in node]
    candidates = [0.0]
    if step is None:
        candidates += [end + more for end in lows for more in (0, 1)]
        candidates += [end - less for end in highs for less in (0, 1)]
        candidates += [(low + high) / 2 for low in lows for high in highs]
    else:
        candidates += [(math.ceil(end / step) + more) * step for end in lows for more in (0, 1)]
        candidates += [(math.floor(end / step) - less) * step for end in highs for less in (0, 1)]
    value = next((number for number in candidates if _within(node, number)), 0.0)
    return int(value) if float(value).is_integer() else value


def _within(node: Mapping[str, Any], number: float) -> bool:
    return node.get("minimum", -math.inf) <= number <= node.get("maximum", math.inf) and node.get(
        "exclusiveMinimum", -math.inf
    ) < number < node.get("exclusiveMaximum", math.inf)


def _resolve(reference: str, root: Any) -> Any:
    node: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        node = cast("Mapping[str, Any]", node).get(key, {}) if isinstance(node, Mapping) else {}
    return node
