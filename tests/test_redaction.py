"""Foreign words in error texts: what a service quotes of a prompt, in whatever form, is not repeated."""

from __future__ import annotations

import html
import json

import pytest

from codex_oauth.redaction import cleaned

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
