"""A caller's tools: typed functions, or a JSON Schema and a handler, as the model may call them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast, get_type_hints

from codex_oauth.errors import ConfigurationError
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ("Tool", "ToolArgumentsError", "ToolOutput", "tools_of")

_MAX_COMPLAINTS: Final = 10
# Of what is wrong with a call's arguments: the model mends the first ones, and sees the others then.

_SCHEMA_KEYS: Final = ("inputSchema", "parameters", "input_schema")
_NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
_SECTION: Final = re.compile(r"^(?:Args|Arguments|Parameters):\s*$", re.MULTILINE)
_OTHER_SECTION: Final = re.compile(r"^(?:Returns|Raises|Yields|Examples?|Note):\s*$", re.MULTILINE)


class ToolArgumentsError(ValueError):
    """The model's arguments do not fit. The message says where, and holds none of their values."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gives back, where it is not just a value.

    Attributes:
        text: For the model.
        images: PNG, JPEG, GIF or WebP for it to see: paths, bytes or data URLs.
    """

    text: str = field(repr=False)
    images: Sequence[Any] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that the model may call.

    Attributes:
        name: Letters, digits, `_` and `-`.
        description: What the model is told of it.
        schema: A JSON Schema of an object: its arguments.
        handler: Called with them; what it returns goes to the model as text, other than text as JSON.
        read: Turns the model's JSON text into the handler's positional and named arguments.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    handler: Callable[..., Any] = field(repr=False)
    read: Callable[[str], tuple[Sequence[Any], Mapping[str, Any]]] = field(repr=False)


def tools_of(given: Sequence[object]) -> tuple[Tool, ...]:
    """The tools as they were given: `Tool`s, functions, or mappings with `name`, `description`, `parameters` (a JSON
    Schema) and `handler`, which is called with one dict.

    Raises:
        ConfigurationError: One cannot be offered to a model.
    """
    if isinstance(given, str | bytes | Mapping) or callable(given):
        raise ConfigurationError("tools= takes a list, even for one tool")
    return tuple(_tool(one, f"tools[{number}]") for number, one in enumerate(given))


def _tool(given: object, where: str) -> Tool:
    if isinstance(given, Tool):
        return given
    if isinstance(given, Mapping):
        return _described(cast("Mapping[str, Any]", given), where)
    if callable(given):
        return _function(given, where)
    raise ConfigurationError(f"{where}: a tool is a function, or a mapping with name, parameters and handler")


# --- a JSON Schema and a handler -------------------------------------------------------------------------------------


def _described(given: Mapping[str, Any], where: str) -> Tool:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    handler, name = given.get("handler"), given.get("name")
    schema: object = next((given[key] for key in _SCHEMA_KEYS if key in given), _NO_PARAMETERS)
    if not callable(handler):
        raise ConfigurationError(f"{where}: handler must be a function")
    if not isinstance(schema, Mapping):
        raise ConfigurationError(f"{where}: parameters must be a JSON Schema, an object")
    own = dict(cast("Mapping[str, Any]", schema))
    try:
        Draft202012Validator.check_schema(own)
    except SchemaError as error:
        raise ConfigurationError(f"{where}: parameters: {error.message}") from None
    validator = Draft202012Validator(own)

    def read(arguments: str) -> tuple[Sequence[Any], Mapping[str, Any]]:
        value = _object(arguments)
        found: list[Any] = list(cast("Any", validator).iter_errors(value))
        if found:
            # The message of an error quotes the value; its place and the broken rule do not.
            lines = (f"/{'/'.join(map(str, one.absolute_path))}: breaks {one.validator!r}" for one in found)
            raise ToolArgumentsError("; ".join(list(lines)[:_MAX_COMPLAINTS]))
        return (value,), {}

    return Tool(
        name=str(name or ""),
        description=str(given.get("description") or ""),
        schema=own,
        handler=cast("Callable[..., Any]", handler),
        read=read,
    )


# --- a typed function ------------------------------------------------------------------------------------------------


def _function(handler: Callable[..., Any], where: str) -> Tool:
    name = getattr(handler, "__name__", "") or type(handler).__name__
    described, of_parameters = _words(inspect.getdoc(handler) or "")
    model = _arguments_model(handler, name, where, of_parameters)
    schema = _without_titles(model.model_json_schema())

    def read(arguments: str) -> tuple[Sequence[Any], Mapping[str, Any]]:
        from pydantic import ValidationError

        try:
            value = model.model_validate(_object(arguments))
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            lines = [f"/{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
            raise ToolArgumentsError("; ".join(lines[:_MAX_COMPLAINTS])) from None
        return (), {parameter: getattr(value, parameter) for parameter in type(value).model_fields}

    return Tool(name=name, description=described, schema=schema, handler=handler, read=read)


def _arguments_model(handler: Callable[..., Any], name: str, where: str, words: Mapping[str, str]) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticUserError

    try:
        signature = inspect.signature(handler)
        hints = get_type_hints(handler if hasattr(handler, "__name__") else handler.__call__, include_extras=True)
    except (TypeError, ValueError, NameError) as error:
        raise ConfigurationError(f"{where}: the parameters of {name} cannot be read: {error}") from error
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigurationError(
                f"{where}: {name} has {parameter}: each parameter of a tool needs a name of its own"
            )
        if parameter.name not in hints:
            raise ConfigurationError(f"{where}: parameter {parameter.name} of {name} needs a type")
        default = ... if parameter.default is parameter.empty else parameter.default
        told = words.get(parameter.name)
        fields[parameter.name] = (hints[parameter.name], Field(default, description=told) if told else default)
    try:
        return create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
    except (PydanticUserError, TypeError, NameError) as error:
        raise ConfigurationError(f"{where}: {name} has a parameter of a type that has no JSON Schema") from error


def _words(doc: str) -> tuple[str, dict[str, str]]:
    """A docstring without its sections, and what its `Args:` say of each parameter."""
    body, *sections = _SECTION.split(doc, maxsplit=1)
    body = _OTHER_SECTION.split(body)[0]
    found: dict[str, str] = {}
    current = ""
    for line in "".join(sections).splitlines():
        if line and not line[0].isspace():
            break
        if match := re.match(r"\s{2,8}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$", line):
            current = match[1]
            found[current] = match[2].strip()
        elif current and line.strip():
            found[current] += " " + line.strip()
    return body.strip(), found


def _object(arguments: str) -> dict[str, Any]:
    try:
        value: object = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise ToolArgumentsError("the arguments are not JSON") from None
    found = as_object(value)
    if found is None:
        raise ToolArgumentsError("the arguments are not a JSON object")
    return found


def _without_titles(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names, which tell a model nothing. A property may be called
    `title`: a title is text, a property's schema is not."""
    if isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        return {
            key: _without_titles(value)
            for key, value in known.items()
            if not (key == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_without_titles(value) for value in cast("list[Any]", schema)]
    return schema
