# pyright: basic, reportMissingImports=false
"""litellm with a base URL, as its documentation has it for compatible endpoints. Runs with the client's own Python."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic import BaseModel

# It would fetch its list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

__all__ = ("refused", "streamed", "structured", "tools")

_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}


class CalendarEvent(BaseModel):
    """A value to ask for."""

    name: str
    date: str
    participants: list[str]


def _completion(**given: Any) -> Any:
    return litellm.completion(
        model="openai/codex-oauth",
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ["OPENAI_API_KEY"],
        **given,
    )


def structured() -> Any:
    """A pydantic model as `response_format`."""
    messages = [{"role": "user", "content": "Alice and Bob are going to a science fair on Friday."}]
    answer = _completion(messages=messages, response_format=CalendarEvent)
    event = CalendarEvent.model_validate_json(answer.choices[0].message.content)
    return {"value": event.model_dump(), "tokens": answer.usage.total_tokens}


def streamed() -> Any:
    """A stream."""
    chunks = _completion(messages=[{"role": "user", "content": "Say this is a test"}], stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def tools() -> Any:
    """The tool loop."""
    messages: list[Any] = [{"role": "user", "content": "What's the weather like in Paris and Bogotá?"}]
    while True:
        message = _completion(messages=messages, tools=[_TOOL], tool_choice="auto").choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message)
        for call in message.tool_calls:
            location = json.loads(call.function.arguments)["location"]
            messages.append(
                {
                    "tool_call_id": call.id,
                    "role": "tool",
                    "name": call.function.name,
                    "content": json.dumps({"location": location, "temperature": 14}),
                }
            )


def refused() -> Any:
    """An error of the endpoint, in the library's own classes."""
    try:
        _completion(messages=[{"role": "user", "content": "hello"}], max_retries=5)
    except litellm.RateLimitError as error:
        return error.status_code
    return None
