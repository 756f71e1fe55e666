"""The `openai` client on chat completions that have to fit a schema, as OpenAI's documentation has it. Runs with the
client's own Python."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai import OpenAI
from openai_asked import CalendarEvent, GetWeather, model, parsing

__all__ = (
    "chat_function_parsed",
    "chat_json",
    "chat_length",
    "chat_parsed",
    "chat_parsed_from_a_stream",
    "chat_schema",
)


def chat_parsed() -> Any:
    """A pydantic model as `response_format`."""
    completion = parsing(OpenAI()).parse(
        model=model(),
        messages=[
            {"role": "system", "content": "Extract the event information."},
            {"role": "user", "content": "Alice and Bob are going to a science fair on Friday."},
        ],
        response_format=CalendarEvent,
    )
    event = completion.choices[0].message.parsed
    return {"kind": type(event).__name__, "value": event.model_dump()}


def chat_parsed_from_a_stream() -> Any:
    """The same, as it comes."""
    with parsing(OpenAI()).stream(
        model=model(),
        messages=[{"role": "user", "content": "Alice and Bob are going to a science fair on Friday."}],
        response_format=CalendarEvent,
    ) as stream:
        partial = [event.parsed for event in stream if event.type == "content.delta"]
        completion = stream.get_final_completion()
    event = completion.choices[0].message.parsed
    return {"kind": type(event).__name__, "value": event.model_dump(), "partial": partial[-1]}


def chat_schema() -> Any:
    """A JSON Schema as `response_format`, the way without pydantic."""
    completion = OpenAI().chat.completions.create(
        model=model(),
        messages=[{"role": "user", "content": "Is 91 prime?"}],
        response_format={
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": {
                    "type": "object",
                    "properties": {"why": {"type": "string"}, "prime": {"type": "boolean"}},
                    "required": ["why", "prime"],
                    "additionalProperties": False,
                },
            },
        },
    )
    return completion.choices[0].message.content


def chat_json() -> Any:
    """JSON mode."""
    completion = OpenAI().chat.completions.create(
        model=model(),
        messages=[
            {"role": "system", "content": "You are a helpful assistant designed to output JSON."},
            {"role": "user", "content": "Who won the world series in 2020?"},
        ],
        response_format={"type": "json_object"},
    )
    return json.loads(completion.choices[0].message.content or "")


def chat_function_parsed() -> Any:
    """A pydantic model as a function's parameters."""
    completion = parsing(OpenAI()).parse(
        model=model(),
        messages=[{"role": "user", "content": "What's the weather in Paris?"}],
        tools=[openai.pydantic_function_tool(GetWeather)],
    )
    call = completion.choices[0].message.tool_calls[0]
    arguments = call.function.parsed_arguments
    return {"name": call.function.name, "kind": type(arguments).__name__, "value": arguments.model_dump()}


def chat_length() -> Any:
    """An answer that is cut off, and what `parse` makes of it."""
    client = OpenAI()
    given: dict[str, Any] = {
        "model": model(),
        "messages": [{"role": "user", "content": "Write a long story."}],
        "max_completion_tokens": 16,
    }
    completions: Any = client.chat.completions
    completion = completions.create(**given)
    try:
        parsing(client).parse(**given, response_format=CalendarEvent)
    except openai.LengthFinishReasonError:
        refused = True
    else:
        refused = False
    choice = completion.choices[0]
    return {"finish": choice.finish_reason, "text": choice.message.content, "parse refused": refused}
