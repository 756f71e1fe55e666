from __future__ import annotations

import json
import subprocess
import sys
import traceback
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from codex_oauth.errors import OutputSchemaError, OutputValidationError
from codex_oauth.schema import output_spec

from .strict import spec_of

PAIR = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a", "b"]}
SENTINEL = "s3nt1nel"
AT_LEAST_3 = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 3}}


def errors_of(output: Any, reply: str) -> tuple[str, ...]:
    with pytest.raises(OutputValidationError) as caught:
        spec_of(output).parse(reply)
    assert caught.value.reply == reply
    assert all(len(line) <= 200 for line in caught.value.errors)
    return caught.value.errors


def test_text_comes_back_as_it_is() -> None:
    for output in (None, str):
        spec = output_spec(output)
        assert spec.wire_schema is None
        assert spec.parse("```json\n{") == spec.render("```json\n{") == "```json\n{"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("", "/: not JSON: Expecting value at character 0"),
        ("nothing", "/: not JSON: Expecting value at character 0"),
        ('{"a": 1, "b": "x"} and more', "/: not JSON: Extra data at character 19"),
        ('```json\n{"a": 1, "b": "x"}\n```', "/: the reply must be JSON alone, without a code fence"),
        ('{"a": 1, "a": 2, "b": "x"}', "/: an object has the same key twice"),
        ('{"a": NaN, "b": "x"}', "/: NaN is not JSON"),
        ('{"a": -Infinity, "b": "x"}', "/: -Infinity is not JSON"),
        ('{"a": 1e999, "b": "x"}', "/: a number is too large"),
        ('{"a": ' + "9" * 5000 + ', "b": "x"}', "/: a number has too many digits"),
        (r'{"a": 1, "b": "\ud800"}', "/: a string has an unpaired surrogate"),
        ('{"a": 1, "b": "\ud800"}', "/: a string has an unpaired surrogate"),
        ('{"a": 1}', '/: the property "b" is missing'),
        ('{"a": "x", "b": "x"}', "/a: expected integer"),
        ('{"a": true, "b": "x"}', "/a: expected integer"),
        ('{"a": 1, "b": "x", "c": 2}', "/: has a property that is not allowed"),
        ("[1]", "/: expected object"),
    ],
)
def test_a_reply_that_does_not_fit_is_refused(reply: str, error: str) -> None:
    assert errors_of(PAIR, reply) == (error,)


def test_a_paired_surrogate_escape_is_one_character() -> None:
    assert output_spec({"type": "string"}).parse(r'{"value": "\ud83d\ude00"}') == "\U0001f600"


def test_a_huge_integer_keeps_its_digits() -> None:
    assert (
        output_spec({"type": "integer"}).parse('{"value": 123456789012345678901234567890}')
        == 123456789012345678901234567890
    )


@pytest.mark.parametrize("output", [{}, {"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, PAIR])
def test_a_bottomless_reply_is_a_validation_error(output: Any) -> None:
    bottomless = "[" * 10_000 + "]" * 10_000
    errors_of(output, bottomless)
    errors_of(output, '{"value": ' + bottomless + "}")
    errors_of(output, '{"value": "' + bottomless + '"}')
    for depth in (90, 150, 240, 333, 480, 700, 990):
        try:
            spec_of(output).parse('{"value": ' + "[" * depth + "]" * depth + "}")
        except OutputValidationError:
            continue


def test_errors_point_into_the_reply_as_the_model_wrote_it() -> None:
    mapping = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string", "minLength": 3}}}
    assert errors_of(mapping, '{"value": [[], [{"key": "k", "value": "abc"}, {"key": "x", "value": "a"}]]}') == (
        "/value/1/1/value: must have at least 3 characters",
    )
    beside = {"properties": {"a/b": {"type": "string"}}, "additionalProperties": {"type": "string", "minLength": 3}}
    assert errors_of(beside, '{"a/b": null, "additional_entries": [{"key": "x", "value": "a"}]}') == (
        "/additional_entries/0/value: must have at least 3 characters",
    )
    pair = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "string", "maxLength": 1}], "minItems": 2}
    assert errors_of(pair, '{"item_0": "ab", "item_1": "ab"}') == ("/item_1: must have at most 1 characters",)
    tagged = {"anyOf": [{"type": "string", "format": "uri"}, {"const": {"a": 1}}]}
    assert output_spec(tagged).parse('{"value": {"option_2": "{\\"a\\": 1}"}}') == {"a": 1}
    assert errors_of({"properties": {"a~/": {}}}, '{"a~/": "{"}')[0].startswith(
        "/a~0~1: must be a string that holds one"
    )


def test_a_key_given_twice_is_refused() -> None:
    mapping = {
        "type": "object",
        "properties": {"m": {"type": "object", "additionalProperties": True}, "n": {"type": "integer"}},
        "additionalProperties": {"type": "integer"},
    }
    twice = '[{"key": "x", "value": "1"}, {"key": "x", "value": "2"}]'
    assert errors_of(mapping, '{"m": ' + twice + ', "n": null, "additional_entries": []}') == (
        "/m/1/key: the same key was given before",
    )
    assert errors_of(mapping, '{"m": [], "n": 1, "additional_entries": [{"key": "n", "value": 2}]}') == (
        "/additional_entries/0/key: the key is the name of a property beside it",
    )


def test_a_gap_in_a_tuple_is_refused() -> None:
    pair = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "string"}]}
    assert errors_of(pair, '{"item_0": null, "item_1": "x"}') == ("/item_1: an item before this one was left out",)


def test_the_alternative_that_came_closest_is_named() -> None:
    union = {
        "properties": {
            "u": {
                "anyOf": [
                    {"type": "null"},
                    {"properties": {"k": {"const": "a"}, "n": {"type": "integer"}}, "required": ["k", "n"]},
                ]
            }
        }
    }
    assert errors_of(union, '{"u": {"k": "a", "n": "x"}}') == ("/u/n: expected integer",)


def test_at_most_ten_errors_are_told() -> None:
    assert len(errors_of({"type": "array", "items": {"type": "integer"}}, json.dumps({"value": ["x"] * 500}))) == 10


class Careful(BaseModel):
    secret: str
    count: int = 0

    @field_validator("secret")
    @classmethod
    def refuse(cls, value: str) -> str:
        raise ValueError(f"{value} will not do")


@pytest.mark.parametrize(
    ("output", "reply"),
    [
        (PAIR, SENTINEL),
        (PAIR, f'{{"a": "{SENTINEL}", "b": "x"}}'),
        (PAIR, f'{{"a": 1, "b": "x", "{SENTINEL}": 1}}'),
        (PAIR, f'{{"{SENTINEL}": 1, "{SENTINEL}": 2}}'),
        (AT_LEAST_3, f'{{"value": [{{"key": "{SENTINEL}", "value": 1}}]}}'),
        ({}, f'{{"value": "{SENTINEL}"}}'),
        ({"enum": ["a"]}, f'{{"value": "{SENTINEL}"}}'),
        ({"type": "string", "format": "date"}, f'{{"value": "{SENTINEL}"}}'),
        (Careful, f'{{"secret": "{SENTINEL}", "count": null}}'),
    ],
)
def test_no_error_repeats_what_was_received(output: Any, reply: str) -> None:
    with pytest.raises(OutputValidationError) as caught:
        spec_of(output).parse(reply)
    assert SENTINEL not in "".join(caught.value.errors)
    shown = "".join(traceback.format_exception(caught.value))
    assert SENTINEL not in shown + str(caught.value) + repr(caught.value)


FORMATS = [
    (
        "date-time",
        ["2024-02-29T10:00:00Z", "2024-01-01T10:00:00.5+01:00", "2016-12-31T23:59:60Z"],
        ["2023-02-29T10:00:00Z", "2024-01-01", "now"],
    ),
    ("date", ["2024-02-29"], ["2023-02-29", "20240101"]),
    ("time", ["10:00:00Z", "10:00:00"], ["25:00:00Z", "10"]),
    ("duration", ["P1D", "PT1.5S", "P2W", "-P1Y"], ["P", "PT", "1 day"]),
    ("email", ["a@b.c"], ["nobody"]),
    ("ipv4", ["127.0.0.1"], ["127.0.0.256"]),
    ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123"]),
]


@pytest.mark.parametrize(("name", "good", "bad"), FORMATS)
def test_formats_are_checked_without_extra_packages(name: str, good: list[str], bad: list[str]) -> None:
    spec = output_spec({"type": "string", "format": name})
    for text in good:
        assert spec.parse(spec.render(text)) == text
    for text in bad:
        assert errors_of({"type": "string", "format": name}, json.dumps({"value": text})) == (
            f"/value: is not a valid {name}",
        )


def test_the_import_is_light_and_a_plain_schema_needs_neither_library() -> None:
    program = (
        "import sys; from codex_oauth.schema import output_spec; spec = output_spec({'type': 'integer'});"
        "heavy = lambda: sorted({'pydantic', 'jsonschema'} & set(sys.modules)); print(heavy());"
        "spec.parse('{\"value\": 1}'); print(heavy())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["[]", "['jsonschema']"]


def test_the_message_names_the_first_error_and_counts_the_others() -> None:
    for reply, message in (
        ('{"value": ["x"]}', "the reply does not fit the output schema: /value/0: expected integer"),
        (
            '{"value": ["x", 1, "x", "x"]}',
            "the reply does not fit the output schema: /value/3: expected integer (and 2 more)",
        ),
    ):
        for output in ({"type": "array", "items": {"type": "integer"}}, list[int]):
            with pytest.raises(OutputValidationError) as caught:
                spec_of(output).parse(reply)
            assert str(caught.value) == message
    with pytest.raises(OutputValidationError, match="does not fit the output type: /secret: does not fit"):
        spec_of(Careful).parse(f'{{"secret": "{SENTINEL}", "count": 1}}')


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("^a$", ["a"], ["a\n", "ab"]),
        (r"^\d+$", ["12"], ["\u0661", "1\n"]),
        (r"^\w$", ["a"], ["\u00e9"]),
        (r"^[$]\$\\$", ["$$\\"], ["$$\\\n"]),
        (r"^[\]$]$", ["$", "]"], ["$\n", "]\n", "\\Z"]),
        ("^(a$|b)$", ["a", "b"], ["a\n"]),
        ("^[^$]$", ["a"], ["$", "a\n"]),
    ],
)
def test_a_pattern_means_what_it_means_in_json_schema(pattern: str, good: list[str], bad: list[str]) -> None:
    spec = spec_of({"type": "string", "pattern": pattern})
    named = spec_of(
        {"type": "object", "patternProperties": {pattern: {"type": "integer"}}, "additionalProperties": False}
    )
    for text in good:
        assert spec.parse(json.dumps({"value": text})) == text
        assert named.parse(json.dumps({"value": [{"key": text, "value": 1}]})) == {text: 1}
    for text in bad:
        assert len(errors_of({"type": "string", "pattern": pattern}, json.dumps({"value": text}))) == 1
        with pytest.raises(OutputValidationError):
            named.parse(json.dumps({"value": [{"key": text, "value": 1}]}))


def test_a_mapping_without_a_keyword_is_refused_with_an_example() -> None:
    with pytest.raises(OutputSchemaError, match=r'a schema looks like \{"type": "object"'):
        spec_of({"name": "string"})
    assert output_spec({}).parse('{"value": "3"}') == 3
    assert output_spec({"description": "Anything"}).parse('{"value": "3"}') == 3


def test_a_wrong_type_name_is_told_the_right_ones() -> None:
    message = "#/type: must be one of object, array, string, number, integer, boolean, null, or a list of them"
    with pytest.raises(OutputSchemaError, match=message):
        spec_of({"type": "text"})
