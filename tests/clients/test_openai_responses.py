"""The real `openai` clients on `/v1/responses`, each scenario as OpenAI's own documentation has it. The oldest client
has no responses."""

from __future__ import annotations

import pytest

from codex_oauth.testing import Items, Json, LoopbackChatGPT, Text, Usage, function_call, message, reasoning
from tests.clients.asking import Program
from tests.clients.environments import EVERY, OLDEST, PYTHON
from tests.clients.seen import images, kinds, only, outputs, said, tools

IN_EACH = pytest.mark.parametrize("client", [client for client in EVERY if client != OLDEST], indirect=True)
IN_PYTHON = pytest.mark.parametrize("client", [client for client in PYTHON if client != OLDEST], indirect=True)

EVENT = {"name": "science fair", "date": "Friday", "participants": ["Alice", "Bob"]}
PARIS = function_call("get_weather", {"location": "Paris, France"}, "call_paris")
BOGOTA = function_call("get_weather", {"location": "Bogotá, Colombia"}, "call_bogota")
USAGE = Usage(input_tokens=120, cached_input_tokens=64, output_tokens=30, reasoning_output_tokens=8)
MESSAGE = [
    "response.output_item.added",
    "response.content_part.added",
    *["response.output_text.delta"] * 3,
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]


@IN_EACH
def test_a_question_is_answered_with_its_tokens(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([reasoning("Hm.", "sealed"), message("Arr! They be.")], usage=USAGE))
    answer = client("respond")
    assert answer["text"] == "Arr! They be."
    assert answer["object"] == "response"
    assert answer["status"] == "completed"
    assert answer["model"] == answer["asked"] == only(chatgpt).model
    assert [item["type"] for item in answer["output"]] == ["reasoning", "message"]
    usage = answer["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (120, 30, 150)
    assert usage["input_tokens_details"]["cached_tokens"] == 64
    assert usage["output_tokens_details"]["reasoning_tokens"] == 8
    assert said(only(chatgpt)) == [
        ("developer", "Talk like a pirate."),
        ("user", "Are semicolons optional in JavaScript?"),
    ]


@IN_PYTHON
def test_what_was_said_before_comes_along(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("Orange who?"))
    assert client("respond_roles") == "Orange who?"
    assert said(only(chatgpt)) == [
        ("developer", "Talk like a pirate."),
        ("user", "knock knock."),
        ("assistant", "Who's there?"),
        ("user", "Orange."),
    ]


@IN_EACH
def test_a_stream_has_openais_events_in_their_order(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("double bubble bath", chunks=3, usage=USAGE))
    stream = client("respond_stream")
    assert stream["types"] == ["response.created", "response.in_progress", *MESSAGE, "response.completed"]
    assert stream["text"] == "double bubble bath"
    assert stream["numbers"] == list(range(len(stream["types"])))
    assert stream["last"]["status"] == "completed"
    assert stream["last"]["usage"]["total_tokens"] == 150


@IN_EACH
def test_the_helper_for_streams_puts_the_response_together(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("This is a test", chunks=3))
    stream = client("respond_stream_helper")
    assert (stream["text"], stream["status"]) == ("This is a test", "completed")
    assert stream["types"].count("response.output_text.delta") == 3


@IN_EACH
@pytest.mark.parametrize("scenario", ["respond_parsed", "respond_parsed_from_a_stream"])
def test_a_value_of_the_callers_class_comes_back(client: Program, chatgpt: LoopbackChatGPT, scenario: str) -> None:
    chatgpt.script(Json(EVENT))
    assert client(scenario) == {"kind": "CalendarEvent", "value": EVENT}
    assert list(only(chatgpt).schema["properties"]) == ["name", "date", "participants"]


@IN_EACH
def test_the_tool_loop_gives_back_what_the_model_put_out(client: Program, chatgpt: LoopbackChatGPT) -> None:
    thoughts = [reasoning("Two cities.", "sealed"), message("Let me look.", "commentary")]
    chatgpt.script(Items([*thoughts, PARIS, BOGOTA]), Text("14 °C in both."))
    loop = client("respond_tools")
    assert loop["text"] == "14 °C in both."
    assert loop["kinds"] == [["reasoning", "message", "function_call", "function_call"], ["message"]]
    first, second = chatgpt.model_requests
    assert list(tools(first)) == ["get_weather"]
    assert kinds(second) == [
        *("message", "reasoning", "message", "function_call", "function_call"),
        *("function_call_output", "function_call_output"),
    ]
    sealed = next(item for item in second.context if item["type"] == "reasoning")
    assert sealed["encrypted_content"] == "sealed"
    assert outputs(second) == {
        "call_paris": {"location": "Paris, France", "temperature": 14},
        "call_bogota": {"location": "Bogotá, Colombia", "temperature": 14},
    }


@IN_PYTHON
def test_the_tool_loop_runs_on_streams(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Items([reasoning("One city.", "sealed"), PARIS]), Text("14 °C.", chunks=3))
    loop = client("respond_tools_from_a_stream")
    assert loop["text"] == "14 °C."
    assert "response.function_call_arguments.done" in loop["types"]
    assert outputs(chatgpt.model_requests[1]) == {"call_paris": {"location": "Paris, France", "temperature": 14}}


@IN_EACH
def test_a_picture_reaches_the_model(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("A red dot."))
    answer = client("respond_image")
    assert answer["text"] == "A red dot."
    assert images(only(chatgpt)) == [answer["sent"]]


@IN_EACH
def test_an_answer_that_is_cut_off_says_so(client: Program, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("word " * 200, chunks=100))
    answer = client("respond_length")
    assert (answer["status"], answer["reason"]) == ("incomplete", "max_output_tokens")
    assert 0 < len(answer["text"]) < 500


@IN_PYTHON
def test_an_answer_and_a_stream_are_asked_for_at_once(client: Program, chatgpt: LoopbackChatGPT) -> None:
    assert client("respond_async") == ["You said: one", "You said: two"]
    assert len(chatgpt.model_requests) == 2
