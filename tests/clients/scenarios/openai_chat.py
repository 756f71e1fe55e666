"""The `openai` client on chat completions, as OpenAI's documentation has it. Runs with the client's own Python."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openai_asked import IMAGE_URL, WEATHER, get_weather, model, parsing

__all__ = (
    "chat",
    "chat_at_once",
    "chat_headers",
    "chat_image",
    "chat_stream",
    "chat_stream_helper",
    "chat_stream_of_calls",
    "chat_tools",
    "models",
)

_TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get current temperature for a given location.",
            "parameters": WEATHER,
            "strict": True,
        },
    }
]


def models() -> Any:
    """List the models, and get one by its id."""
    client = OpenAI()
    ids = [one.id for one in client.models.list()]
    return {"ids": ids, "one": client.models.retrieve(ids[-1]).model_dump()}


def chat() -> Any:
    """One question, with everything that is read of its answer."""
    completion = OpenAI().chat.completions.create(
        model=model(),
        messages=[
            {"role": "developer", "content": "Talk like a pirate."},
            {"role": "user", "content": "How do I check if a Python object is an instance of a class?"},
        ],
    )
    return {"text": completion.choices[0].message.content, **completion.model_dump(), "asked": model()}


def chat_stream() -> Any:
    """A stream, as it is iterated over."""
    stream = OpenAI().chat.completions.create(
        model=model(),
        messages=[{"role": "user", "content": "Say 'double bubble bath' ten times fast."}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    return {
        "pieces": [
            chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
        ],
        "first": chunks[0].model_dump(),
        "finish": [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1],
        "usage": chunks[-1].usage.model_dump() if chunks[-1].usage else None,
        "ids": len({chunk.id for chunk in chunks}),
    }


def chat_stream_helper() -> Any:
    """The helper for streams, which puts the completion together."""
    with parsing(OpenAI()).stream(
        model=model(), messages=[{"role": "user", "content": "Say this is a test"}]
    ) as stream:
        types = [event.type for event in stream]
        completion = stream.get_final_completion()
    return {"types": types, **completion.model_dump()}


def chat_tools() -> Any:
    """The tool loop: the calls of an answer are made, and their results sent with it, until there is text."""
    client = OpenAI()
    messages: list[Any] = [{"role": "user", "content": "What's the weather in Paris and in Bogotá?"}]
    finishes: list[str] = []
    while True:
        completion = client.chat.completions.create(model=model(), messages=messages, tools=_TOOLS)
        finishes.append(completion.choices[0].finish_reason)
        message = completion.choices[0].message
        if not message.tool_calls:
            return {"text": message.content, "finishes": finishes}
        messages.append(message)
        for call in message.tool_calls:
            assert call.type == "function"
            result = get_weather(call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def chat_stream_of_calls() -> Any:
    """Calls, put together from a stream by their index."""
    calls: dict[int, dict[str, str]] = {}
    finish: str | None = None
    completions: Any = OpenAI().chat.completions
    stream = completions.create(
        model=model(),
        messages=[{"role": "user", "content": "What's the weather in Paris and in Bogotá?"}],
        tools=_TOOLS,
        stream=True,
    )
    for chunk in stream:
        finish = chunk.choices[0].finish_reason or finish
        for call in chunk.choices[0].delta.tool_calls or ():
            known = calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
            known["id"] += call.id or ""
            known["name"] += call.function.name or ""
            known["arguments"] += call.function.arguments or ""
    return {"calls": [calls[index] for index in sorted(calls)], "finish": finish}


def chat_image() -> Any:
    """A picture as a data URL."""
    completion = OpenAI().chat.completions.create(
        model=model(),
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is in this image?"},
                    {"type": "image_url", "image_url": {"url": IMAGE_URL}},
                ],
            }
        ],
    )
    return {"text": completion.choices[0].message.content, "sent": IMAGE_URL}


def chat_headers() -> Any:
    """What the answer's head tells."""
    raw = OpenAI().chat.completions.with_raw_response.create(
        model=model(), messages=[{"role": "user", "content": "hello"}], temperature=0.2, seed=7
    )
    return {"headers": dict(raw.headers), "id": raw.parse().id}


def chat_at_once() -> Any:
    """The asynchronous client: three questions at once, one of them as a stream."""

    async def ask(client: AsyncOpenAI, text: str) -> str | None:
        completion = await client.chat.completions.create(model=name, messages=[{"role": "user", "content": text}])
        return completion.choices[0].message.content

    async def streamed(client: AsyncOpenAI, text: str) -> str:
        stream = await client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": text}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def main() -> list[str | None]:
        async with AsyncOpenAI() as client:
            return list(await asyncio.gather(ask(client, "one"), ask(client, "two"), streamed(client, "three")))

    name = model()
    return asyncio.run(main())
