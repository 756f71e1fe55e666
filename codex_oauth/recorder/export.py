"""Records in the forms of other programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

__all__ = ("ImagesLeftOut", "chat_example", "last_of_threads")


class ImagesLeftOut(Exception):
    """A conversation shows images that were not kept."""


def last_of_threads(records: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The last record of each thread, which has all that was said before it; threads in the order of these."""
    last: dict[str, Mapping[str, Any]] = {}
    for record in records:
        last.pop(record["thread_id"], None)
        last[record["thread_id"]] = record
    yield from last.values()


def chat_example(record: Mapping[str, Any]) -> dict[str, Any]:
    """The conversation up to a response, and the response, as a line of OpenAI's format for fine-tuning chat models.

    Reasoning is not in it. What the model was told by a developer is there as the system's word.

    Raises:
        ImagesLeftOut: An image in it was not kept, and cannot be shown to a model that is to learn from it.
    """
    messages: list[dict[str, Any]] = []
    if record["instructions"] is not None:
        messages.append({"role": "system", "content": record["instructions"]})
    for item in (*record["input"], *record["output"]):
        _add(messages, item)
    example: dict[str, Any] = {"messages": messages}
    if record["tools"]:
        example["tools"] = [{"type": "function", "function": _function(tool)} for tool in record["tools"]]
    return example


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tool.get("name"),
        "description": tool.get("description") or "",
        "parameters": tool.get("inputSchema") or {"type": "object", "properties": {}},
    }


def _add(messages: list[dict[str, Any]], item: Mapping[str, Any]) -> None:
    match item.get("type"):
        case "message":
            role = item.get("role")
            messages.append(
                {"role": "system" if role == "developer" else role, "content": _content(item.get("content"))}
            )
        case "function_call" | "custom_tool_call":
            arguments = item.get("arguments") if item["type"] == "function_call" else item.get("input")
            function = {"name": item.get("name"), "arguments": arguments or "{}"}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            # The text and the calls of one response are one message there.
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(call)
        case "function_call_output" | "custom_tool_call_output":
            output = item.get("output")
            content = output if isinstance(output, str) else _content(output)
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
        case _:
            pass  # reasoning, which this format has no place for


def _content(parts: object) -> str | list[dict[str, Any]]:
    if not isinstance(parts, list):
        return str(parts or "")
    shown: list[dict[str, Any]] = []
    for part in cast("Sequence[Mapping[str, Any]]", parts):
        if part.get("type") == "input_image":
            url = str(part.get("image_url") or "")
            if url.startswith("data:") and ";base64," not in url:
                raise ImagesLeftOut
            shown.append({"type": "image_url", "image_url": {"url": url}})
        else:
            shown.append({"type": "text", "text": str(part.get("text") or part.get("refusal") or "")})
    if all(part["type"] == "text" for part in shown):
        return "".join(part["text"] for part in shown)
    return shown
