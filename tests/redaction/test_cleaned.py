"""Foreign words in error texts: what a service quotes of a prompt, in whatever form, is not repeated."""

from __future__ import annotations

import html
import json

import pytest

from codex_oauth.redaction import cleaned
from tests.secrets_shapes import SHAPES

PROMPT = 'my secret\nplan is "Zebra-Quartz-77" & naïve,   launched on Tuesday'


QUOTES = {
    "as it is": PROMPT,
    "json": json.dumps(PROMPT),
    "json utf-8": json.dumps(PROMPT, ensure_ascii=False),
    "json twice": json.dumps(json.dumps(PROMPT)),
    "html": html.escape(PROMPT),
    "folded": " ".join(PROMPT.split()),
    "upper case": PROMPT.upper(),
    "a part": PROMPT[5:40],
    "the end": PROMPT[-20:],
}


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
def test_a_quoted_prompt_is_removed_in_whatever_form(quote: str) -> None:
    shown = cleaned(f"Invalid input: {quote} was refused by policy", [PROMPT])
    assert shown.startswith("Invalid input: ")
    assert shown.endswith(" was refused by policy")
    for word in ("secret", "zebra", "quartz", "tuesday"):
        assert word not in shown.casefold()


def test_a_command_quoted_from_a_request_is_removed() -> None:
    request = json.dumps({"tool": "Bash", "tool_input": {"command": "rm -rf Zebra-Quartz"}})
    assert "Zebra" not in cleaned("Invalid: rm -rf Zebra-Quartz", [request])


def test_words_that_any_two_texts_share_stay() -> None:
    message = "The 'gpt-x' model is not supported when using Codex with a ChatGPT account."
    assert cleaned(message, ["Which model is not good?"]) == message


def test_a_message_without_quotations_stays_as_it_is() -> None:
    assert cleaned("a\n b", []) == "a b"
    assert cleaned(r"C:\new &amp;", ["something else entirely"]).startswith("C:")


@pytest.mark.parametrize("name", SHAPES)
def test_a_secret_that_a_request_would_not_show_is_in_no_error(name: str) -> None:
    shape = SHAPES[name]
    assert shape.secret not in cleaned(f"Refused: {shape.text}")


@pytest.mark.parametrize("address", ["some.one+x@example.co.uk", "a@b.org"])
def test_an_address_is_removed(address: str) -> None:
    assert cleaned(f"signed in as {address}, plan plus") == "signed in as [removed], plan plus"


def test_what_stands_in_a_secrets_place_is_the_same_word_everywhere() -> None:
    assert cleaned("the server said: password=hunter2 is wrong") == "the server said: password=[removed] is wrong"


def test_what_an_error_says_about_tokens_stays() -> None:
    message = "Your access token could not be refreshed because your refresh token was already used."
    assert cleaned(message) == message
