"""The `tools` and the `tool_choice` of `POST /v1/responses`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from codex_oauth.endpoint.asked import ToolChoice
from codex_oauth.endpoint.reading import flag_in, list_in, object_in, text_in, text_or_none
from codex_oauth.endpoint.refusals import bad_request
from codex_oauth.types import as_object

__all__ = ("Tools", "read_tools")

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
_FORMS: Final = (
    'tool_choice must be "auto", "none", "required", {"type": "function", "name": …} or '
    '{"type": "allowed_tools", "mode": …, "tools": […]}, with names of the tools'
)


class Tools(NamedTuple):
    """What a request says about tools.

    Attributes:
        offered: The tools that its choice leaves, as `AsyncCodex.respond` takes them.
        choice: Which of them may or has to be called.
        echo: All of them, as the response repeats them.
        ignored: What of it has no effect.
    """

    offered: tuple[Mapping[str, Any], ...]
    choice: ToolChoice
    echo: tuple[Mapping[str, Any], ...]
    ignored: tuple[str, ...]


def read_tools(body: Mapping[str, Any]) -> Tools:
    """Read a request's tools and its choice among them.

    Raises:
        ApiError: A tool is none that can be offered, or the choice is none of them.
    """
    tools: dict[str, Mapping[str, Any]] = {}
    echo: list[Mapping[str, Any]] = []
    for number, one in enumerate(list_in(body, "tools")):
        where = f"tools[{number}]"
        tool = as_object(one) or {}
        if (kind := tool.get("type")) != "function":
            got = "no type" if kind is None else repr(str(kind)[:60])
            message = f"{where}.type: only tools of type function can be offered with a ChatGPT plan, not {got}"
            raise bad_request(message, param=f"{where}.type", code="unsupported_value")
        name = text_in(tool, "name", f"{where}.")
        if not _NAME.match(name) or name in tools:
            why = "is another tool's" if name in tools else "must be 1 to 64 letters, digits, _ and -"
            raise bad_request(f"{where}.name {why}", param=f"{where}.name", code="invalid_value")
        description = text_or_none(tool, "description", f"{where}.")
        parameters = object_in(tool, "parameters", f"{where}.") or _NO_PARAMETERS
        flag_in(tool, "strict", f"{where}.")
        tools[name] = {"name": name, "description": description or "", "inputSchema": parameters}
        described = {"name": name, "description": description, "parameters": parameters}
        # codex offers no tool as strict.
        echo.append({"type": "function", **described, "strict": False})
    choice, names = _choice(body.get("tool_choice"), set(tools))
    strict = any((as_object(tool) or {}).get("strict") for tool in list_in(body, "tools"))
    offered = tuple(tool for name, tool in tools.items() if name in names)
    return Tools(offered, choice, tuple(echo), ("tools.strict",) if strict else ())


def _choice(given: object, every: set[str]) -> tuple[ToolChoice, set[str]]:
    # The choice, and the names of the tools that it leaves.
    if given is None:
        return "auto", every
    if given in ("auto", "none"):
        return cast("ToolChoice", given), every
    if not every:
        raise bad_request("tool_choice: there are no tools to choose from", param="tool_choice", code="invalid_value")
    if given == "required":
        return "required", every
    one = as_object(given) or {}
    if one.get("type") == "function" and one.get("name") in every:
        return ("function", str(one["name"])), every
    if one.get("type") == "allowed_tools" and one.get("mode") in ("auto", "required"):
        names = {(as_object(each) or {}).get("name") for each in list_in(one, "tools", "tool_choice.")}
        if names and names <= every:
            return one["mode"], cast("set[str]", names)
    raise bad_request(_FORMS, param="tool_choice", code="invalid_value")
