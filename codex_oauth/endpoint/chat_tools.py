"""The tools of a chat completion's request, and which of them may or has to be called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from codex_oauth.endpoint.asked import ToolChoice
from codex_oauth.endpoint.reading import list_in
from codex_oauth.endpoint.refusals import bad_request
from codex_oauth.types import as_object

__all__ = ("Tools", "read_tools", "tool_name")

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}


class Tools(NamedTuple):
    """Tools, read.

    Attributes:
        offered: Those that the model may call, as codex takes them.
        choice: Which of them it has to call.
        ignored: What was said of them that codex has no place for.
    """

    offered: tuple[dict[str, Any], ...]
    choice: ToolChoice
    ignored: tuple[str, ...]


def read_tools(body: Mapping[str, Any]) -> Tools:
    """Read a request's tools.

    Raises:
        ApiError: One is none that codex takes.
    """
    tools: dict[str, dict[str, Any]] = {}
    strict = False
    for number, tool in enumerate(list_in(body, "tools")):
        where = f"tools[{number}]"
        one = as_object(tool) or {}
        if one.get("type") != "function":
            raise bad_request(
                f"{where}.type: only function tools can be given here", param=f"{where}.type", code="unsupported_value"
            )
        function, where = as_object(one.get("function")) or {}, f"{where}.function"
        name = tool_name(function, where)
        if name in tools:
            raise bad_request(f"{where}.name: there is another tool {name!r}", param=f"{where}.name")
        description, parameters = function.get("description") or "", function.get("parameters")
        if not isinstance(description, str):
            raise bad_request(f"{where}.description: must be text", param=f"{where}.description")
        if parameters is not None and as_object(parameters) is None:
            raise bad_request(f"{where}.parameters: must be a JSON Schema, an object", param=f"{where}.parameters")
        strict = strict or function.get("strict") is True
        tools[name] = {"name": name, "description": description, "inputSchema": parameters or _NO_PARAMETERS}
    choice, allowed = _tool_choice(body.get("tool_choice"), tools)
    offered = tuple(tool for name, tool in tools.items() if name in allowed)
    return Tools(offered, choice, ("tools.function.strict",) if strict else ())


def tool_name(one: Mapping[str, Any], where: str) -> str:
    """A name as OpenAI allows it, which codex takes too.

    Args:
        one: What has the `name`.
        where: Its place.

    Raises:
        ApiError: It is none.
    """
    name = one.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise bad_request(
            f"{where}.name: must be 1 to 64 letters, digits, _ and -", param=f"{where}.name", code="invalid_value"
        )
    return name


def _tool_choice(given: object, tools: Mapping[str, Any]) -> tuple[ToolChoice, set[str]]:
    every = set(tools)
    if given is None or given == "auto":
        return "auto", every
    if given == "none":
        return "none", every
    if not tools:
        raise bad_request("tool_choice: there are no tools to choose from", param="tool_choice")
    if given == "required":
        return "required", every
    one = as_object(given) or {}
    if one.get("type") == "function":
        name = _function_of(one)
        if name is None or name not in tools:
            raise bad_request(
                "tool_choice.function.name: must be the name of one of the tools", param="tool_choice.function.name"
            )
        return ("function", name), every
    if one.get("type") == "allowed_tools":
        inner = as_object(one.get("allowed_tools")) or {}
        names = {
            _function_of(as_object(entry) or {}) for entry in list_in(inner, "tools", "tool_choice.allowed_tools.")
        }
        known = {name for name in names if name is not None and name in tools}
        if names and names == known and inner.get("mode") in ("auto", "required"):
            return inner["mode"], known
    raise bad_request(
        'tool_choice: must be "auto", "none", "required", {"type": "function", "function": {"name": …}} or '
        '{"type": "allowed_tools", "allowed_tools": {"mode": …, "tools": […]}} with names of the tools',
        param="tool_choice",
        code="invalid_value",
    )


def _function_of(one: Mapping[str, Any]) -> str | None:
    name = (as_object(one.get("function")) or {}).get("name")
    return name if isinstance(name, str) else None
