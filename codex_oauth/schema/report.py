"""What does not fit, said to the model in a repair turn: in terms of its reply, without repeating its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from codex_oauth.schema.plan import Path, Trail
from codex_oauth.schema.words import compact
from codex_oauth.types import JSONValue

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from pydantic_core import ErrorDetails

__all__ = ("MAX_ERRORS", "format_error", "format_errors", "format_pydantic_errors", "pointer", "summary")

MAX_ERRORS = 10
MAX_LENGTH = 200
# A reply can be wrong in a million places; the worst of the first few hundred tell the story.
_LOOKED_AT = 300
_TELLING = 4

_EXPECTED: Mapping[str, str] = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} keys",
    "maxProperties": "must have at most {} keys",
    "pattern": "must match the regular expression {}",
    "format": "is not a valid {}",
    "enum": "must be one of {}",
    "const": "must be {}",
    "required": "a required property is missing; required are {}",
    "dependentRequired": "a property is missing that another one requires: {}",
    "uniqueItems": "no two items may be equal",
    "additionalProperties": "has a property that is not allowed",
    "unevaluatedProperties": "has a property that is not allowed",
    "unevaluatedItems": "has an item that is not allowed",
    "prefixItems": "has items that do not fit",
    "anyOf": "fits none of the alternatives",
    "oneOf": "must fit exactly one of the alternatives",
    "not": "must not fit the JSON Schema {}",
    "contains": "has too few or too many items that fit {}",
    "False schema": "must not be there",
}


def pointer(path: Iterable[str | int]) -> str:
    """A path as a JSON Pointer; the root is `/`."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path) or "/"


def format_error(path: Path, message: str) -> str:
    """One error as a short line."""
    line = f"{pointer(path)}: {message}"
    return line if len(line) <= MAX_LENGTH else line[: MAX_LENGTH - 1] + "…"


def summary(what: str, errors: Sequence[str]) -> str:
    """A message that names the first error, and says how many more there are."""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{what}: {errors[0]}{more}"


def format_errors(errors: Iterable[ValidationError], trail: Trail | None = None) -> tuple[str, ...]:
    """The most telling ones of a validation, in the terms of the reply."""
    from jsonschema import exceptions

    best_match = cast("Callable[[list[ValidationError]], ValidationError | None]", cast(Any, exceptions).best_match)
    relevance = cast("Callable[[ValidationError], Any]", cast(Any, exceptions).relevance)
    found = sorted(islice(errors, _LOOKED_AT), key=relevance, reverse=True)
    lines: dict[str, None] = {}
    for error in found:
        # Down into the alternative that came closest, where there is one.
        closest = best_match([error]) or error
        path = tuple(closest.absolute_path)
        lines[format_error(_in_reply(path, trail), _message(closest))] = None
        if len(lines) == MAX_ERRORS:
            break
    return tuple(lines)


def _message(error: ValidationError) -> str:
    keyword = str(error.validator)
    value = cast(JSONValue, error.validator_value)
    if keyword == "type":
        return f"expected {' or '.join(cast(list[str], value)) if isinstance(value, list) else value}"
    if keyword == "required" and error.message in cast(list[str], value):
        return f"the property {compact(error.message)} is missing"
    if keyword == "None":
        keyword = "False schema"
    template = _EXPECTED.get(keyword)
    if template is None:
        return f"does not satisfy {keyword}"
    return template.format(value if isinstance(value, str) and keyword == "format" else compact(value))


def _in_reply(path: Path, trail: Trail | None) -> Path:
    if trail is None:
        return path
    for length in range(len(path), -1, -1):
        found = trail.places.get(path[:length])
        if found is not None:
            return found + path[length:]
    return path


def format_pydantic_errors(
    errors: Iterable[ErrorDetails], value: JSONValue, trail: Trail, known: frozenset[str]
) -> tuple[str, ...]:
    """The errors of building a value, in the terms of the reply; `known` are the words of the schema."""
    lines: dict[str, None] = {}
    for error in islice(errors, MAX_ERRORS):
        path = _known(error["loc"], value)
        message = error["msg"]
        # A validator's own message may quote what it was given. So may pydantic's, for a tag of a union.
        if _quotes(message, error["input"], known):
            message = f"does not fit ({error['type']})"
        lines[format_error(_in_reply(path, trail), message)] = None
    return tuple(lines)


def _known(location: Path, value: JSONValue) -> Path:
    # Pydantic puts names of union members between the steps; those are not part of the value.
    path: list[str | int] = []
    for step in location:
        if isinstance(value, dict) and isinstance(step, str) and step in value:
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            # Not one condition with the above: each `isinstance` narrows the type for its own line.
            value = value[step]
        else:
            continue
        path.append(step)
    return tuple(path)


def _quotes(message: str, given: object, known: frozenset[str]) -> bool:
    if isinstance(given, dict):
        pairs = cast(dict[object, object], given).items()
        return any(_quotes(message, part, known) or (key not in known and _says(message, key)) for key, part in pairs)
    if isinstance(given, list | tuple):
        return any(_quotes(message, part, known) for part in cast(list[object], given))
    return given is not None and not isinstance(given, bool) and _says(message, given)


def _says(message: str, given: object) -> bool:
    text = str(given)
    if len(text) >= _TELLING:
        return text in message
    # A short one is in many a message by accident, so only as a word of its own.
    return bool(text) and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", message) is not None
