"""What a tool is, and what it gives back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from codex_oauth.types import as_object

__all__ = ("MAX_COMPLAINTS", "Tool", "ToolArgumentsError", "ToolOutput", "read_object")

MAX_COMPLAINTS: Final = 10
"""Of what is wrong with a call's arguments: the model mends the first ones, and sees the others then."""


class ToolArgumentsError(ValueError):
    """The model's arguments do not fit. The message says where, and holds none of their values."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gives back, where it is not just a value.

    Attributes:
        text: For the model.
        images: PNG, JPEG, GIF or WebP for it to see: paths, bytes or data URLs.

    Raises:
        TypeError: It is something else.
    """

    text: str = field(repr=False)
    images: Sequence[Any] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        # Said where it is made: what comes of it is made later, in another place.
        if not isinstance(cast("object", self.text), str):
            raise TypeError("a ToolOutput's text must be text")
        images = cast("object", self.images)
        if not isinstance(images, list | tuple) or not all(
            isinstance(image, str | bytes | os.PathLike) for image in cast("Sequence[object]", images)
        ):
            raise TypeError("a ToolOutput's images are a list of paths, bytes or data URLs")


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


def read_object(arguments: str) -> dict[str, Any]:
    """The object that a call's arguments are, as strictly as codex reads them: it tells the model that the call has
    failed where they are not JSON, so nothing may run with them (`NaN`, nothing at all, half a surrogate pair).

    Raises:
        ToolArgumentsError: They are none.
    """
    from pydantic_core import from_json

    try:
        value: object = from_json(arguments, allow_inf_nan=False)
    except ValueError:
        raise ToolArgumentsError("the arguments are not JSON") from None
    found = as_object(value)
    if found is None:
        raise ToolArgumentsError("the arguments are not a JSON object")
    return found
