"""Python types by way of pydantic. The only module here that imports it, and imported only for such a type."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any, cast

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import PydanticSerializationError

from codex_oauth.errors import OutputSchemaError, OutputValidationError
from codex_oauth.schema.plan import Trail
from codex_oauth.schema.report import format_pydantic_errors
from codex_oauth.types import JSONValue

__all__ = ("describe_type",)


class _Schema(GenerateJsonSchema):
    # A default that JSON cannot hold is of no use to the model; the type keeps it.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:
        # "User Name" beside "user_name" is paid for as input and says nothing.
        del schema
        return False


def describe_type(
    output: object,
) -> tuple[JSONValue, Callable[[JSONValue, Trail, str], Any], Callable[[Any], JSONValue]]:
    """Return a type's JSON Schema, the way from JSON to a value, and the way back.

    Raises:
        OutputSchemaError: Pydantic does not know the type, or it has no JSON Schema.
    """
    name = getattr(output, "__name__", None) or repr(output)
    if inspect.isroutine(output):
        # Pydantic would make a call of it, with the model's arguments.
        raise OutputSchemaError(f"{name} cannot be an output type: it is a function")
    try:
        adapter = cast(
            "TypeAdapter[Any]", output if isinstance(output, TypeAdapter) else TypeAdapter(cast(Any, output))
        )
        schema = adapter.json_schema(schema_generator=_Schema, mode="validation")
    except (PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation, PydanticUserError, NameError) as error:
        reason = str(error).partition("\n")[0]
        raise OutputSchemaError(f"{name} cannot be an output type: {reason}") from error

    known = frozenset(_words(schema))

    def build(value: JSONValue, trail: Trail, reply: str) -> Any:
        # From JSON, not from Python values: a strict model takes a date from a JSON string only.
        try:
            return adapter.validate_json(json.dumps(value, ensure_ascii=False))
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            errors = format_pydantic_errors(details, value, trail, known)
        # Outside the handler, so that neither cause nor context carries the values that pydantic quotes.
        raise OutputValidationError("the reply does not fit the output type", reply=reply, errors=errors)

    def dump(value: Any) -> JSONValue:
        try:
            return adapter.dump_python(value, mode="json", by_alias=True)
        except PydanticSerializationError:
            pass
        raise OutputValidationError("the value cannot be written as JSON", errors=("/: cannot be written as JSON",))

    return cast(JSONValue, schema), build, dump


def _words(schema: Any) -> Iterator[str]:
    # Names of properties among them: a message may use those, but no key that the model made up.
    if isinstance(schema, dict):
        for key, part in cast(dict[str, Any], schema).items():
            yield key
            yield from _words(part)
    elif isinstance(schema, list):
        for part in cast(list[Any], schema):
            yield from _words(part)
