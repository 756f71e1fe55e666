"""The response object of `/v1/responses`: its frame, its output items, its end.

A stream needs it in pieces, and says the same in the end as an answer that comes at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from codex_oauth.endpoint.api import About
from codex_oauth.endpoint.asked import Asked
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from codex_oauth.types import Reply, Usage

__all__ = ("COMMENTARY", "frame", "has_form", "item_id", "message", "output_items", "output_text", "whole")

COMMENTARY: Final = "commentary"
"""The phase of what the model says on the way to its answer."""

_PREFIXES: Final = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


def frame(asked: Asked, about: About) -> dict[str, Any]:
    """A response that is in progress, as the first events of a stream have it."""
    echo = asked.echo
    return {
        "id": f"resp_{about.id}",
        "object": "response",
        "created_at": about.created,
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": echo.get("instructions"),
        "max_output_tokens": echo.get("max_output_tokens"),
        "max_tool_calls": echo.get("max_tool_calls"),
        "metadata": echo.get("metadata") or {},
        "model": asked.model,
        "output": [],
        "parallel_tool_calls": asked.parallel_tool_calls,
        "previous_response_id": None,
        "prompt_cache_key": echo.get("prompt_cache_key"),
        "reasoning": {"effort": asked.effort, "summary": None},
        "safety_identifier": echo.get("safety_identifier"),
        "service_tier": "default",
        "store": False,
        # What the plan samples with is not known.
        "temperature": None,
        "text": echo.get("text") or {"format": {"type": "text"}},
        "tool_choice": echo.get("tool_choice") or "auto",
        "tools": list(echo.get("tools") or ()),
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
        "user": echo.get("user"),
    }


def whole(
    framed: Mapping[str, Any], reply: Reply[Any], output: Sequence[Mapping[str, Any]], *, completed_at: int
) -> dict[str, Any]:
    """The response at its end."""
    cut = reply.finish == "length"
    return {
        **framed,
        "status": "incomplete" if cut else "completed",
        "completed_at": None if cut else completed_at,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": reply.model,
        "reasoning": {"effort": reply.effort, "summary": None},
        "output": list(output),
        "usage": _usage(reply.usage),
    }


def has_form(asked: Asked) -> bool:
    """Whether the text has to be JSON. Commentary is left out then: clients join the texts of a response, and those
    that know of no phases read each of them as the answer."""
    return asked.json_object or asked.schema is not None


def output_items(asked: Asked, reply: Reply[Any], about: About) -> list[dict[str, Any]]:
    """The output items of a reply, as the API has them. A message that was cut off is the last, and incomplete."""
    known = [item for item in reply.items if item.get("type") in _PREFIXES]
    if has_form(asked):
        known = [item for item in known if item.get("phase") != COMMENTARY]
    found = [_item(item, about, number) for number, item in enumerate(known)]
    cut = reply.finish == "length"
    if reply.text and (cut or not any(item["type"] in ("message", "function_call") for item in found)):
        own_id = item_id("message", None, about, len(found))
        status = "incomplete" if cut else "completed"
        found.append(message(own_id, [output_text(reply.text)], phase=None, status=status))
    return found


def item_id(kind: str, given: object, about: About, number: int) -> str:
    """The service's own id of an item; where there is none, one that no other item has."""
    return given if isinstance(given, str) and given else f"{_PREFIXES[kind]}_{about.id}{number:04x}"


def message(own_id: str, parts: Sequence[Mapping[str, Any]], *, phase: object, status: str) -> dict[str, Any]:
    """A message of the model's."""
    made = {"id": own_id, "type": "message", "role": "assistant", "status": status, "content": list(parts)}
    # Where the model does not say, clients have never seen the member.
    return made if phase is None else {**made, "phase": phase}


def output_text(text: str) -> dict[str, Any]:
    """A part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(one: Mapping[str, Any], about: About, number: int) -> dict[str, Any]:
    kind = one["type"]
    own_id = item_id(kind, one.get("id"), about, number)
    if kind == "message":
        parts = [_part(as_object(part) or {}) for part in cast("list[object]", one.get("content") or [])]
        return message(own_id, parts, phase=one.get("phase"), status="completed")
    if kind == "function_call":
        call = {name: str(one.get(name) or "") for name in ("call_id", "name", "arguments")}
        return {"id": own_id, "type": kind, "status": "completed", **call}
    # What it encrypts is sent whether `include` names it or not, as OpenAI does: nobody could fetch it later.
    kept: dict[str, Any] = {"summary": one.get("summary") or [], "encrypted_content": one.get("encrypted_content")}
    return {"id": own_id, "type": kind, **kept}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "refusal":
        return {"type": "refusal", "refusal": str(part.get("refusal") or "")}
    return output_text(str(part.get("text") or ""))


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
