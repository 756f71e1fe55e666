"""Input items and tools as callers give them, checked before anything is sent.

codex drops what it does not know without a word (an unknown type, role `system`, an output without its call), and
answers a malformed item with an error that names no field.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.images import data_url
from codex_oauth.schema.depth import unreadable
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from codex_oauth.protocol import DynamicToolSpec

__all__ = ("MAX_INPUT", "checked_items", "checked_tools", "kept_items", "split_last")

MAX_INPUT: Final = 1_048_576
"""Characters of one input: codex refuses more (-32602 input_too_large), after everything has been started."""

_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
_RESERVED: Final = re.compile(r"mcp(?:__.*)?\Z")  # codex's own word for what comes from a server of its
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_TOOL_KEYS: Final = ("name", "description", "parameters", "inputSchema", "type")
_EXAMPLE: Final = '{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "…"}]}'
_OUTPUTS: Final = tuple(f"{kind}_output" for kind in _CALLS)
_PARTS: Final = {
    "user": ("input_text", "input_image"),
    "developer": ("input_text",),
    "assistant": ("output_text",),
}


def checked_items(items: Sequence[Mapping[str, Any]], name: str = "items") -> tuple[dict[str, Any], ...]:
    """The items, as they are sent.

    Args:
        items: As the caller gave them.
        name: What the caller calls them.

    Raises:
        ConfigurationError: One is none that codex takes; the message names its place.
    """
    if isinstance(items, str | bytes | Mapping) or not items:
        raise ConfigurationError(f"{name} must be a list of items, and not empty; such as [{_EXAMPLE}]")
    found = tuple(_item(item, f"{name}[{number}]") for number, item in enumerate(items))
    calls = Counter(item["call_id"] for item in found if item["type"] in _CALLS)
    outputs = Counter(item["call_id"] for item in found if item["type"] in _OUTPUTS)
    for call_id in (*calls, *outputs):
        if calls[call_id] != 1 or outputs[call_id] != 1:
            raise ConfigurationError(
                f"call {call_id!r} needs one call and one output: it has {calls[call_id]} and {outputs[call_id]}"
            )
    for number, item in enumerate(found):
        _check_sent(item, f"{name}[{number}]")
    return found


def _check_sent(value: object, where: str) -> None:
    """Refuse what is no JSON that codex reads: it would pass the whole message over, and never answer."""
    if problem := unreadable(value):
        raise ConfigurationError(f"{where}: {problem}")
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{where}: holds half a surrogate pair, which is no text") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where}: cannot be written as JSON: {error}") from None


def _item(item: object, where: str) -> dict[str, Any]:
    one = as_object(item)
    if one is None:
        raise ConfigurationError(f"{where}: not an object")
    kind = one.get("type")
    match kind:
        case "message":
            role = one.get("role")
            if role not in _PARTS:
                known = ", ".join(_PARTS)
                raise ConfigurationError(f"{where}: role must be one of {known}; a system message is a developer one")
            content = _parts(one.get("content"), where, _PARTS[role])
            if not content:
                raise ConfigurationError(f"{where}: the message is empty")
            checked = {"type": kind, "role": role, "content": content}
            return {**checked, "phase": one["phase"]} if one.get("phase") in ("commentary", "final_answer") else checked
        case "function_call" | "custom_tool_call":
            texts = ("call_id", "name", _CALLS[kind])
            return {"type": kind, **{name: _text(one, name, where) for name in texts}}
        case "function_call_output" | "custom_tool_call_output":
            output = one.get("output")
            if not isinstance(output, str):
                output = _parts(output, where, _PARTS["user"])
            return {"type": kind, "call_id": _text(one, "call_id", where), "output": output}
        case "reasoning":
            summary, sealed = one.get("summary"), one.get("encrypted_content")
            if not isinstance(summary, list):
                raise ConfigurationError(f"{where}: summary must be a list")
            if sealed is not None and not isinstance(sealed, str):
                raise ConfigurationError(f"{where}: encrypted_content must be text")
            # Its sealed content belongs to its id; codex makes up another one where there is none.
            named = {"id": one["id"]} if isinstance(one.get("id"), str) else {}
            return {
                "type": kind,
                **named,
                "summary": _parts(cast("list[object]", summary), where, ("summary_text",)),
                "encrypted_content": sealed,
                "content": None,
            }
        case _:
            raise ConfigurationError(
                f"{where}: type must be message, function_call, function_call_output, custom_tool_call, "
                f"custom_tool_call_output or reasoning; such as {_EXAMPLE}"
            )


def kept_items(items: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """What of a thread's items another thread takes, and `checked_items` too. codex keeps calls that it has not
    answered, and kinds that it knows no more of."""
    calls = {item["call_id"] for item in items if item["type"] in _CALLS}
    outputs = {item["call_id"] for item in items if item["type"] in _OUTPUTS}
    return tuple(
        item
        for item in items
        if item["type"] in ("message", "reasoning")
        or (item["type"] in (*_CALLS, *_OUTPUTS) and item["call_id"] in calls & outputs)
    )


def _text(item: Mapping[str, Any], name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or (not value and name in ("call_id", "name")):
        raise ConfigurationError(f"{where}: {name} must be text")
    return value


def _parts(content: object, where: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        raise ConfigurationError(f"{where}: content must be a list of parts")
    found: list[dict[str, Any]] = []
    for number, part in enumerate(cast("list[object]", content)):
        one = as_object(part) or {}
        kind = one.get("type")
        if kind not in kinds:
            raise ConfigurationError(f"{where}: part {number} must be of type {' or '.join(kinds)}")
        if kind == "input_image":
            url = one.get("image_url")
            if not isinstance(url, str) or not url.startswith("data:"):
                raise ConfigurationError(f"{where}: part {number}: image_url must be a data URL; codex takes no others")
            found.append({"type": kind, "image_url": data_url(url)})
        else:
            found.append({"type": kind, "text": _text(one, "text", f"{where}: part {number}")})
    return found


def split_last(items: tuple[dict[str, Any], ...]) -> tuple[tuple[dict[str, Any], ...], str | None, tuple[str, ...]]:
    """What was said before, and the last message as a turn's own input: text and images.

    The text is None where the last item cannot be one as it is: it is not a user's, has several texts, or an image
    before its text. All of it is history then.
    """
    last = items[-1]
    if last["type"] == "message" and last["role"] == "user":
        first, *rest = last["content"]
        if first["type"] == "input_text" and first["text"] and all(part["type"] == "input_image" for part in rest):
            return items[:-1], first["text"], tuple(part["image_url"] for part in rest)
    return items, None, ()


def checked_tools(tools: Sequence[Mapping[str, Any]]) -> tuple[DynamicToolSpec, ...]:
    """The tools, as they are sent.

    Raises:
        ConfigurationError: One has a name, a description or a schema that codex does not take.
    """
    found: list[DynamicToolSpec] = []
    names: set[str] = set()
    for number, tool in enumerate(tools):
        where = f"tools[{number}]"
        if not isinstance(cast("object", tool), Mapping):
            raise ConfigurationError(f"{where}: give its name, description and parameters; nothing is run here")
        if unknown := [key for key in tool if key not in _TOOL_KEYS]:
            raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}; there are {', '.join(_TOOL_KEYS)}")
        name = tool.get("name")
        if not isinstance(name, str) or not _TOOL_NAME.match(name):
            raise ConfigurationError(f"{where}: name must be of letters, digits, _ and -, and 128 of them at most")
        if _RESERVED.match(name):
            raise ConfigurationError(f"{where}: codex keeps the name {name!r} for itself")
        if name in names:
            raise ConfigurationError(f"{where}: there is another tool {name!r}")
        names.add(name)
        description = tool.get("description", "")
        schema = tool.get("parameters", tool.get("inputSchema", {"type": "object", "properties": {}}))
        if not isinstance(description, str):
            raise ConfigurationError(f"{where}: description must be text")
        if not isinstance(schema, Mapping):
            raise ConfigurationError(f"{where}: parameters must be a JSON Schema, an object")
        _check_sent((description, cast("object", schema)), where)
        found.append({"type": "function", "name": name, "description": description, "inputSchema": schema})
    return tuple(found)
