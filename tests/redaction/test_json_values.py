"""What is taken out of JSON: by what a text is, by its key, by what stands beside it or in front of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.redaction import redact_value
from tests.redaction.texts import SYNTAX, texts
from tests.secrets_shapes import SHAPES

KEYS = (
    *(
        "password",
        "PASSWORD",
        "db_password",
        "dbPassword",
        "db-password",
        "passwd",
        "passphrase",
        "token",
        "accessToken",
    ),
    *(
        "access_token",
        "refresh-token",
        "id_token",
        "csrfToken",
        "secret",
        "client_secret",
        "clientSecret",
        "SECRET_KEY",
    ),
    *("api_key", "apiKey", "API-KEY", "apikey", "x-api-key", "Ocp-Apim-Subscription-Key", "aws_secret_access_key"),
    *("authorization", "Proxy-Authorization", "X-Auth-Token", "private_key", "PGPASSWORD", "MYSQL_PWD", "password2"),
)
OTHER_KEYS = (
    *("path", "file_path", "max_tokens", "token_type", "tokenizer", "password_field", "author", "public_key", "key"),
    *("secret_name", "keys", "primaryKey", "compass", "oauth", "keyboard", "sort_key", "cwd", "PWD"),
)

FOUND: list[tuple[Any, Any]] = [
    ({"headers": {"Authorization": "Bearer hunter2"}}, {"headers": {"Authorization": "Bearer [secret: token]"}}),
    ({"headers": {"Authorization": "hunter2"}}, {"headers": {"Authorization": "[secret: credentials]"}}),
    ({"Cookie": "session=hunter2"}, {"Cookie": "session=[secret: cookie]"}),
    (
        {"headers": [{"name": "Authorization", "value": "Basic aHVudGVyMg"}, {"name": "Accept", "value": "*/*"}]},
        {
            "headers": [
                {"name": "Authorization", "value": "Basic [secret: credentials]"},
                {"name": "Accept", "value": "*/*"},
            ]
        },
    ),
    (
        {"env": [{"value": "hunter2", "name": "DB_PASSWORD"}]},
        {"env": [{"value": "[secret: password]", "name": "DB_PASSWORD"}]},
    ),
    ([["X-Api-Key", "hunter2"], ["Accept", "*/*"]], [["X-Api-Key", "[secret: key]"], ["Accept", "*/*"]]),
    (["tool", "--password", "two words"], ["tool", "--password", "[secret: password]"]),
    (["tool", "--password=hunter2", "x"], ["tool", "--password=[secret: password]", "x"]),
    (["curl", "-u", "alice:hunter2", "x"], ["curl", "-u", "alice:[secret: password]", "x"]),
    (["mysql", "-phunter2"], ["mysql", "-p[secret: password]"]),
    (["docker", "login", "-p", "hunter2"], ["docker", "login", "-p", "[secret: password]"]),
    (["tool", "--token", "$TOKEN", "--verbose"], ["tool", "--token", "$TOKEN", "--verbose"]),
    ({"secrets": {"DB": "hunter2", "n": 1}}, {"secrets": {"DB": "[secret: secret]", "n": 1}}),
    ({"tokens": ["hunter2", "hunter3"]}, {"tokens": ["[secret: token]", "[secret: token]"]}),
    ({"password": {"value": "hunter2"}}, {"password": {"value": "[secret: password]"}}),
    ({"password": 12345678}, {"password": "[secret: password]"}),
    ({"body": '{"password": "hunter2"}'}, {"body": '{"password": "[secret: password]"}'}),
]

HARMLESS: list[Any] = [
    None,
    1,
    "ls",
    {"properties": {"password": {"type": "string", "minLength": 8}}, "required": ["password", "token"]},
    {"password": None, "token": "", "api_key": "${API_KEY}", "secret": True, "passphrase": "<passphrase>"},
    {"token": "$TOKEN", "password": "***", "private_key": "~/.ssh/id_ed25519"},
    {"max_tokens": 4096, "input_tokens": "12", "token": 7, "password": True},
    {"name": "password", "in": "query", "type": "string"},
    [["--token", "$TOKEN"], ["--", "x"]],
    {"old_string": "token = get_token()", "new_string": "token = await get_token()"},
    {"paths": ["src/token.py", "docs/password.md"], "pattern": "password=.*"},
]


@pytest.mark.parametrize("key", KEYS)
def test_a_value_is_a_secret_by_its_key(key: str) -> None:
    shown, count, _ = redact_value({"a": [{key: "hunter2"}]})
    assert "hunter2" not in json.dumps(shown)
    assert (list(shown["a"][0]), count) == ([key], 1)


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_a_key_that_only_resembles_one_hides_nothing(key: str) -> None:
    assert redact_value({key: "hunter2"}) == ({key: "hunter2"}, 0, False)


@pytest.mark.parametrize(("value", "expected"), FOUND, ids=[json.dumps(value) for value, _ in FOUND])
def test_a_secret_is_found_by_what_is_around_it(value: Any, expected: Any) -> None:
    given = copy.deepcopy(value)
    shown, count, _ = redact_value(value)
    assert shown == expected
    assert count == json.dumps(shown).count("[secret: ")
    assert value == given


@pytest.mark.parametrize("value", HARMLESS, ids=json.dumps)
def test_what_is_no_secret_stays(value: Any) -> None:
    assert redact_value(value) == (value, 0, False)


@pytest.mark.parametrize("name", SHAPES)
def test_a_secret_of_this_shape_is_found_wherever_it_stands(name: str) -> None:
    text, secret = SHAPES[name].text, SHAPES[name].secret
    value = {"command": text, "deep": [{"er": [text]}, text, 1], "list": ["x", text, "y"], text: "as a key"}
    shown, count, _ = redact_value(value)
    assert secret not in json.dumps(shown)
    assert count >= 5


def test_two_keys_that_are_secrets_hide_no_value() -> None:
    value = {f"ghp_{digit * 36}": digit for digit in "12"}
    shown, _, _ = redact_value({"as keys": value})
    assert shown == {"as keys": {"[secret: github token]": "1", "[secret: github token] (2)": "2"}}


@pytest.mark.parametrize(
    "value",
    [
        {"password": "; rm -rf ~"},
        {"headers": {"Authorization": "Bearer hunter2; rm -rf ~"}},
        {"tokens": ["hunter2", "$(id) x"]},
        ["tool", "--password", "x; rm -rf ~"],
        {"env": {"TOKEN": "reboot"}, "command": "eval $TOKEN"},
        ["bash", "-c", "eval $TOKEN", "TOKEN=reboot"],
        {"a": "ghp_" + 36 * "1"},
    ],
    ids=json.dumps,
)
def test_what_could_run_and_was_hidden_is_told(value: Any) -> None:
    _, count, hid_syntax = redact_value(value)
    assert count > 0
    assert hid_syntax


def test_what_is_nested_too_deeply_is_left_out_and_told() -> None:
    value: Any = "rm -rf ~"
    for _ in range(500):
        value = {"a": [value]}
    shown, _, hid_syntax = redact_value(value)
    assert "rm -rf" not in json.dumps(shown)
    assert hid_syntax


def leaves(value: Any) -> Iterator[str]:
    """All texts in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from leaves(key)
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from leaves(item)


SOME_KEYS = st.sampled_from(["password", "token", "name", "value", "headers", "apiKey", "key", "secrets"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | texts(longest=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(longest=3) | SOME_KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200)
@given(VALUES)
def test_no_syntax_goes_unless_it_is_told_and_a_second_time_changes_nothing(value: Any) -> None:
    shown, count, hid_syntax = redact_value(value)
    if not hid_syntax:
        before, after = "".join(leaves(value)), "".join(leaves(shown))
        # Keys that became alike are told apart by a number in brackets.
        signs = SYNTAX.translate({ord("("): None, ord(")"): None})
        assert {sign: after.count(sign) for sign in signs} == {sign: before.count(sign) for sign in signs}
    assert count or hid_syntax or shown == value
    assert redact_value(shown)[0] == shown
