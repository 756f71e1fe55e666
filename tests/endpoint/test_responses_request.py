"""What a request to `/v1/responses` asks for, read from its JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.endpoint.responses_request import RESPONSES, read_request
from codex_oauth.items import checked_items, checked_tools

PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mP8/x8AAwMCAO+ip1sAAAAASUVORK5CYII="
)
SCHEMA: Final = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}
TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {}},
}
OTHER: Final[dict[str, Any]] = {**TOOL, "name": "clock", "description": "The time"}
CALL: Final = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
RESULT: Final = {"type": "function_call_output", "call_id": "c1", "output": "18C"}
HELLO: Final = {"role": "user", "content": "Hello"}


def read(**members: Any) -> Asked:
    asked = read_request({"model": "m", "input": "Hello", **members})
    # What it comes down to is what codex takes.
    assert [dict(item) for item in checked_items(asked.items)]
    assert len(checked_tools(asked.tools)) == len(asked.tools)
    return asked


def refusal(**members: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(**members)
    assert caught.value.status == 400
    return caught.value


def message(role: str, text: str, kind: str = "input_text") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


USER: Final = message("user", "Hello")

INPUTS: Final[dict[str, tuple[Any, str | None, list[dict[str, Any]]]]] = {
    "text": ("Hello", None, [USER]),
    "an easy message": ([HELLO], None, [USER]),
    "parts": ([{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}], None, [USER]),
    "a system message first": ([{"role": "system", "content": "Be kind"}, HELLO], "Be kind", [USER]),
    "a developer message first": ([{"role": "developer", "content": "Be kind"}, HELLO], "Be kind", [USER]),
    "a system message alone": ([{"role": "system", "content": "Go"}], None, [message("developer", "Go")]),
    "a system message later": (
        [HELLO, {"role": "system", "content": "Be kind"}],
        None,
        [USER, message("developer", "Be kind")],
    ),
    "an assistant's text": (
        [{"role": "assistant", "content": "Hi"}, HELLO],
        None,
        [message("assistant", "Hi", "output_text"), USER],
    ),
    "an output message as it came, with its phase": (
        [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "phase": "commentary",
                "content": [{"type": "output_text", "text": "Hm", "annotations": [], "logprobs": [], "parsed": None}],
            },
            HELLO,
        ],
        None,
        [{**message("assistant", "Hm", "output_text"), "phase": "commentary"}, USER],
    ),
    "a refusal": (
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, HELLO],
        None,
        [message("assistant", "No.", "output_text"), USER],
    ),
    "an answer that was cut off before its first word": ([{"role": "assistant", "content": []}, HELLO], None, [USER]),
    "a call and its output": (
        [HELLO, {**CALL, "id": "fc_1", "status": "completed"}, {**RESULT, "id": None}],
        None,
        [USER, CALL, RESULT],
    ),
    "an output in parts": (
        [HELLO, CALL, {**RESULT, "output": [{"type": "input_image", "image_url": PIXEL}]}],
        None,
        [USER, CALL, {**RESULT, "output": [{"type": "input_image", "image_url": PIXEL}]}],
    ),
    "encrypted reasoning": (
        [HELLO, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"}, CALL, RESULT],
        None,
        [USER, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"}, CALL, RESULT],
    ),
    "an image": (
        [{"role": "user", "content": [{"type": "input_image", "image_url": PIXEL, "detail": "auto"}]}],
        None,
        [{"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": PIXEL}]}],
    ),
}


@pytest.mark.parametrize("case", INPUTS)
def test_an_input_is_written_out(case: str) -> None:
    given, instructions, items = INPUTS[case]
    asked = read(input=given)
    assert (asked.instructions, [dict(item) for item in asked.items]) == (instructions, items)
    assert asked.ignored == ()


def test_instructions_stay_before_a_developer_message_of_the_input() -> None:
    asked = read(instructions="First", input=[{"role": "developer", "content": "Second"}, HELLO])
    assert asked.instructions == "First"
    assert [item["role"] for item in asked.items] == ["developer", "user"]
    assert asked.echo["instructions"] == "First"
    assert read(input=[{"role": "developer", "content": "Second"}, HELLO]).echo["instructions"] is None


REFUSED: Final[dict[str, tuple[dict[str, Any], str | None, str | None, str]]] = {
    # case: the members, the parameter named, the code, what the message says
    "no input": ({"input": None}, "input", "missing_required_parameter", "missing"),
    "a number for an input": ({"input": 3}, "input", "invalid_type", "list of items"),
    "an empty input": ({"input": []}, "input", "invalid_value", "nothing"),
    "an item that is text": ({"input": ["Hello"]}, "input[0]", "invalid_type", "object"),
    "an unknown role": ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value", "user"),
    "no content": ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter", "text"),
    "an empty message": ({"input": [HELLO, {"role": "user", "content": []}]}, "input[1].content", None, "empty"),
    "a file": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        "input[0].content[0].type",
        "unsupported_value",
        "'input_file'",
    ),
    "an image by its address": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.org/a.png"}]}]},
        "input[0].content[0].image_url",
        "invalid_image_url",
        "data URL",
    ),
    "an image by a file's id": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]},
        "input[0].content[0].image_url",
        "invalid_image_url",
        "no files",
    ),
    "an image that is none": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,QUJD"}]}]},
        "input[0].content[0].image_url",
        "invalid_image_url",
        "PNG",
    ),
    "a summary that is none": (
        {"input": [HELLO, {"type": "reasoning", "summary": [{"type": "bogus"}], "encrypted_content": "x"}]},
        "input[1].summary[0].type",
        "unsupported_value",
        "summary_text",
    ),
    "an image in a system message": (
        {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": PIXEL}]}]},
        "input[0].content[0].type",
        None,
        "input_text",
    ),
    "a chat's part": (
        {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        "input[0].content[0].type",
        None,
        "not 'text'",
    ),
    "a stored item": ({"input": [HELLO, {"id": "msg_1"}]}, "input[1]", "unsupported_value", "nothing is stored"),
    "a reference": ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]", None, "nothing is stored"),
    "a search": ({"input": [{"type": "web_search_call"}]}, "input[0].type", "unsupported_value", "'web_search_call'"),
    "a call without its output": ({"input": [HELLO, CALL]}, "input[1]", None, "no function_call_output"),
    "an output without its call": ({"input": [HELLO, RESULT]}, "input[1]", None, "nothing is stored"),
    "two calls of one id": ({"input": [HELLO, CALL, CALL, RESULT]}, "input[2].call_id", None, "input[1]"),
    "arguments that are no text": ({"input": [{**CALL, "arguments": {}}]}, "input[0].arguments", None, "text"),
    "an earlier response": ({"previous_response_id": "resp_1"}, "previous_response_id", None, "send the earlier items"),
    "a conversation": ({"conversation": "conv_1"}, "conversation", "unsupported_parameter", "send the earlier items"),
    "a prompt of a store": ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter", "nothing is kept"),
    "the background": ({"background": True}, "background", "unsupported_value", "as a stream"),
    "probabilities": ({"top_logprobs": 3}, "top_logprobs", "unsupported_value", "does not tell"),
    "probabilities by include": ({"include": ["message.output_text.logprobs"]}, "include", None, "does not tell"),
    "an unknown parameter": ({"n": 2}, "n", "unknown_parameter", "unknown"),
    "no tools to choose from": ({"tool_choice": "required"}, "tool_choice", "invalid_value", "no tools"),
    "a tool of OpenAI's": ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_value", "'web_search'"),
    "a tool without a name": ({"tools": [{"type": "function"}]}, "tools[0].name", None, "missing"),
    "a tool with a strange name": ({"tools": [{**TOOL, "name": "a.b"}]}, "tools[0].name", "invalid_value", "letters"),
    "two tools of one name": ({"tools": [TOOL, TOOL]}, "tools[1].name", "invalid_value", "another"),
    "another tool than given": (
        {"tools": [TOOL], "tool_choice": {"type": "function", "name": "clock"}},
        "tool_choice",
        "invalid_value",
        "names of the tools",
    ),
    "a format without a schema": (
        {"text": {"format": {"type": "json_schema", "name": "x"}}},
        "text.format.schema",
        "invalid_type",
        "object",
    ),
    "a format that nobody knows": ({"text": {"format": {"type": "grammar"}}}, "text.format.type", None, "json_object"),
    "a schema that cannot be kept": (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"$ref": "#/nowhere"}}}},
        "text.format.schema",
        "invalid_json_schema",
        "text.format.schema",
    ),
    "JSON that nobody told the model of": ({"text": {"format": {"type": "json_object"}}}, "input", None, "word JSON"),
    "a limit of nothing": ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value", "at least 1"),
    "a limit that is true": ({"max_output_tokens": True}, "max_output_tokens", "invalid_value", "whole number"),
    "metadata of numbers": ({"metadata": {"a": 1}}, "metadata", "invalid_type", "text values"),
    "half a surrogate pair": ({"metadata": {"a": "\ud800"}}, None, "invalid_value", "surrogate"),
    "a stream that is text": ({"stream": "yes"}, "stream", "invalid_type", "true or false"),
    "an effort that is a number": ({"reasoning": {"effort": 3}}, "reasoning.effort", "invalid_type", "text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused_by_its_place(case: str) -> None:
    members, param, code, words = REFUSED[case]
    error = refusal(**members)
    assert error.param == param
    assert code is None or error.code == code
    assert words in error.message


IGNORED: Final[list[tuple[dict[str, Any], tuple[str, ...]]]] = [
    ({"temperature": 0.2, "top_p": 1}, ("temperature",)),
    ({"store": True, "truncation": "auto"}, ("truncation", "store")),
    ({"store": False, "truncation": "disabled", "background": False, "top_logprobs": 0}, ()),
    ({"reasoning": {"effort": "high", "summary": "auto"}}, ("reasoning.summary",)),
    ({"text": {"verbosity": "low"}}, ("text.verbosity",)),
    ({"tools": [{**TOOL, "strict": True}]}, ("tools.strict",)),
    ({"tools": [{**TOOL, "strict": False}], "include": ["reasoning.encrypted_content"]}, ()),
    ({"input": [HELLO, {"type": "reasoning", "id": "rs_1", "summary": []}]}, ("input.reasoning",)),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PIXEL, "detail": "low"}]}]},
        ("input.input_image.detail",),
    ),
    ({"previous_response_id": None, "conversation": None, "metadata": None, "tools": None, "text": None}, ()),
]


@pytest.mark.parametrize(("members", "ignored"), IGNORED)
def test_what_has_no_effect_is_named(members: dict[str, Any], ignored: tuple[str, ...]) -> None:
    assert read(**members).ignored == ignored


@pytest.mark.parametrize(
    ("choice", "expected", "names"),
    [
        (None, "auto", ["weather", "clock"]),
        ("none", "none", ["weather", "clock"]),
        ("required", "required", ["weather", "clock"]),
        ({"type": "function", "name": "clock"}, ("function", "clock"), ["weather", "clock"]),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "clock"}]},
            "required",
            ["clock"],
        ),
    ],
)
def test_a_tool_choice_is_understood_and_repeated(choice: Any, expected: Any, names: list[str]) -> None:
    asked = read(tools=[TOOL, OTHER], tool_choice=choice)
    assert asked.tool_choice == expected
    assert [tool["name"] for tool in asked.tools] == names
    assert asked.echo["tool_choice"] == (choice or "auto")
    assert [tool["name"] for tool in asked.echo["tools"]] == ["weather", "clock"]


def test_a_schema_keeps_the_order_of_its_properties() -> None:
    form = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": False}
    asked = read(text={"format": form}, max_output_tokens=50, reasoning={"effort": "minimal"}, stream=True)
    assert asked.schema is not None
    assert list(asked.schema["properties"]) == ["b", "a"]
    assert (asked.max_output_tokens, asked.effort, asked.stream) == (50, "minimal", True)


def test_json_of_any_shape_is_asked_for_where_the_model_is_told_so() -> None:
    asked = read(text={"format": {"type": "json_object"}}, instructions="Answer in json.")
    assert asked.json_object
    assert asked.schema is None


def test_no_content_is_in_the_repr_of_what_is_asked() -> None:
    asked = read(
        input=[{"role": "user", "content": "TOPSECRET"}], instructions="TOPSECRET", metadata={"a": "TOPSECRET"}
    )
    assert "TOPSECRET" not in repr(asked)


def test_every_parameter_that_the_client_can_send_is_known() -> None:
    from openai.types.responses.response_create_params import (
        ResponseCreateParamsNonStreaming,
        ResponseCreateParamsStreaming,
    )

    sent = {**ResponseCreateParamsNonStreaming.__annotations__, **ResponseCreateParamsStreaming.__annotations__}
    assert set(sent) - {parameter.name for parameter in RESPONSES} == set()


def test_the_page_about_responses_names_what_is_ignored_and_refused() -> None:
    text = (Path(__file__).parents[2] / "docs/endpoint-responses.md").read_text(encoding="utf-8")
    ignored, refused = text.split("| ignored |")[1].split("| refused |")
    for parameter in RESPONSES:
        if parameter.treatment != "used":
            assert f"`{parameter.name}`" in (ignored if parameter.treatment == "ignored" else refused), parameter.name
