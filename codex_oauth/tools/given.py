"""Tools as callers give them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.tools.described import described_tool
from codex_oauth.tools.tool import Tool
from codex_oauth.tools.typed import typed_tool

__all__ = ("tools_of",)


def tools_of(given: Iterable[object]) -> tuple[Tool, ...]:
    """The tools as they were given: `Tool`s, functions, or mappings with `name`, `description`, `parameters` (a JSON
    Schema) and `handler`, which is called with one dict.

    Raises:
        ConfigurationError: One cannot be offered to a model.
    """
    if isinstance(given, str | bytes | Mapping) or callable(given) or not isinstance(cast("object", given), Iterable):
        raise ConfigurationError("tools= takes a list, even for one tool")
    return tuple(_tool(one, f"tools[{number}]") for number, one in enumerate(given))


def _tool(given: object, where: str) -> Tool:
    if isinstance(given, Mapping):
        found = described_tool(cast("Mapping[str, Any]", given), where)
    elif isinstance(given, Tool):
        found = given
    elif callable(given):
        found = typed_tool(given, where)
    else:
        raise ConfigurationError(f"{where}: a tool is a function, or a mapping with name, parameters and handler")
    if inspect.isasyncgenfunction(found.handler):
        raise ConfigurationError(f"{where}: an asynchronous generator gives no result; return a list")
    return found
