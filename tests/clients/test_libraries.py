"""Libraries that are built on the `openai` client, with nothing but a base URL and the token."""

from __future__ import annotations

import os

import pytest

from codex_oauth.testing import (
    Items,
    Json,
    LoopbackChatGPT,
    Text,
    Usage,
    function_call,
    message,
    usage_limit_reached,
)
from tests.clients.asking import Program
from tests.clients.seen import only, outputs, tools

if not os.environ.get("CLIENT_ENVIRONMENTS"):
    pytest.skip("they need environments of their own: scripts/test_clients.sh", allow_module_level=True)

LITELLM = pytest.mark.parametrize("client", ["litellm"], indirect=True)
PYDANTIC_AI = pytest.mark.parametrize("client", ["pydantic-ai"], indirect=True)
APIS = pytest.mark.parametrize("api", ["chat", "responses"])

EVENT = {"name": "science fair", "date": "Friday", "participants": ["Alice", "Bob"]}
LONDON = {"city": "London", "country": "United Kingdom"}
CALLS = [
    function_call("get_weather", {"location": "Paris"}, "call_paris"),
    function_call("get_weather", {"location": "Bogotá"}, "call_bogota"),
]
OUTPUTS = {
    "call_paris": {"location": "Paris", "temperature": 14},
    "call_bogota": {"location": "Bogotá", "temperature": 14},
}


@LITELLM
def test_litellm_gets_a_value_that_fits(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json(EVENT, usage=Usage(input_tokens=120, output_tokens=30)))
    assert client("structured") == {"value": EVENT, "tokens": 150}
    assert list(only(chatgpt).schema["properties"]) == ["name", "date", "participants"]


@LITELLM
def test_litellm_streams(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("This is a test", chunks=3))
    assert client("streamed") == "This is a test"


@LITELLM
def test_litellm_goes_round_the_tool_loop(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([message("Let me look.", "commentary"), *CALLS]), Text("14 °C in both."))
    assert client("tools") == "14 °C in both."
    first, second = chatgpt.model_requests
    assert list(tools(first)) == ["get_weather"]
    assert outputs(second) == OUTPUTS


@LITELLM
def test_litellm_says_that_the_plan_is_used_up(client: Program, chatgpt: LoopbackChatGPT) -> None:
    # Asked again, the stand-in would have answered.
    chatgpt.script(usage_limit_reached())
    assert client("refused") == 429
    assert only(chatgpt)


@PYDANTIC_AI
@APIS
@pytest.mark.parametrize("scenario", ["structured", "native"])
def test_pydantic_ai_gets_a_value_that_fits(client: Program, chatgpt: LoopbackChatGPT, api: str, scenario: str) -> None:
    usage = Usage(input_tokens=120, output_tokens=30)
    if scenario == "structured":
        # It makes a tool of the class, and has it called.
        chatgpt.script(Items([function_call("final_result", LONDON, "call_1")], usage=usage))
        assert client(scenario, api=api) == {"value": LONDON, "tokens": 150}
        assert list(tools(only(chatgpt))) == ["final_result"]
    else:
        chatgpt.script(Json(LONDON))
        assert client(scenario, api=api) == LONDON
        assert list(only(chatgpt).schema["properties"]) == ["city", "country"]


@PYDANTIC_AI
@APIS
def test_pydantic_ai_goes_round_the_tool_loop(client: Program, chatgpt: LoopbackChatGPT, api: str) -> None:
    chatgpt.script(Items([message("Let me look.", "commentary"), *CALLS]), Text("14 °C in both."))
    assert client("tools", api=api) == {"text": "14 °C in both.", "asked": ["Bogotá", "Paris"]}
    assert outputs(chatgpt.model_requests[1]) == OUTPUTS


@PYDANTIC_AI
@APIS
def test_pydantic_ai_streams(client: Program, chatgpt: LoopbackChatGPT, api: str) -> None:
    chatgpt.script(Text("This is a test", chunks=3))
    assert "".join(client("streamed", api=api)) == "This is a test"
