# pyright: basic, reportMissingImports=false
"""pydantic-ai with a base URL, as its documentation has it for compatible endpoints: on chat completions and responses.
Runs with the client's own Python."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

__all__ = ("native", "streamed", "structured", "tools")


class CityLocation(BaseModel):
    """A value to ask for."""

    city: str
    country: str


def _model(api: str) -> Any:
    provider = OpenAIProvider(base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])
    kind = OpenAIChatModel if api == "chat" else OpenAIResponsesModel
    return kind("codex-oauth", provider=provider)


def structured(api: str) -> Any:
    """Output of a class. The library asks for it as the call of a tool that it makes of the class."""
    agent = Agent(_model(api), output_type=CityLocation)
    result = agent.run_sync("Where were the olympics held in 2012?")
    return {"value": result.output.model_dump(), "tokens": result.usage.total_tokens}


def native(api: str) -> Any:
    """The same by `response_format`."""
    agent = Agent(_model(api), output_type=NativeOutput(CityLocation))
    return agent.run_sync("Where were the olympics held in 2012?").output.model_dump()


def tools(api: str) -> Any:
    """The tool loop."""
    agent = Agent(_model(api), instructions="Use the tool.")
    asked: list[str] = []

    @agent.tool_plain
    def get_weather(location: str) -> dict[str, Any]:
        """Get the weather of a city."""
        asked.append(location)
        return {"location": location, "temperature": 14}

    result = agent.run_sync("What's the weather in Paris and in Bogotá?")
    return {"text": result.output, "asked": sorted(asked)}


def streamed(api: str) -> Any:
    """A stream."""

    async def main() -> list[str]:
        async with Agent(_model(api)).run_stream("Say this is a test") as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    return asyncio.run(main())
