"""The `openai` client on responses, as OpenAI's documentation has it. Runs with the client's own Python."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openai_asked import IMAGE_URL, WEATHER, CalendarEvent, get_weather, model

__all__ = (
    "respond",
    "respond_async",
    "respond_image",
    "respond_length",
    "respond_parsed",
    "respond_parsed_from_a_stream",
    "respond_roles",
    "respond_stream",
    "respond_stream_helper",
    "respond_tools",
    "respond_tools_from_a_stream",
)

_TOOLS: Any = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Get current temperature for a given location.",
        "parameters": WEATHER,
        "strict": True,
    }
]


def respond() -> Any:
    """One question, with everything that is read of its answer."""
    response = OpenAI().responses.create(
        model=model(), instructions="Talk like a pirate.", input="Are semicolons optional in JavaScript?"
    )
    return {**response.model_dump(mode="json"), "text": response.output_text, "asked": model()}


def respond_roles() -> Any:
    """The input as messages."""
    response = OpenAI().responses.create(
        model=model(),
        input=[
            {"role": "developer", "content": "Talk like a pirate."},
            {"role": "user", "content": "knock knock."},
            {"role": "assistant", "content": "Who's there?"},
            {"role": "user", "content": "Orange."},
        ],
        reasoning={"effort": "low"},
        store=False,
    )
    return response.output_text


def respond_stream() -> Any:
    """A stream, as it is iterated over."""
    stream = OpenAI().responses.create(
        model=model(), input=[{"role": "user", "content": "Say 'double bubble bath' ten times fast."}], stream=True
    )
    events: list[Any] = list(stream)
    return {
        "types": [event.type for event in events],
        "kinds": [type(event).__name__ for event in events],
        "text": "".join(event.delta for event in events if event.type == "response.output_text.delta"),
        "numbers": [event.sequence_number for event in events if hasattr(event, "sequence_number")],
        "last": events[-1].response.model_dump(mode="json"),
    }


def respond_stream_helper() -> Any:
    """The helper for streams, which puts the response together."""
    with OpenAI().responses.stream(model=model(), input="Say this is a test") as stream:
        types = [event.type for event in stream]
        response = stream.get_final_response()
    return {"types": types, "text": response.output_text, "status": response.status}


def respond_parsed() -> Any:
    """A pydantic model as `text_format`."""
    response = OpenAI().responses.parse(
        model=model(),
        input=[
            {"role": "system", "content": "Extract the event information."},
            {"role": "user", "content": "Alice and Bob are going to a science fair on Friday."},
        ],
        text_format=CalendarEvent,
    )
    event = response.output_parsed
    assert event is not None
    return {"kind": type(event).__name__, "value": event.model_dump()}


def respond_parsed_from_a_stream() -> Any:
    """The same, as it comes."""
    with OpenAI().responses.stream(
        model=model(),
        input="Alice and Bob are going to a science fair on Friday.",
        text_format=CalendarEvent,
    ) as stream:
        for _ in stream:
            pass
        event = stream.get_final_response().output_parsed
    assert event is not None
    return {"kind": type(event).__name__, "value": event.model_dump()}


def respond_tools() -> Any:
    """The tool loop: what the model put out goes back whole, reasoning too, with the outputs of its calls."""
    client, items = OpenAI(), list[Any]()
    items.append({"role": "user", "content": "What's the weather in Paris and in Bogotá?"})
    kinds: list[list[str]] = []
    while True:
        response = client.responses.create(
            model=model(),
            tools=_TOOLS,
            input=items,
            include=["reasoning.encrypted_content"],
            store=False,
        )
        kinds.append([item.type for item in response.output])
        items += response.output
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return {"text": response.output_text, "kinds": kinds}
        for call in calls:
            output = get_weather(call.arguments)
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})


def respond_tools_from_a_stream() -> Any:
    """The same with the helper for streams, whose items have more members than the API takes from others."""
    client, items = OpenAI(), list[Any]()
    items.append({"role": "user", "content": "What's the weather in Paris?"})
    types: list[str] = []
    while True:
        with client.responses.stream(model=model(), tools=_TOOLS, input=items) as stream:
            types += [event.type for event in stream]
            response = stream.get_final_response()
        items += response.output
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return {"text": response.output_text, "types": types}
        for call in calls:
            output = get_weather(call.arguments)
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})


def respond_image() -> Any:
    """A picture as a data URL."""
    response = OpenAI().responses.create(
        model=model(),
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "what's in this image?"},
                    {"type": "input_image", "image_url": IMAGE_URL, "detail": "auto"},
                ],
            }
        ],
    )
    return {"text": response.output_text, "sent": IMAGE_URL}


def respond_length() -> Any:
    """An answer that is cut off."""
    response = OpenAI().responses.create(model=model(), input="Write a long story.", max_output_tokens=16)
    details = response.incomplete_details
    return {"status": response.status, "reason": details and details.reason, "text": response.output_text}


def respond_async() -> Any:
    """The asynchronous client: an answer and a stream at once."""

    async def whole(client: AsyncOpenAI) -> str:
        return (await client.responses.create(model=name, input="one")).output_text

    async def streamed(client: AsyncOpenAI) -> str:
        text = ""
        async with client.responses.stream(model=name, input="two") as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    text += event.delta
        return text

    async def main() -> list[str]:
        async with AsyncOpenAI() as client:
            return list(await asyncio.gather(whole(client), streamed(client)))

    name = model()
    return asyncio.run(main())
