"""A tool from a function with types: what the model is told of it, and how its arguments are read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Final, cast, get_type_hints

from codex_oauth.errors import ConfigurationError
from codex_oauth.tools.tool import MAX_COMPLAINTS, Tool, ToolArgumentsError, read_object

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ("typed_tool",)

_SECTION: Final = re.compile(r"^(?:Args|Arguments|Parameters):\s*$", re.MULTILINE)
_OTHER_SECTION: Final = re.compile(r"^(?:Returns|Raises|Yields|Examples?|Note):\s*$", re.MULTILINE)


def typed_tool(handler: Callable[..., Any], where: str) -> Tool:
    """The tool that a function is. A parameter that a `partial` has filled in is none of the model's.

    Raises:
        ConfigurationError: It cannot be offered to a model; the message begins with `where`.
    """
    given, filled = handler, set[str]()
    while isinstance(given, partial):
        given, filled = given.func, filled | set(given.keywords)
    name = getattr(given, "__name__", "") or type(given).__name__
    described, words = _words(inspect.getdoc(given) or "")
    model, parameters = _arguments_model(handler, given, name, where, filled, words)
    schema = _without_titles(_schema_of(model, name, where))

    def read(arguments: str) -> tuple[Sequence[Any], Mapping[str, Any]]:
        from pydantic import ValidationError

        read_object(arguments)
        try:
            # From the text: a strict type takes a date or an enumeration from JSON alone.
            value = model.model_validate_json(arguments)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            lines = [f"/{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
            raise ToolArgumentsError("; ".join(lines[:MAX_COMPLAINTS])) from None
        return (), {parameter: getattr(value, own) for own, parameter in parameters.items()}

    return Tool(name=name, description=described, schema=schema, handler=handler, read=read)


def _arguments_model(
    handler: Callable[..., Any],
    given: Callable[..., Any],
    name: str,
    where: str,
    filled: set[str],
    words: Mapping[str, str],
) -> tuple[type[BaseModel], dict[str, str]]:
    """A model of the arguments, and which parameter each of its fields is."""
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticUserError

    try:
        signature = inspect.signature(handler)
        hints = _hints(given)
    except (AttributeError, TypeError, ValueError, NameError) as error:
        raise ConfigurationError(f"{where}: the parameters of {name} cannot be read: {error}") from error
    fields: dict[str, Any] = {}
    parameters: dict[str, str] = {}
    for parameter in signature.parameters.values():
        if parameter.name in filled:
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigurationError(
                f"{where}: {name} has {parameter}: each parameter of a tool needs a name of its own"
            )
        if parameter.name not in hints:
            raise ConfigurationError(f"{where}: parameter {parameter.name} of {name} needs a type")
        # Not a field of the parameter's name: `schema`, `model_config` and `_x` have a meaning of their own there.
        own = f"p{len(fields)}"
        said = words.get(parameter.name)
        told = Field(alias=parameter.name, description=said) if said else Field(alias=parameter.name)
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[own] = (Annotated[hints[parameter.name], told], default)
        parameters[own] = parameter.name
    try:
        return create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields), parameters
    except (PydanticUserError, TypeError, NameError) as error:
        raise _without_schema(name, where, error) from error


def _hints(given: Callable[..., Any]) -> dict[str, Any]:
    if isinstance(given, type):
        return get_type_hints(given, include_extras=True)
    function: Any = inspect.unwrap(given if hasattr(given, "__name__") else cast("Any", given).__call__)
    function = getattr(function, "__func__", function)
    # What it returns does not matter, and may be a name that only a type checker knows.
    named = {parameter: hint for parameter, hint in function.__annotations__.items() if parameter != "return"}
    return get_type_hints(SimpleNamespace(__annotations__=named), function.__globals__, include_extras=True)


def _schema_of(model: type[BaseModel], name: str, where: str) -> dict[str, Any]:
    from pydantic.errors import PydanticUserError
    from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

    class Schema(GenerateJsonSchema):
        # A default that is no JSON is left out, and is what the function gets all the same.
        ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as its base has it

    try:
        return model.model_json_schema(schema_generator=Schema)
    except PydanticUserError as error:
        raise _without_schema(name, where, error) from error


def _without_schema(name: str, where: str, error: Exception) -> ConfigurationError:
    why = str(error).partition("\n")[0]
    return ConfigurationError(f"{where}: {name} has a parameter of a type that has no JSON Schema: {why}")


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
