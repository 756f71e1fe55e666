"""`POST /v1/responses`, from its JSON to what it asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.parameters import Parameter, check
from codex_oauth.endpoint.reading import (
    flag_in,
    list_in,
    mentions_json,
    object_in,
    text_in,
    text_or_none,
    whole_number_in,
)
from codex_oauth.endpoint.refusals import bad_request
from codex_oauth.endpoint.responses_input import read_input
from codex_oauth.endpoint.responses_tools import read_tools
from codex_oauth.errors import OutputSchemaError
from codex_oauth.schema import output_spec
from codex_oauth.types import as_object

__all__ = ("RESPONSES", "read_request")

_NO_SAMPLING: Final = "the plan has no such setting"
_ONE_USER: Final = "the plan has one user"
_NO_CACHE_KEY: Final = "codex has a cache key of its own for each call"
_NOT_KEPT: Final = "nothing is kept here"
_SEND_ITEMS: Final = "nothing is kept here; send the earlier items in `input`"

RESPONSES: Final[tuple[Parameter, ...]] = (
    Parameter("model"),
    Parameter("input"),
    Parameter("instructions"),
    Parameter("tools"),
    Parameter("tool_choice"),
    Parameter("parallel_tool_calls"),
    Parameter("text"),
    Parameter("reasoning"),
    Parameter("max_output_tokens"),
    Parameter("stream"),
    Parameter("include"),
    Parameter("metadata"),
    Parameter("temperature", "ignored", (1,), _NO_SAMPLING),
    Parameter("top_p", "ignored", (1,), _NO_SAMPLING),
    Parameter("truncation", "ignored", ("disabled",), "an input that is too long is refused by the service"),
    Parameter("store", "ignored", (False,), _NOT_KEPT),
    Parameter("user", "ignored", (), _ONE_USER),
    Parameter("safety_identifier", "ignored", (), _ONE_USER),
    Parameter("service_tier", "ignored", ("auto", "default"), "the plan decides"),
    Parameter("prompt_cache_key", "ignored", (), _NO_CACHE_KEY),
    Parameter("prompt_cache_options", "ignored", (), _NO_CACHE_KEY),
    Parameter("prompt_cache_retention", "ignored", (), _NO_CACHE_KEY),
    Parameter("stream_options", "ignored", ({}, {"include_obfuscation": False}), "streams are not padded"),
    Parameter("max_tool_calls", "ignored", (), "it counts calls of OpenAI's own tools, and there are none"),
    Parameter("context_management", "ignored", ([],), "an input that is too long is refused by the service"),
    Parameter("background_options", "ignored", ({},), _NOT_KEPT),
    Parameter("image", "ignored", ({}, {"context_compression": "auto"}), "codex scales images by itself"),
    Parameter("previous_response_id", "refused", (), _SEND_ITEMS),
    Parameter("conversation", "refused", (), _SEND_ITEMS),
    Parameter("prompt", "refused", (), "nothing is kept here; send the prompt's text in `instructions` and `input`"),
    Parameter("background", "refused", (False,), "nothing is kept here; wait for the answer, or take it as a stream"),
    Parameter("top_logprobs", "refused", (0,), "codex does not tell them"),
    Parameter("moderation", "refused", (), _NO_SAMPLING),
    Parameter("access_programs", "refused", ({},), _NO_SAMPLING),
)
"""The parameters of `POST /v1/responses`."""

_TABLE: Final = {parameter.name: parameter for parameter in RESPONSES}
_REPEATED: Final = ("max_output_tokens", "max_tool_calls", "prompt_cache_key", "safety_identifier", "user")
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_LOGPROBS: Final = "message.output_text.logprobs"


def read_request(body: Mapping[str, Any]) -> Asked:
    """Read a request.

    Raises:
        ApiError: It is wrong, or asks for what the plan cannot do; the error names the parameter.
    """
    ignored = check(body, _TABLE)
    if _LOGPROBS in list_in(body, "include"):
        raise bad_request(f"include: {_LOGPROBS}: codex does not tell them", param="include", code="unsupported_value")
    if body.get("input") is None:
        raise bad_request("input is missing", param="input", code="missing_required_parameter")
    instructions = text_or_none(body, "instructions")
    read = read_input(body["input"], lead=not instructions)
    tools = read_tools(body)
    form, reasoning = _text(body), object_in(body, "reasoning")
    told = instructions or read.instructions
    if form.json_object and not mentions_json(told, read.items):
        message = "text.format json_object: the input must contain the word JSON, so that the model knows of it"
        raise bad_request(message, param="input")
    effort = text_or_none(reasoning, "effort", "reasoning.")
    unused = tuple(f"reasoning.{name}" for name, value in reasoning.items() if name != "effort" and value is not None)
    parallel = flag_in(body, "parallel_tool_calls", default=True)
    echo: dict[str, Any] = {
        **{name: body.get(name) for name in _REPEATED},
        "instructions": instructions,
        "metadata": _metadata(body),
        "tools": tools.echo,
        "tool_choice": body.get("tool_choice") or "auto",
        "text": {"format": form.echo},
    }
    try:
        json.dumps(echo, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise bad_request("half a surrogate pair is no text", code="invalid_value") from None
    return Asked(
        model=text_or_none(body, "model"),
        instructions=told or None,
        items=read.items,
        tools=tools.offered,
        tool_choice=tools.choice,
        parallel_tool_calls=parallel,
        schema=form.schema,
        json_object=form.json_object,
        effort=effort,
        max_output_tokens=whole_number_in(body, "max_output_tokens", least=1),
        stream=flag_in(body, "stream"),
        ignored=(*ignored, *unused, *form.ignored, *tools.ignored, *read.ignored),
        echo=echo,
    )


class _Form(NamedTuple):
    """What the text has to be."""

    echo: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None
    json_object: bool = False
    ignored: tuple[str, ...] = ()


def _text(body: Mapping[str, Any]) -> _Form:
    text = object_in(body, "text")
    unused = tuple(f"text.{name}" for name, value in text.items() if name != "format" and value is not None)
    form = object_in(text, "format", "text.")
    kind = form.get("type", "text" if not form else None)
    if kind in ("text", "json_object"):
        return _Form({"type": kind}, json_object=kind == "json_object", ignored=unused)
    if kind != "json_schema":
        message = "text.format.type must be text, json_object or json_schema"
        raise bad_request(message, param="text.format.type", code="invalid_value")
    name = text_in(form, "name", "text.format.")
    if not _NAME.match(name):
        message = "text.format.name must be 1 to 64 letters, digits, _ and -"
        raise bad_request(message, param="text.format.name", code="invalid_value")
    schema = as_object(form.get("schema"))
    if schema is None:
        message = "text.format.schema must be a JSON Schema, an object"
        raise bad_request(message, param="text.format.schema", code="invalid_type")
    try:
        output_spec(schema)
    except OutputSchemaError as error:
        message = f"text.format.schema: {error.message}"
        raise bad_request(message, param="text.format.schema", code="invalid_json_schema") from None
    description = text_or_none(form, "description", "text.format.")
    if description:
        unused = (*unused, "text.format.description")
    # It is kept strictly whether that was asked for or not.
    echo = {"type": kind, "name": name, "schema": schema, "strict": True, "description": description}
    return _Form(echo, schema=schema, ignored=unused)


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = object_in(body, "metadata")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise bad_request("metadata must have text values", param="metadata", code="invalid_type")
    return metadata
