"""What a record holds: everything that was said, and nothing that is a secret, an image, or somebody else's."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from codex_oauth.recorder.record import line_of, record_of
from codex_oauth.records import replace
from codex_oauth.types import Usage
from tests.recorder.samples import ACCOUNT, RESPONSE, VALIDATOR, call, output, said, tool_loop
from tests.secrets_shapes import SHAPES

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n not much of an image").decode()
IMAGE = f"data:image/png;base64,{PIXEL}"


def test_a_record_is_the_response_in_the_form_of_its_schema() -> None:
    record = record_of(RESPONSE, label="complete", codex_version="0.163.0", project="mine")
    VALIDATOR.validate(record)
    version = record.pop("package_version")
    assert isinstance(version, str)
    assert record == {
        "version": 1,
        "time": "2025-10-09T08:53:21.500Z",
        "request_id": "resp_1",
        "response_id": "resp_1",
        "thread_id": "thread-1",
        "turn_id": "turn-1",
        "number": 1,
        "label": "complete",
        "project": "mine",
        "model": "gpt-6-luna",
        "effort": "low",
        "instructions": "Be brief.",
        "tools": [],
        "schema": None,
        "input": [said("user", "What is 7 times 13?")],
        "output": [said("assistant", "91", id="resp_1_0", phase="final_answer")],
        "usage": {"input": 120, "cached": 20, "output": 30, "reasoning": 5},
        "timing": {"began": "2025-10-09T08:53:20.250Z", "ended": "2025-10-09T08:53:21.500Z", "ms": 1250.0},
        "account": {"kind": "chatgpt", "plan": "plus"},
        "codex_version": "0.163.0",
        "exact": True,
        "redacted": 0,
    }


def test_every_member_that_the_schema_describes_is_there_and_no_other() -> None:
    assert set(record_of(RESPONSE)) == set(VALIDATOR.schema["properties"]) == set(VALIDATOR.schema["required"])


def test_a_response_without_an_id_has_one_that_is_the_same_each_time() -> None:
    unnamed = replace(RESPONSE, response_id=None, exact=False)
    one, other = record_of(unnamed), record_of(unnamed)
    VALIDATOR.validate(one)
    assert one["request_id"] == other["request_id"] == "thread-1/turn-1/1"
    assert record_of(replace(unnamed, number=2))["request_id"] != one["request_id"]


def test_a_clock_that_was_set_back_is_no_time_at_all() -> None:
    assert record_of(replace(RESPONSE, ended=RESPONSE.began - 5))["timing"]["ms"] == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_is_in_no_text_of_a_record(shape: str) -> None:
    secret, word = SHAPES[shape].text, SHAPES[shape].secret
    response = replace(
        RESPONSE,
        instructions=f"Use {secret} for the service.",
        tools=({"name": "x", "description": f"Call with {secret}", "inputSchema": {"default": secret}},),
        schema={"type": "string", "description": f"like {secret}"},
        input=(said("user", f"The key is {secret}."), call("x", {"key": secret}, "c1"), output("c1", f"used {secret}")),
        output=(
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": f"They gave me {secret}"}]},
            said("assistant", f"I saw {secret}."),
            call("x", {"value": secret}, "c2"),
        ),
    )
    record = record_of(response)
    VALIDATOR.validate(record)
    assert word not in line_of(record).decode()
    assert record["redacted"] >= 8
    for item in (record["input"][1], record["output"][2]):
        assert isinstance(json.loads(item["arguments"]), dict), "arguments stay JSON"
    raw = record_of(response, redact=False)
    VALIDATOR.validate(raw)
    assert (word in json.dumps(raw), raw["redacted"]) == (True, None)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"password": "hunter2hunter2", "n": 1}', {"n": 1}),
        ('{\n  "n": 1,\n  "env": {"API_TOKEN": "aB3dEf6hIj9lMn2p"}\n}', {"n": 1}),
        ('[{"name": "Authorization", "value": "Basic aHVudGVyMg=="}]', None),
        (json.dumps({"nested": json.dumps({"client_secret": "aB3dEf6hIj9lMn2p"})}), None),
    ],
)
def test_json_stays_json_without_its_secrets(text: str, kept: dict[str, Any] | None) -> None:
    record = record_of(replace(RESPONSE, output=(said("assistant", text), call("x", text, "c1"))))
    shown = record["output"][0]["content"][0]["text"]
    for each in (shown, record["output"][1]["arguments"]):
        value = json.loads(each)
        assert kept is None or kept.items() <= value.items()
        assert not any(secret in each for secret in ("hunter2", "aHVudGVyMg", "aB3dEf6hIj9lMn2p"))
    assert record["redacted"] >= 2


def test_json_without_secrets_keeps_every_character() -> None:
    text = '{ "a" :1.0,\n"b": ["\\u00e9", 1e3] }'
    record = record_of(replace(RESPONSE, output=(said("assistant", text), call("x", text, "c1"))))
    assert record["output"][0]["content"][0]["text"] == text
    assert record["output"][1]["arguments"] == text
    assert record["redacted"] == 0


def test_a_schema_with_telling_names_stays_as_it_is() -> None:
    schema = {
        "type": "object",
        "properties": {"password": {"type": "string"}, "tokens": {"type": "array", "items": {"type": "string"}}},
        "required": ["password", "tokens"],
    }
    record = record_of(replace(RESPONSE, schema=schema, tools=({"name": "get_secret", "inputSchema": schema},)))
    assert record["schema"] == schema
    assert record["tools"] == [{"name": "get_secret", "inputSchema": schema}]


@pytest.mark.parametrize("redact", [True, False])
def test_the_address_of_the_account_is_in_no_record(redact: bool) -> None:
    assert ACCOUNT.email is not None
    address = ACCOUNT.email
    response = replace(
        RESPONSE,
        instructions=f"You write for {address.upper()}.",
        input=(
            said("user", f"Mail it to {address}, please."),
            call("mail", {"to": address}, "c1"),
            output("c1", address),
        ),
        output=(said("assistant", f"Sent to {address}."),),
    )
    line = line_of(record_of(response, redact=redact)).decode()
    assert address.lower() not in line.lower()
    assert line.count("[account]") == 5


def test_what_only_the_service_reads_and_what_codex_notes_for_itself_is_left_out() -> None:
    passed = {"internal_chat_message_metadata_passthrough": {"turn_id": "auto-compact-0"}}
    response = replace(
        RESPONSE,
        input=({**said("user", "Hi."), **passed},),
        output=({"type": "reasoning", "summary": [], "encrypted_content": "gAAAA" * 500, **passed},),
    )
    record = record_of(response)
    VALIDATOR.validate(record)
    assert record["input"] == [said("user", "Hi.")]
    assert record["output"] == [{"type": "reasoning", "summary": []}]


def test_an_image_is_a_digest_unless_images_are_kept() -> None:
    shown = {"type": "input_image", "image_url": IMAGE, "detail": "high"}
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is it?"}, shown]}
    response = replace(RESPONSE, input=(message, call("look", {}, "c1"), output("c1", [shown])))
    record = record_of(response)
    VALIDATOR.validate(record)
    data = base64.b64decode(PIXEL)
    reference = f"data:image/png;bytes={len(data)};sha256={hashlib.sha256(data).hexdigest()},"
    assert record["input"][0]["content"][1] == {"type": "input_image", "image_url": reference, "detail": "high"}
    assert record["input"][2]["output"][0]["image_url"] == reference
    assert PIXEL not in line_of(record).decode()

    kept = record_of(response, images=True)
    assert kept["input"][0]["content"][1] == shown


def test_a_text_that_begins_like_an_image_is_a_text() -> None:
    record = record_of(replace(RESPONSE, input=(said("user", f"{IMAGE} is one pixel"),)))
    assert record["input"] == [said("user", f"{IMAGE} is one pixel")]


def test_an_image_that_is_no_base64_is_left_out_too() -> None:
    message = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": f"{IMAGE}!"}]}
    record = record_of(replace(RESPONSE, input=(message,)))
    assert PIXEL not in line_of(record).decode()


def test_a_call_and_its_output_keep_the_same_id() -> None:
    one, two, _ = tool_loop()
    record = record_of(two)
    calls = [item["call_id"] for item in record["input"] if item["type"] == "function_call"]
    outputs = [item["call_id"] for item in record["input"] if item["type"] == "function_call_output"]
    assert calls == [item["call_id"] for item in one.output if item["type"] == "function_call"]
    assert sorted(outputs) == sorted(calls)


def test_a_line_is_ascii_and_ends_nowhere_but_at_its_end() -> None:
    text = "first\nsecond\u2028third\x85 \U0001f600 \ud800"
    record = record_of(replace(RESPONSE, output=(said("assistant", text),)))
    line = line_of(record)
    assert line.isascii()
    assert len(line.decode("ascii").splitlines()) == 1
    assert json.loads(line)["output"][0]["content"][0]["text"] == text


def test_usage_is_that_of_the_response_alone() -> None:
    usages = [record_of(response)["usage"] for response in tool_loop()]
    assert [Usage(**usage) for usage in usages] == [response.usage for response in tool_loop()]
