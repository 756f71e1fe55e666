"""Python types by way of pydantic. The only module here that imports it, and imported only for such a type."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ForwardRef, Literal, NewType, NoReturn, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import SchemaValidator, core_schema

from codex_oauth.errors import OutputSchemaError, OutputValidationError
from codex_oauth.schema.objects import KEYS
from codex_oauth.schema.plan import Trail
from codex_oauth.schema.report import format_error, format_pydantic_errors, summary
from codex_oauth.schema.words import describe
from codex_oauth.types import JSONValue

__all__ = ("describe_type",)


class _Schema(GenerateJsonSchema):
    # A default that JSON cannot hold is of no use to the model; the type keeps it.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:
        # "User Name" beside "user_name" is paid for as input and says nothing.
        del schema
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        # As a string alone: a number would be read as a float, and lose digits without a word.
        both = cast("list[dict[str, Any]]", super().decimal_schema(schema).get("anyOf", []))
        nothing: dict[str, Any] = {}
        text = next((part for part in both if part.get("type") == "string"), nothing)
        number = next((part for part in both if part.get("type") == "number"), nothing)
        said = describe(number, frozenset(("type",)))
        return {"type": "string", "description": " ".join(["A decimal number.", *said]), **text}


def _described(adapter: TypeAdapter[Any]) -> tuple[dict[str, Any], list[SchemaValidator]]:
    keys: list[SchemaValidator] = []
    core = cast("dict[str, Any]", adapter.core_schema)

    class Described(_Schema):
        def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
            described = super().dict_schema(schema)
            kind = schema.get("keys_schema")
            if kind is not None and kind["type"] != "any":
                # Only the keys: two that are different in JSON may be one in Python.
                only = core_schema.dict_schema(kind, core_schema.any_schema())
                whole = (
                    core_schema.definitions_schema(only, core["definitions"]) if core["type"] == "definitions" else only
                )
                keys.append(SchemaValidator(whole))
                described = {**described, KEYS: len(keys) - 1}
            return described

    return adapter.json_schema(schema_generator=Described, mode="validation"), keys


def _check_no_text(output: object) -> None:
    # Pydantic would run it as Python.
    if isinstance(output, str | ForwardRef):
        raise OutputSchemaError("text cannot be an output type: a schema is a dict here, not its text: json.loads it")
    if isinstance(output, NewType):
        _check_no_text(output.__supertype__)
    origin = get_origin(output)
    if origin is Literal:
        return
    arguments: tuple[object, ...] = get_args(output)
    for part in arguments[:1] if origin is Annotated else arguments:
        for inner in cast("list[object]", part) if isinstance(part, list) else (part,):
            _check_no_text(inner)


def describe_type(
    output: object,
) -> tuple[JSONValue, Callable[[JSONValue, Trail, str], Any], Callable[[Any], JSONValue]]:
    """Return a type's JSON Schema, the way from JSON to a value, and the way back.

    Raises:
        OutputSchemaError: Pydantic does not know the type, or it has no JSON Schema.
    """
    _check_no_text(output)
    name = getattr(output, "__name__", None) or repr(output)
    if inspect.isroutine(output):
        # Pydantic would make a call of it, with the model's arguments.
        raise OutputSchemaError(f"{name} cannot be an output type: it is a function")
    try:
        adapter = cast(
            "TypeAdapter[Any]", output if isinstance(output, TypeAdapter) else TypeAdapter(cast(Any, output))
        )
        schema, keys = _described(adapter)
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        # Pydantic's own errors have no common base, and a type's own hooks may raise anything.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise OutputSchemaError(f"{name} cannot be an output type: {reason}") from error

    known = frozenset(_words(schema))

    def build(value: JSONValue, trail: Trail, reply: str) -> Any:
        # From JSON, not from Python values: a strict model takes a date from a JSON string only.
        try:
            built = adapter.validate_json(json.dumps(value, ensure_ascii=False))
            errors = tuple(_merged_keys(trail, keys))
            if not errors:
                return built
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            errors = format_pydantic_errors(details, value, trail, known)
        except (RecursionError, MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001
            # What a validator raises is no more than its refusal. A cancellation cannot arrive here: nothing waits.
            errors = (format_error((), f"the output type's validator failed ({type(error).__name__})"),)
        # Outside the handler, so that neither cause nor context carries the values that pydantic quotes.
        _refuse(reply, errors)

    def dump(value: Any) -> JSONValue:
        # Without warnings, which would quote the value; what does not fit is found by the check of the result.
        try:
            return adapter.dump_python(value, mode="json", by_alias=True, warnings=False)
        except (RecursionError, MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001, S110
            pass
        raise OutputValidationError("the value cannot be written as JSON", errors=("/: cannot be written as JSON",))

    return cast(JSONValue, schema), build, dump


def _refuse(reply: str, errors: tuple[str, ...]) -> NoReturn:
    raise OutputValidationError(summary("the reply does not fit the output type", errors), reply=reply, errors=errors)


def _merged_keys(trail: Trail, keys: list[SchemaValidator]) -> Iterator[str]:
    for place, kind, found in trail.maps:
        built = cast("dict[Any, Any]", keys[kind].validate_json(json.dumps(dict.fromkeys(found), ensure_ascii=False)))
        if len(built) < len(found):
            yield format_error(place, "two different keys stand for the same one")


def _words(schema: Any) -> Iterator[str]:
    # Names of properties among them: a message may use those, but no key that the model made up.
    if isinstance(schema, dict):
        for key, part in cast(dict[str, Any], schema).items():
            yield key
            yield from _words(part)
    elif isinstance(schema, list):
        for part in cast(list[Any], schema):
            yield from _words(part)
