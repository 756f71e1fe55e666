"""A session with every kind of call in it, for tests that record one and play it back."""

from __future__ import annotations

from typing import Any, Final

from codex_oauth.client import AsyncCodex
from codex_oauth.testing import Answer, Items, Json, Text, Usage, function_call, message, reasoning

__all__ = ("ANSWERS", "LABELS", "USAGES", "hold_session", "weather")

EMAIL: Final = "person@example.com"
SCHEMA: Final = {
    "type": "object",
    "properties": {"prime": {"type": "boolean"}},
    "required": ["prime"],
    "additionalProperties": False,
}
_TOOL: Final = {
    "name": "weather",
    "description": "The weather in a city.",
    "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
USAGES: Final = (
    *(Usage(11, 2, 9, 3), Usage(21, 12, 8, 2), Usage(31, 22, 7), Usage(41), Usage(51, 0, 6), Usage(61, 3, 5)),
    *(Usage(71, 0, 4, 1), Usage(81, 70, 3)),
)
ANSWERS: Final[tuple[Answer, ...]] = (
    # A tool loop: reasoning, a remark, two calls at once; then the answer, and a turn that follows.
    Items(
        [
            reasoning("Two cities.", "gAAAAABencrypted"),
            message("I will look.", "commentary"),
            function_call("weather", {"city": "Paris"}, "call_1"),
            function_call("weather", {"city": "Rome"}, "call_2"),
        ],
        USAGES[0],
    ),
    Text("5 and 4 degrees.", USAGES[1]),
    Text("You are welcome.", USAGES[2]),
    Text("Written.", USAGES[3]),
    # A reply that has to be repaired.
    Text("It is not.", USAGES[4]),
    Json({"prime": False}, USAGES[5]),
    # Single responses to a conversation that the caller keeps.
    Items([function_call("weather", {"city": "Oslo"}, "call_9")], USAGES[6]),
    Text("Four degrees in Oslo.", USAGES[7]),
)
LABELS: Final = ("conversation",) * 3 + ("complete",) * 3 + ("respond",) * 2


def weather(city: str) -> str:
    """The weather in a city."""
    return f"{len(city)} degrees"


async def hold_session(codex: AsyncCodex) -> list[Any]:
    """Hold it; what each call gave."""
    given: list[Any] = []
    async with codex:
        async with codex.conversation(instructions="Be brief.", tools=[weather]) as chat:
            given.append((await chat.send("Weather in Paris and Rome?")).text)
            given.append((await chat.send("Thanks.")).text)
        given.append((await codex.complete(f"Write to {EMAIL}.", instructions="Write letters.")).text)
        given.append((await codex.complete("Is 91 prime?", output=SCHEMA)).output)
        asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather in Oslo?"}]}
        calling = await codex.respond([asked], tools=[_TOOL], instructions="Be exact.")
        given.append([(call.name, call.arguments) for call in calling.calls])
        output = {"type": "function_call_output", "call_id": calling.calls[0].call_id, "output": "4 degrees"}
        answer = await codex.respond([asked, *calling.items, output], tools=[_TOOL], instructions="Be exact.")
        given.append(answer.text)
    return given
