"""A tool from a JSON Schema and a handler that takes one dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.tools.tool import MAX_COMPLAINTS, Tool, ToolArgumentsError, read_object

__all__ = ("described_tool",)

_SCHEMA_KEYS: Final = ("parameters", "inputSchema")
_KEYS: Final = ("name", "description", *_SCHEMA_KEYS, "handler", "type")
_NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}


def described_tool(given: Mapping[str, Any], where: str) -> Tool:
    """The tool that a mapping with `name`, `description`, `parameters` and `handler` describes.

    Raises:
        ConfigurationError: It describes none; the message begins with `where`.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    if unknown := [key for key in given if key not in _KEYS]:
        raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}; there are {', '.join(_KEYS)}")
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
    _check_references(own, where)
    # A registry of its own: without one, a reference to another document would be fetched.
    validator = Draft202012Validator(own, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)

    def read(arguments: str) -> tuple[Sequence[Any], Mapping[str, Any]]:
        value = read_object(arguments)
        found: list[Any] = list(cast("Any", validator).iter_errors(value))
        if found:
            # The message of an error quotes the value; its place and the broken rule do not.
            lines = (f"/{'/'.join(map(str, one.absolute_path))}: breaks {one.validator!r}" for one in found)
            raise ToolArgumentsError("; ".join(list(lines)[:MAX_COMPLAINTS]))
        return (value,), {}

    return Tool(
        name=str(name or ""),
        description=str(given.get("description") or ""),
        schema=own,
        handler=handler,
        read=read,
    )


def _check_references(schema: Mapping[str, Any], where: str) -> None:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    registry: Registry[Any] = Registry()
    resolver = registry.with_resource("", DRAFT202012.create_resource(schema)).crawl().resolver()
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ConfigurationError(f"{where}: parameters: nothing is at {reference!r} in the schema") from None


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            if key == "$ref" and isinstance(inner, str):
                yield inner
            elif key not in ("const", "default", "enum", "examples"):
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _references(inner)
