"""`/v1/chat/completions`: a request to what it asks for, and a reply to a chat completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.endpoint.api import About
from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.chat_tools import read_tools, tool_name
from codex_oauth.endpoint.messages import read_messages
from codex_oauth.endpoint.parameters import CHAT, check
from codex_oauth.endpoint.reading import flag_in, mentions_json, object_in, text_or_none, whole_number_in
from codex_oauth.endpoint.refusals import bad_request
from codex_oauth.errors import OutputSchemaError
from codex_oauth.schema import output_spec
from codex_oauth.types import as_object

if TYPE_CHECKING:
    from codex_oauth.types import Reply, ToolCall, Usage

__all__ = ("call_entry", "completion", "finish_reason", "read_request", "usage_entry")

_TABLE: Final = {parameter.name: parameter for parameter in CHAT}


def read_request(body: Mapping[str, Any]) -> Asked:
    """Read a request.

    Raises:
        ApiError: It is wrong, or asks for what the plan cannot do.
    """
    ignored = check(body, _TABLE)
    read = read_messages(body.get("messages"))
    tools = read_tools(body)
    schema, json_object, told = _response_format(object_in(body, "response_format"))
    if json_object and not mentions_json(read.instructions, read.items):
        raise bad_request(
            "response_format json_object: the messages must contain the word JSON, so that the model knows of it",
            param="messages",
        )
    stream = flag_in(body, "stream")
    return Asked(
        model=text_or_none(body, "model"),
        instructions=read.instructions,
        items=read.items,
        tools=tools.offered,
        tool_choice=tools.choice,
        parallel_tool_calls=flag_in(body, "parallel_tool_calls", default=True),
        schema=schema,
        json_object=json_object,
        effort=text_or_none(body, "reasoning_effort"),
        max_output_tokens=_most(body),
        stream=stream,
        include_usage=_include_usage(body, stream=stream),
        ignored=(*ignored, *tools.ignored, *told, *read.ignored),
    )


def completion(asked: Asked, reply: Reply[Any], about: About) -> dict[str, Any]:
    """The chat completion of a reply."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.text or (None if reply.calls else ""),
        "refusal": None,
        "annotations": [],
    }
    if reply.calls:
        message["tool_calls"] = [call_entry(call) for call in reply.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(reply)}
    del asked
    return {
        "id": f"chatcmpl-{about.id}",
        "object": "chat.completion",
        "created": about.created,
        "model": reply.model,
        "choices": [choice],
        "usage": usage_entry(reply.usage),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def finish_reason(reply: Reply[Any]) -> str:
    """Why a choice ended, in the API's words, which are the reply's own."""
    return reply.finish


def call_entry(call: ToolCall) -> dict[str, Any]:
    """A call of a function, as a message has it."""
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def usage_entry(usage: Usage) -> dict[str, Any]:
    """Tokens, as a chat completion has them."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _response_format(given: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool, tuple[str, ...]]:
    kind = given.get("type", "text")
    if kind != "json_schema":
        if kind not in ("text", "json_object"):
            raise bad_request(
                "response_format.type: must be text, json_object or json_schema",
                param="response_format.type",
                code="invalid_value",
            )
        return None, kind == "json_object", ()
    where = "response_format.json_schema"
    inner = as_object(given.get("json_schema")) or {}
    tool_name(inner, where)
    schema = as_object(inner.get("schema"))
    if schema is None:
        raise bad_request(f"{where}.schema: must be a JSON Schema, an object", param=f"{where}.schema")
    try:
        output_spec(schema)
    except OutputSchemaError as error:
        raise bad_request(f"{where}.schema: {error.message}", param=where, code="invalid_json_schema") from None
    return schema, False, (f"{where}.description",) if inner.get("description") else ()


def _most(body: Mapping[str, Any]) -> int | None:
    found, old = (whole_number_in(body, name, least=1) for name in ("max_completion_tokens", "max_tokens"))
    if found is not None and old is not None:
        raise bad_request("max_tokens: give max_completion_tokens alone", param="max_tokens")
    return old if found is None else found


def _include_usage(body: Mapping[str, Any], *, stream: bool) -> bool:
    options = object_in(body, "stream_options")
    if options and not stream:
        raise bad_request("stream_options: only with stream: true", param="stream_options")
    for name in options:
        if name not in ("include_usage", "include_obfuscation"):
            raise bad_request(
                f"stream_options: unknown member {name[:60]!r}", param="stream_options", code="unknown_parameter"
            )
    return flag_in(options, "include_usage", "stream_options.")
