"""What the scenarios of the `openai` client share: the model, the values that are asked for, the tool, the picture."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from functools import cache
from typing import Any, Final

from openai import OpenAI
from pydantic import BaseModel

__all__ = ("IMAGE_URL", "WEATHER", "CalendarEvent", "GetWeather", "get_weather", "model", "parsing")


class CalendarEvent(BaseModel):
    """The value of OpenAI's guide to structured outputs."""

    name: str
    date: str
    participants: list[str]


class GetWeather(BaseModel):
    """Get current temperature for a given location."""

    location: str


WEATHER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"location": {"type": "string", "description": "City and country e.g. Bogotá, Colombia"}},
    "required": ["location"],
    "additionalProperties": False,
}
"""The parameters of the function of OpenAI's guide to function calling."""


@cache
def model() -> str:
    """The first model that the endpoint lists."""
    return OpenAI().models.list().data[0].id


def get_weather(arguments: str) -> str:
    """Call the function with the arguments that the model wrote."""
    return json.dumps({"location": json.loads(arguments)["location"], "temperature": 14})


def parsing(client: OpenAI) -> Any:
    """What has `parse` and `stream` for chat completions: what is under `beta` in an old client."""
    completions: Any = client.chat.completions
    return completions if hasattr(completions, "parse") else client.beta.chat.completions


def _png() -> bytes:
    # One red pixel.
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head, pixel = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


IMAGE_URL: Final = f"data:image/png;base64,{base64.b64encode(_png()).decode()}"
"""A picture, as OpenAI's guide to images has it: encoded in base64."""
