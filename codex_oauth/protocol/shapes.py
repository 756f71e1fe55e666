"""A cheap check that a message from the app-server is built the way its schema says.

It answers one question, whether the keys that are about to be read are there and of their kind, and costs microseconds.
Keys that it does not know and new words in enumerations pass, because newer servers send them. The complaint names the
place and the kinds, never a value: a value may be somebody's prompt or e-mail address.
"""

from __future__ import annotations

from typing import Any, cast

from codex_oauth.errors import ProtocolError

__all__ = (
    "ANY",
    "BOOLEAN",
    "INTEGER",
    "OBJECT",
    "STRING",
    "STRING_OR_OBJECT",
    "ListOf",
    "MapOf",
    "Nullable",
    "Object",
    "Shape",
    "Tagged",
    "check",
)

_KINDS: dict[type, str] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "an array",
    str: "a string",
    type(None): "null",
}


class Shape:
    """What a JSON value has to be; this one, anything at all."""

    __slots__ = ()

    def fault(self, value: Any) -> str | None:  # noqa: ARG002 - the interface has it
        """Say what is wrong with `value`, beginning with its place below it; None if nothing is."""
        return None


def check(shape: Shape, value: Any, where: str) -> None:
    """Refuse a message that is not what the protocol promises.

    Args:
        shape: What the value has to be.
        value: A value as `json.loads` gives it.
        where: What the value is, such as `turn/completed: params`; the message begins with it.

    Raises:
        ProtocolError: The value does not fit. The message names the place, and holds nothing of the value.
    """
    fault = shape.fault(value)
    if fault is not None:
        raise ProtocolError(where + fault)


class _Kind(Shape):
    __slots__ = ("_types",)

    def __init__(self, *types: type) -> None:
        self._types = types

    def fault(self, value: Any) -> str | None:
        # The exact type, for a bool is an int to isinstance and json.loads gives no subclasses.
        found: type[object] = type(cast("object", value))
        if found in self._types:
            return None
        return f" is {_KINDS.get(found, 'no JSON')}, not {' or '.join(_KINDS[kind] for kind in self._types)}"


ANY = Shape()
BOOLEAN = _Kind(bool)
INTEGER = _Kind(int)
OBJECT = _Kind(dict)
STRING = _Kind(str)
STRING_OR_OBJECT = _Kind(str, dict)
_ARRAY = _Kind(list)


class Nullable(Shape):
    """Null, or what `shape` says."""

    __slots__ = ("_shape",)

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def fault(self, value: Any) -> str | None:
        return None if value is None else self._shape.fault(value)


class ListOf(Shape):
    """An array."""

    __slots__ = ("_items",)

    def __init__(self, items: Shape) -> None:
        self._items = items

    def fault(self, value: Any) -> str | None:
        if type(value) is not list:
            return _ARRAY.fault(value)
        for index, item in enumerate(cast("list[Any]", value)):
            fault = self._items.fault(item)
            if fault is not None:
                return f"[{index}]{fault}"
        return None


class MapOf(Shape):
    """An object whose keys are data."""

    __slots__ = ("_values",)

    def __init__(self, values: Shape) -> None:
        self._values = values

    def fault(self, value: Any) -> str | None:
        if type(value) is not dict:
            return OBJECT.fault(value)
        for item in cast("dict[str, Any]", value).values():
            fault = self._values.fault(item)
            if fault is not None:
                return f"[*]{fault}"  # the key is data too
        return None


class Object(Shape):
    """An object with some keys that must be there and some that may be."""

    __slots__ = ("_optional", "_required")

    def __init__(self, required: dict[str, Shape], optional: dict[str, Shape]) -> None:
        self._required = tuple(required.items())
        self._optional = tuple(optional.items())

    def fault(self, value: Any) -> str | None:
        if type(value) is not dict:
            return OBJECT.fault(value)
        present = cast("dict[str, Any]", value)
        for key, shape in self._required:
            if key not in present:
                return f".{key} is missing"
            fault = shape.fault(present[key])
            if fault is not None:
                return f".{key}{fault}"
        for key, shape in self._optional:
            if key in present:
                fault = shape.fault(present[key])
                if fault is not None:
                    return f".{key}{fault}"
        return None


class Tagged(Shape):
    """A union told apart by one key; what carries an unknown tag has to be what `others` says."""

    __slots__ = ("_others", "_tag", "_variants")

    def __init__(self, tag: str, variants: dict[str, Shape], others: Shape) -> None:
        self._tag = tag
        self._variants = variants
        self._others = others

    def fault(self, value: Any) -> str | None:
        tag = cast("dict[str, Any]", value).get(self._tag) if type(value) is dict else None
        shape = self._variants.get(tag, self._others) if type(tag) is str else self._others
        return shape.fault(value)
