"""What a chat completion's request is read as, and what is refused, with its place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.endpoint.chat import read_request
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.items import checked_items, checked_tools
from tests.endpoint.served import chat

TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "18C"}
SYSTEM: dict[str, Any] = {"role": "system", "content": "S"}
JSON_OBJECT: dict[str, Any] = {"type": "json_object"}


def message(role: str, text: str) -> dict[str, Any]:
    """An item."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def schema_format(**members: Any) -> dict[str, Any]:
    """A response format with a schema."""
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, **members}}


def test_a_simple_request_is_instructions_and_one_message() -> None:
    asked = read_request(chat(SYSTEM, "hi"))
    assert asked.instructions == "S"
    assert asked.items == (message("user", "hi"),)
    assert (asked.tools, asked.schema, asked.json_object, asked.effort, asked.ignored) == ((), None, False, None, ())
    assert (asked.stream, asked.include_usage, asked.max_output_tokens, asked.tool_choice) == (
        False,
        False,
        None,
        "auto",
    )


MESSAGES: list[tuple[list[Any], str | None, list[Any]]] = [
    (["hi"], None, [message("user", "hi")]),
    ([{"role": "developer", "content": "D"}, "hi"], "D", [message("user", "hi")]),
    # Parts of instructions are lines.
    (
        [{"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "hi"],
        "a\nb",
        [message("user", "hi")],
    ),
    # Where there is nothing else, the model is told it, and answers.
    ([SYSTEM], None, [message("developer", "S")]),
    ([{"role": "system", "content": ""}, "hi"], None, [message("user", "hi")]),
    (
        [SYSTEM, SYSTEM, "hi", SYSTEM],
        "S",
        [message("developer", "S"), message("user", "hi"), message("developer", "S")],
    ),
    (
        ["hi", {"role": "assistant", "content": "yes", "refusal": None, "annotations": []}, "and?"],
        None,
        [message("user", "hi"), message("assistant", "yes"), message("user", "and?")],
    ),
    (
        ["hi", {"role": "assistant", "content": None, "refusal": "No."}, "and?"],
        None,
        [message("user", "hi"), message("assistant", "No."), message("user", "and?")],
    ),
    (
        ["hi", {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, "and?"],
        None,
        [message("user", "hi"), message("assistant", "No."), message("user", "and?")],
    ),
    (
        ["hi", {**CALLING, "content": ""}, RESULT],
        None,
        [
            message("user", "hi"),
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "18C"},
        ],
    ),
    # A client that counts its calls anew in each message.
    (
        ["hi", CALLING, RESULT, CALLING, {**RESULT, "content": None}],
        None,
        [
            message("user", "hi"),
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "18C"},
            {"type": "function_call", "call_id": "c1_2", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1_2", "output": ""},
        ],
    ),
    # As it was before there were tools.
    (
        [
            "hi",
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "18C"},
        ],
        None,
        [
            message("user", "hi"),
            {"type": "function_call", "call_id": "f", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "f", "output": "18C"},
        ],
    ),
]


@pytest.mark.parametrize(("messages", "instructions", "items"), MESSAGES)
def test_messages_become_items_that_codex_takes(
    messages: list[Any], instructions: str | None, items: list[Any]
) -> None:
    asked = read_request(chat(*messages))
    assert asked.instructions == instructions
    assert list(asked.items) == items
    assert checked_items(asked.items)


READ: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"response_format": {"type": "text"}}, {"schema": None, "json_object": False}),
    ({"response_format": schema_format(strict=True)}, {"schema": {"type": "object"}}),
    (
        {"response_format": schema_format(description="d")},
        {"ignored": ("response_format.json_schema.description",)},
    ),
    ({"max_tokens": 5}, {"max_output_tokens": 5}),
    ({"max_completion_tokens": 5}, {"max_output_tokens": 5}),
    ({"reasoning_effort": "minimal"}, {"effort": "minimal"}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True, "include_usage": True}),
    ({"stream": None, "temperature": None, "tools": None, "n": None}, {"stream": False, "ignored": ()}),
    ({"tools": [TOOL]}, {"tools": ({"name": "f", "description": "", "inputSchema": {"type": "object"}},)}),
    ({"tools": [TOOL], "tool_choice": "required"}, {"tool_choice": "required"}),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": ("function", "f")},
    ),
    ({"tool_choice": "none"}, {"tool_choice": "none"}),
    ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ({"temperature": 0.2, "seed": 1, "service_tier": "flex"}, {"ignored": ("temperature", "seed", "service_tier")}),
    ({"temperature": 1.0, "top_p": 1, "frequency_penalty": 0.0, "service_tier": "auto"}, {"ignored": ()}),
    ({"n": 1, "stop": [], "logprobs": False, "logit_bias": {}, "modalities": ["text"]}, {"ignored": ()}),
]


@pytest.mark.parametrize(("parameters", "expected"), READ)
def test_parameters_are_read(parameters: dict[str, Any], expected: dict[str, Any]) -> None:
    asked = read_request(chat("hi", **parameters))
    assert {name: getattr(asked, name) for name in expected} == expected
    assert checked_tools(asked.tools) is not None


REFUSED: list[tuple[dict[str, Any], str | None, str]] = [
    ({"n": 2}, "unsupported_value", "n"),
    ({"n": True}, "unsupported_value", "n"),
    ({"logprobs": True}, "unsupported_value", "logprobs"),
    ({"top_logprobs": 3}, "unsupported_value", "top_logprobs"),
    ({"logit_bias": {"1": 2}}, "unsupported_value", "logit_bias"),
    ({"stop": "\n"}, "unsupported_value", "stop"),
    ({"modalities": ["text", "audio"]}, "unsupported_value", "modalities"),
    ({"audio": {"voice": "x"}}, "unsupported_parameter", "audio"),
    ({"prediction": {"type": "content"}}, "unsupported_parameter", "prediction"),
    ({"web_search_options": {}}, "unsupported_parameter", "web_search_options"),
    ({"functions": [{"name": "f"}]}, "unsupported_parameter", "functions"),
    ({"nonsense": 1}, "unknown_parameter", "nonsense"),
    ({"stream": "yes"}, "invalid_type", "stream"),
    ({"stream_options": {"include_usage": True}}, None, "stream_options"),
    ({"stream": True, "stream_options": {"x": 1}}, "unknown_parameter", "stream_options"),
    ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, None, "max_tokens"),
    ({"model": 5}, "invalid_type", "model"),
    ({"reasoning_effort": 1}, "invalid_type", "reasoning_effort"),
    ({"response_format": JSON_OBJECT}, None, "messages"),
    ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "invalid_value", "response_format.json_schema.name"),
    ({"response_format": schema_format(schema=None)}, None, "response_format.json_schema.schema"),
    (
        {"response_format": schema_format(schema={"type": "x"})},
        "invalid_json_schema",
        "response_format.json_schema",
    ),
    ({"response_format": schema_format(name="a b")}, "invalid_value", "response_format.json_schema.name"),
    ({"tools": {}}, "invalid_type", "tools"),
    ({"tools": [{"type": "custom", "custom": {}}]}, "unsupported_value", "tools[0].type"),
    ({"tools": [{"type": "function", "function": {"name": "a.b"}}]}, "invalid_value", "tools[0].function.name"),
    ({"tools": [TOOL, TOOL]}, None, "tools[1].function.name"),
    ({"tool_choice": "required"}, None, "tool_choice"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        None,
        "tool_choice.function.name",
    ),
    ({"tools": [TOOL], "tool_choice": "any"}, "invalid_value", "tool_choice"),
]


@pytest.mark.parametrize(("parameters", "code", "param"), REFUSED)
def test_what_the_plan_cannot_do_is_refused_with_its_place(
    parameters: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(ApiError) as caught:
        read_request(chat("hi", **parameters))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)
    assert caught.value.type == "invalid_request_error"


WRONG: list[tuple[list[Any], str]] = [
    ([], "messages"),
    ([5], "messages[0]"),
    ([{"role": "robot", "content": "x"}], "messages[0].role"),
    ([{"role": "user"}], "messages[0].content"),
    ([{"role": "user", "content": []}], "messages[0].content"),
    ([{"role": "user", "content": "x", "mood": 1}], "messages[0].mood"),
    ([{"role": "user", "content": [{"type": "input_audio"}]}], "messages[0].content[0].type"),
    ([{"role": "user", "content": [{"type": "file"}]}], "messages[0].content[0].type"),
    ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
    (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]}],
        "messages[0].content[0].image_url.url",
    ),
    (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}],
        "messages[0].content[0].image_url.url",
    ),
    (
        [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}],
        "messages[0].content[0].type",
    ),
    (["hi", {"role": "assistant", "content": None}], "messages[1].content"),
    (["hi", {"role": "assistant", "content": "x", "audio": {"id": "a"}}], "messages[1].audio"),
    (["hi", RESULT], "messages[1].tool_call_id"),
    (["hi", CALLING, RESULT, RESULT], "messages[3].tool_call_id"),
    (["hi", CALLING], "messages[1].tool_calls"),
    (["hi", CALLING, "and?"], "messages[1].tool_calls"),
    (["hi", {**CALLING, "tool_calls": [CALL, CALL]}], "messages[1].tool_calls[1]"),
    (["hi", {**CALLING, "tool_calls": [{"id": "c1", "type": "custom"}]}], "messages[1].tool_calls[0].type"),
    (["hi", {**CALLING, "tool_calls": [{**CALL, "id": ""}]}], "messages[1].tool_calls[0]"),
    (
        ["hi", {**CALLING, "tool_calls": [{"id": "c1", "function": {"name": "f"}}]}],
        "messages[1].tool_calls[0].function.arguments",
    ),
]


@pytest.mark.parametrize(("messages", "param"), WRONG)
def test_a_message_that_is_none_is_refused_with_its_place(messages: list[Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_request(chat(*messages))
    assert (caught.value.status, caught.value.param) == (400, param)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["user", "tool", "f", "c1", "data:"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "function",
                    "name",
                    "tool_calls",
                    "id",
                    "image_url",
                    "url",
                    "schema",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["model", "messages", "tools", "tool_choice", "response_format", "stream_options", "n", "stop"]
        ),
        ANYTHING,
    )
)
def test_whatever_is_sent_is_read_or_refused(body: dict[str, Any]) -> None:
    # Anything else than a refusal would be answered with 500.
    with suppress(ApiError):
        assert read_request(body).items
