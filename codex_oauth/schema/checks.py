"""What a reply and the value in it have to fit. `jsonschema` is loaded when the first reply arrives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from codex_oauth.schema.dialect import Schema, expression, schema_map
from codex_oauth.types import JSONValue

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

__all__ = ("Checks", "ValidationErrors")

_TIME = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
_ZONE = r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
_DURATION = r"P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)"

ValidationErrors = Iterable["ValidationError"]


class Checks:
    """Validators of a wire schema and of the caller's, which share nothing but the moment of their making."""

    def __init__(self, own_root: JSONValue) -> None:
        self.own_root = own_root
        self.wire_root: Schema = {}
        self._optional: dict[int, frozenset[str]] = {}
        self._own: Validator | None = None
        self._wire: Validator | None = None

    def lenient(self, wire: Schema, optional: frozenset[str]) -> None:
        """Let a reply leave out a property that the caller's schema does not require, where strict mode wanted null."""
        self._optional[id(wire)] = optional

    def alias(self, wire: Schema, copy: Schema) -> None:
        """Say that a wire schema was copied."""
        if id(wire) in self._optional:
            self._optional[id(copy)] = self._optional[id(wire)]

    def preload(self) -> None:
        """Do ahead what the first reply would wait for: loading `jsonschema` and making the validators."""
        self._wire_validator()
        self._own_validator()

    # Two threads may both build a validator, which is harmless: either one will do.
    def _own_validator(self) -> Validator:
        if self._own is None:
            self._own = _own_class()(cast(Any, self.own_root), format_checker=_formats())
        return self._own

    def _wire_validator(self) -> Validator:
        if self._wire is None:
            self._wire = _wire_class(self._required)(self.wire_root)
        return self._wire

    def _required(self, validator: Any, required: list[str], instance: JSONValue, schema: Schema) -> Iterator[Any]:
        del validator
        from jsonschema.exceptions import ValidationError

        optional = self._optional.get(id(schema), frozenset[str]())
        for name in required if isinstance(instance, dict) else ():
            if name not in cast(Schema, instance) and name not in optional:
                yield ValidationError(name)

    def own(self, schema: JSONValue, value: JSONValue) -> bool:
        """Whether a value fits a part of the caller's schema."""
        return cast(Any, self._own_validator()).evolve(schema=schema).is_valid(value)

    def wire(self, schema: JSONValue, value: JSONValue) -> bool:
        """Whether a part of a reply fits a part of the wire schema."""
        return cast(Any, self._wire_validator()).evolve(schema=schema).is_valid(value)

    def own_errors(self, value: JSONValue) -> ValidationErrors:
        """What in a value does not fit the caller's schema."""
        return cast(Any, self._own_validator()).iter_errors(value)

    def wire_errors(self, reply: JSONValue) -> ValidationErrors:
        """What in a reply does not fit the wire schema."""
        return cast(Any, self._wire_validator()).iter_errors(reply)


@cache
def _own_class() -> type[Validator]:
    from jsonschema import Draft202012Validator, validators

    keywords = {
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    return cast("type[Validator]", cast(Any, validators).extend(Draft202012Validator, keywords))


def _wire_class(required: Callable[..., Iterator[Any]]) -> type[Validator]:
    from jsonschema import validators

    return cast("type[Validator]", cast(Any, validators).extend(_own_class(), {"required": required}))


def _pattern(validator: Any, pattern: str, instance: JSONValue, schema: Schema) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    del validator, schema
    if isinstance(instance, str) and not expression(pattern).search(instance):
        yield ValidationError("pattern")


def _pattern_properties(validator: Any, patterns: Schema, instance: JSONValue, schema: Schema) -> Iterator[Any]:
    del schema
    for pattern, part in patterns.items():
        for name, value in instance.items() if isinstance(instance, dict) else ():
            if expression(pattern).search(name):
                yield from validator.descend(value, part, path=name, schema_path=pattern)


def _additional_properties(validator: Any, more: JSONValue, instance: JSONValue, schema: Schema) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    listed, patterns = schema_map(schema, "properties"), schema_map(schema, "patternProperties")
    for name, value in instance.items() if isinstance(instance, dict) else ():
        if name in listed or any(expression(pattern).search(name) for pattern in patterns):
            continue
        if more is False:
            yield ValidationError("additionalProperties")
            return
        yield from validator.descend(value, more, path=name)


def _multiple_of(validator: Any, step: float, instance: JSONValue, schema: Schema) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    del schema
    if not validator.is_type(instance, "number"):
        return
    # In decimal, as it was written: in binary, 0.07 is no multiple of 0.01.
    value, unit = Decimal(repr(instance)), Decimal(repr(step))
    if isinstance(instance, int) and isinstance(step, int):
        fits = instance % step == 0
    else:
        scaled = value / unit
        fits = scaled == scaled.to_integral_value()
    if not fits:
        yield ValidationError("multipleOf")


@cache
def _formats() -> FormatChecker:
    from jsonschema import FormatChecker

    checker = FormatChecker()
    # jsonschema checks these only with extra packages installed, and passes everything without them.
    for name, check in (
        ("date-time", _is_datetime),
        ("time", _is_time),
        ("date", _is_date),
        ("duration", _is_duration),
    ):
        cast(Any, checker.checks(name, raises=ValueError))(check)
    return checker


def _is_datetime(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not re.fullmatch(rf"\d{{4}}-\d\d-\d\d[Tt ]{_TIME}{_ZONE}?", value, re.ASCII):
        return False
    # A leap second is a time, though not one that Python knows.
    datetime.fromisoformat(re.sub(r":60", ":59", value.upper(), count=1))
    return True


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not re.fullmatch(f"{_TIME}{_ZONE}?", value, re.ASCII):
        return False
    time.fromisoformat(re.sub(r":60", ":59", value.upper(), count=1))
    return True


def _is_date(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII)) and bool(date.fromisoformat(value))


def _is_duration(value: object) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(_DURATION, value.lstrip("-"), re.ASCII))
