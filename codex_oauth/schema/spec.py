"""What a caller wants back, compiled once: the schema that goes out, and the way from a reply to a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast, overload

from codex_oauth.errors import OutputSchemaError, OutputValidationError
from codex_oauth.schema.decode import DecodeError, decode
from codex_oauth.schema.depth import unreadable
from codex_oauth.schema.dialect import read_schema
from codex_oauth.schema.mapping import Mapping as SchemaMapping
from codex_oauth.schema.mapping import map_schema
from codex_oauth.schema.plan import Path, Trail, UndoError
from codex_oauth.schema.report import MAX_ERRORS, format_error, format_errors, summary
from codex_oauth.types import JSONValue

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ("OutputSpec", "output_spec")

T = TypeVar("T")

# Enough for the output types of a program; bounded, because a type can be made in a loop.
_CACHED = 256


@dataclass(frozen=True, slots=True, eq=False)
class OutputSpec(Generic[T]):
    """An output type, ready for use: immutable, and safe to share between calls, tasks and threads.

    Attributes:
        wire_schema: The strict schema to send; None for plain text. It is shared, so it must not be changed.
    """

    wire_schema: dict[str, JSONValue] | None
    _mapping: SchemaMapping | None = field(default=None, repr=False)
    _build: Callable[[JSONValue, Trail, str], T] | None = field(default=None, repr=False)
    _dump: Callable[[T], JSONValue] | None = field(default=None, repr=False)

    def preload(self) -> None:
        """Load what `parse` needs, some 40 ms the first time: for a moment that is spent waiting anyway."""
        if self._mapping is not None:
            self._mapping.checks.preload()

    def parse(self, reply: str) -> T:
        """Turn a reply into a value of the output type.

        The reply has to be one JSON value and nothing else, in the shape of `wire_schema`. The one leniency: a
        property that the output type does not require may be missing where the wire schema asks for null.

        Raises:
            OutputValidationError: It does not fit. The places in `errors` are JSON Pointers into the reply.
        """
        if self._mapping is None:
            return cast(T, reply)
        try:
            value, trail = self._read(self._mapping, reply)
            if self._build is None:
                return cast(T, value)
            built = self._build(value, trail, reply)
            self._confirm(built, trail, reply)
            return built
        except RecursionError:
            # Not chained: the frames of the traceback would carry the reply's values.
            _refuse(reply, ("/: nested too deeply",))

    def _confirm(self, built: T, trail: Trail, reply: str) -> None:
        errors: list[str] = []
        dumped: list[JSONValue] = []
        for choice in trail.choices:
            rivals = choice.union.rivals(choice.index, choice.value)
            if not rivals:
                continue
            if not dumped:
                dumped.append(self._dumped(built, reply))
            found = _at(dumped[0], choice.own)
            if not found or not choice.union.confirms(choice.index, rivals, found[0]):
                message = "cannot be told from another alternative; where there is null for a default, write its value"
                errors.append(format_error(choice.wire, message))
        if errors:
            _refuse(reply, tuple(errors[:MAX_ERRORS]))

    def _dumped(self, built: T, reply: str) -> JSONValue:
        try:
            return cast("Callable[[T], JSONValue]", self._dump)(built)
        except OutputValidationError as error:
            # Not chained: the frames of the traceback would carry the value.
            _refuse(reply, error.errors)

    def render(self, output: T) -> str:
        """Write a value as the model would: for an example in a prompt, or a reply in a test.

        A property that is optional and nullable cannot be told apart on the wire, and comes back as null.

        Raises:
            OutputValidationError: The value does not fit the output type, or has a property for which the wire
                schema, which closes every object that lists its properties, has no room.
        """
        if self._mapping is None:
            return cast(str, output)
        value = self._dump(output) if self._dump is not None else cast(JSONValue, output)
        errors = format_errors(self._mapping.checks.own_errors(value))
        if errors:
            _refuse("", errors)
        written = self._mapping.plan.encode(value)
        errors = format_errors(self._mapping.checks.wire_errors(written))
        if errors:
            _refuse("", errors)
        text = json.dumps(written, ensure_ascii=False)
        if self._build is not None:
            # Which member of a union it was is only known to be told when it comes back as that one.
            trail = self._read(self._mapping, text)[1]
            self._confirm(output, trail, "")
        return text

    def _read(self, mapping: SchemaMapping, reply: str) -> tuple[JSONValue, Trail]:
        try:
            written = decode(reply)
        except DecodeError as error:
            _refuse(reply, (format_error((), str(error)),))
        errors = format_errors(mapping.checks.wire_errors(written))
        if errors:
            _refuse(reply, errors)
        trail = Trail()
        if not mapping.changed:
            value = written
        else:
            try:
                value = mapping.plan.undo(written, trail)
            except UndoError as error:
                _refuse(reply, (format_error(error.path, error.message),))
        errors = format_errors(mapping.checks.own_errors(value), trail)
        if errors:
            _refuse(reply, errors)
        return value, trail


def _refuse(reply: str, errors: tuple[str, ...]) -> NoReturn:
    message = summary("the reply does not fit the output schema", errors)
    raise OutputValidationError(message, reply=reply, errors=errors) from None


def _at(value: JSONValue, path: Path) -> tuple[JSONValue] | None:
    for step in path:
        if isinstance(value, dict) and isinstance(step, str) and step in value:
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            # Not one condition with the above: each `isinstance` narrows the type for its own line.
            value = value[step]
        else:
            return None
    return (value,)


@overload
def output_spec(output: type[str] | None) -> OutputSpec[str]: ...
@overload
def output_spec(output: type[T]) -> OutputSpec[T]: ...
@overload
def output_spec(output: TypeAdapter[T]) -> OutputSpec[T]: ...
@overload
def output_spec(output: Mapping[str, Any]) -> OutputSpec[JSONValue]: ...
@overload
def output_spec(output: object) -> OutputSpec[Any]: ...
def output_spec(output: object) -> OutputSpec[Any]:
    """Compile an output type; the same one is compiled once.

    Args:
        output: None or `str` for plain text; a mapping that is a JSON Schema; or a type: a pydantic model, a
            dataclass, a `TypedDict`, a `NamedTuple`, an enum, `list[...]`, a union, or a `TypeAdapter` of any type.

    Raises:
        OutputSchemaError: The type has no JSON Schema, the schema is not valid, or it has no strict form.
    """
    if output is None or output is str:
        return _TEXT
    try:
        if isinstance(output, Mapping):
            return _from_schema(_as_text(cast(Mapping[str, object], output)))
        # By its text too: int | str and str | int are equal, and yet not the same question.
        return _from_type(output, repr(output))
    except RecursionError:
        message = "#: nested too deeply, or an allOf that repeats itself; use $defs and a plain $ref for what repeats"
        raise OutputSchemaError(message) from None


_TEXT: OutputSpec[Any] = OutputSpec(None)


def _as_text(schema: Mapping[str, object]) -> str:
    try:
        text = json.dumps(schema, allow_nan=False, ensure_ascii=False, default=_plain)
        text.encode()
    except (TypeError, ValueError) as error:
        raise OutputSchemaError(f"#: the schema is not JSON: {error}") from None
    return text


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast(Mapping[object, object], value))
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


@lru_cache(maxsize=_CACHED)
def _from_schema(text: str) -> OutputSpec[JSONValue]:
    # Read back from text, so that a later change of the caller's dict changes nothing here.
    mapping = _shallow(map_schema(read_schema(cast(JSONValue, json.loads(text)))))
    return OutputSpec(mapping.wire, mapping)


def _shallow(mapping: SchemaMapping) -> SchemaMapping:
    if problem := unreadable(mapping.wire):
        raise OutputSchemaError(f"#: as it is sent, the schema {problem}, which codex does not read")
    return mapping


def _from_type(output: object, text: str) -> OutputSpec[Any]:
    try:
        return _from_hashable(output, text)
    except TypeError:
        # Annotated[...] with an unhashable value inside: compiled for each use.
        return _compile_type(output)


@lru_cache(maxsize=_CACHED)
def _from_hashable(output: object, text: str) -> OutputSpec[Any]:
    del text
    return _compile_type(output)


def _compile_type(output: object) -> OutputSpec[Any]:
    from codex_oauth.schema.typed import describe_type

    schema, build, dump = describe_type(output)
    mapping = _shallow(map_schema(read_schema(schema), typed=True))
    return OutputSpec(mapping.wire, mapping, build, dump)
