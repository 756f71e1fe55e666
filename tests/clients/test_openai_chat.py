"""The real `openai` clients on `/v1/chat/completions`, each scenario as OpenAI's own documentation has it."""

from __future__ import annotations

import json

import pytest

from codex_oauth.testing import Items, Json, LoopbackChatGPT, Text, Usage, function_call, message, reasoning
from tests.clients.asking import Program
from tests.clients.environments import EVERY, PYTHON
from tests.clients.seen import images, only, outputs, said, tools

IN_EACH = pytest.mark.parametrize("client", EVERY, indirect=True)
IN_PYTHON = pytest.mark.parametrize("client", PYTHON, indirect=True)

EVENT = {"name": "science fair", "date": "Friday", "participants": ["Alice", "Bob"]}
PARIS = function_call("get_weather", {"location": "Paris, France"}, "call_paris")
BOGOTA = function_call("get_weather", {"location": "Bogotá, Colombia"}, "call_bogota")
USAGE = Usage(input_tokens=120, cached_input_tokens=64, output_tokens=30, reasoning_output_tokens=8)


@IN_EACH
def test_models_are_listed_and_one_is_found_by_its_id(client: Program, chatgpt: LoopbackChatGPT) -> None:
    found = client("models")
    assert found["ids"]
    assert found["one"]["id"] == found["ids"][-1]
    assert found["one"]["object"] == "model"
    assert chatgpt.model_requests == ()


@IN_EACH
def test_a_question_is_answered_with_its_tokens(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("Arr! isinstance, matey.", usage=USAGE))
    answer = client("chat")
    assert answer["text"] == "Arr! isinstance, matey."
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["model"] == answer["asked"] == only(chatgpt).model
    usage = answer["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (120, 30, 150)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 64
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 8
    assert said(only(chatgpt)) == [
        ("developer", "Talk like a pirate."),
        ("user", "How do I check if a Python object is an instance of a class?"),
    ]


@IN_EACH
def test_a_stream_brings_the_text_in_pieces_and_the_tokens_last(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("double bubble bath", chunks=3, usage=USAGE))
    stream = client("chat_stream")
    assert len(stream["pieces"]) == 3
    assert "".join(stream["pieces"]) == "double bubble bath"
    assert stream["first"]["object"] == "chat.completion.chunk"
    assert stream["first"]["choices"][0]["delta"]["role"] == "assistant"
    assert stream["finish"] == "stop"
    assert stream["usage"]["total_tokens"] == 150
    assert stream["ids"] == 1


@IN_EACH
def test_the_helper_for_streams_puts_the_completion_together(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("This is a test", chunks=3))
    stream = client("chat_stream_helper")
    assert stream["choices"][0]["message"]["content"] == "This is a test"
    assert stream["types"].count("content.delta") >= 3
    assert stream["types"][-1] == "content.done"


@IN_EACH
@pytest.mark.parametrize("scenario", ["chat_parsed", "chat_parsed_from_a_stream"])
def test_a_value_of_the_callers_class_comes_back(client: Program, chatgpt: LoopbackChatGPT, scenario: str) -> None:
    chatgpt.script(Json(EVENT))
    parsed = client(scenario)
    assert parsed["kind"] == "CalendarEvent"
    assert parsed["value"] == EVENT
    assert parsed.get("partial", EVENT) == EVENT
    assert list(only(chatgpt).schema["properties"]) == ["name", "date", "participants"]


@IN_EACH
def test_a_json_schema_is_kept(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"why": "7 * 13", "prime": False}))
    assert json.loads(client("chat_schema")) == {"why": "7 * 13", "prime": False}
    assert list(only(chatgpt).schema["properties"]) == ["why", "prime"]


@IN_EACH
def test_json_mode_gives_an_object(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"winner": "Los Angeles Dodgers"}))
    assert client("chat_json") == {"winner": "Los Angeles Dodgers"}


@IN_EACH
def test_the_tool_loop_ends_with_the_text(client: Program, chatgpt: LoopbackChatGPT) -> None:
    said = [reasoning("Two cities.", "sealed"), message("Let me look.", "commentary")]
    chatgpt.script(Items([*said, PARIS, BOGOTA]), Text("14 °C in both."))
    loop = client("chat_tools")
    assert loop == {"text": "14 °C in both.", "finishes": ["tool_calls", "stop"]}
    first, second = chatgpt.model_requests
    assert list(tools(first)) == ["get_weather"]
    assert outputs(second) == {
        "call_paris": {"location": "Paris, France", "temperature": 14},
        "call_bogota": {"location": "Bogotá, Colombia", "temperature": 14},
    }


@IN_EACH
def test_calls_are_put_together_from_a_stream(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([PARIS, BOGOTA]))
    stream = client("chat_stream_of_calls")
    assert [(call["id"], call["name"]) for call in stream["calls"]] == [
        ("call_paris", "get_weather"),
        ("call_bogota", "get_weather"),
    ]
    assert [json.loads(call["arguments"])["location"] for call in stream["calls"]] == [
        "Paris, France",
        "Bogotá, Colombia",
    ]
    assert stream["finish"] == "tool_calls"


@IN_PYTHON
def test_a_pydantic_model_is_a_functions_parameters(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([function_call("GetWeather", {"location": "Paris"}, "call_1")]))
    assert client("chat_function_parsed") == {
        "name": "GetWeather",
        "kind": "GetWeather",
        "value": {"location": "Paris"},
    }


@IN_EACH
def test_a_picture_reaches_the_model(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("A red dot."))
    answer = client("chat_image")
    assert answer["text"] == "A red dot."
    assert images(only(chatgpt)) == [answer["sent"]]


@IN_PYTHON
def test_the_head_tells_what_had_no_effect_and_who_pays(client: Program, chatgpt: LoopbackChatGPT) -> None:
    answer = client("chat_headers")
    headers = answer["headers"]
    assert headers["x-codex-oauth-ignored"] == "temperature, seed"
    assert headers["x-codex-oauth-account"] == "chatgpt plus"
    assert answer["id"] == f"chatcmpl-{headers['x-request-id']}"


@IN_EACH
def test_an_answer_that_is_cut_off_says_so(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(*[Text("word " * 200, chunks=100)] * 2)
    answer = client("chat_length")
    assert answer["finish"] == "length"
    assert 0 < len(answer["text"]) < 500
    assert answer["parse refused"]


@IN_EACH
def test_many_are_asked_at_once(client: Program, chatgpt: LoopbackChatGPT) -> None:
    assert client("chat_at_once") == ["You said: one", "You said: two", "You said: three"]
    assert len(chatgpt.model_requests) == 3
