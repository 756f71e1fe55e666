"""Model responses made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema

from codex_oauth.records import replace
from codex_oauth.types import Account, ModelResponse, Usage

__all__ = ("ACCOUNT", "RESPONSE", "VALIDATOR", "call", "number", "output", "said", "tool_loop")

_SCHEMA: Final = json.loads(
    (Path(__file__).parents[2] / "schemas/recorded-response.schema.json").read_text(encoding="utf-8")
)
VALIDATOR: Any = jsonschema.Draft202012Validator(_SCHEMA, format_checker=jsonschema.FormatChecker())
"""Checks records against their schema."""

ACCOUNT: Final = Account(kind="chatgpt", plan="plus", email="Someone.Else+codex@example.org")

Item = dict[str, Any]


def said(role: str, text: str, **members: Any) -> Item:
    """A message."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **members}


def call(name: str, arguments: Mapping[str, Any] | str, call_id: str) -> Item:
    """A call of a function."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "function_call", "name": name, "arguments": text, "call_id": call_id}


def output(call_id: str, text: Any) -> Item:
    """What a call gave."""
    return {"type": "function_call_output", "call_id": call_id, "output": text}


RESPONSE: Final = ModelResponse(
    response_id="resp_1",
    thread_id="thread-1",
    turn_id="turn-1",
    number=1,
    model="gpt-6-luna",
    effort="low",
    instructions="Be brief.",
    tools=(),
    schema=None,
    input=(said("user", "What is 7 times 13?"),),
    output=(said("assistant", "91", id="resp_1_0", phase="final_answer"),),
    usage=Usage(input=120, cached=20, output=30, reasoning=5),
    account=ACCOUNT,
    began=1_760_000_000.25,
    ended=1_760_000_001.5,
    exact=True,
)

_TOOL: Final = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def number(count: int, **changes: Any) -> ModelResponse:
    """Another response, of a thread of its own."""
    return replace(RESPONSE, response_id=f"resp_{count}", thread_id=f"thread-{count}", **changes)


def tool_loop() -> tuple[ModelResponse, ...]:
    """A turn of two responses with two calls at once, and a turn that follows on the same thread."""
    asked = said("user", "Weather in Paris and Rome?")
    first = (
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Two cities."}]},
        call("get_weather", {"city": "Paris"}, "c1"),
        call("get_weather", {"city": "Rome"}, "c2"),
    )
    results = (output("c2", "20C"), output("c1", "18C"))
    answer = said("assistant", "18 and 20.", phase="final_answer")
    again = said("user", "And in K?")
    one = replace(RESPONSE, input=(asked,), output=first, tools=(_TOOL,), response_id="resp_1")
    two = replace(
        one, response_id="resp_2", number=2, input=(asked, *first, *results), output=(answer,), usage=Usage(input=200)
    )
    three = replace(
        two,
        response_id="resp_3",
        turn_id="turn-2",
        number=1,
        input=(*two.input, answer, again),
        output=(said("assistant", "291 and 293."),),
        usage=Usage(input=300, output=7),
    )
    return one, two, three
