"""Failures as statuses: clients repeat what may pass, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import errors
from codex_oauth.endpoint.parameters import CHAT, Parameter
from codex_oauth.endpoint.refusals import ROWS, ApiError, as_refusal, refusal_of, row_of
from codex_oauth.errors import CodexOAuthError
from codex_oauth.testing import (
    Cut,
    Failed,
    HttpError,
    Text,
    context_length_exceeded,
    model_unsupported,
    overloaded,
    rate_limited,
    server_error,
    usage_limit_reached,
    usage_not_included,
)
from tests.endpoint.served import TOKEN, Served, chat

PAGE = (Path(__file__).parents[2] / "docs" / "endpoint.md").read_text(encoding="utf-8")
EVERY = [
    kind
    for kind in map(vars(errors).get, errors.__all__)
    if isinstance(kind, type) and issubclass(kind, CodexOAuthError)
]


def repeated(refusal: ApiError) -> bool:
    """Whether OpenAI's own clients ask again after it."""
    return (refusal.status in (408, 409, 429) or refusal.status >= 500) and (
        refusal.headers.get("x-should-retry") != "false"
    )


@pytest.mark.parametrize("kind", EVERY)
def test_clients_repeat_what_may_pass_and_nothing_else(kind: type[CodexOAuthError]) -> None:
    refusal = refusal_of(kind("what happened"))
    assert refusal.body()["error"]["message"] == "what happened"
    assert refusal.code
    # A deadline may be met another time, but not by a client whose own time is up as well.
    assert repeated(refusal) == (kind.retryable and not issubclass(kind, errors.DeadlineExceededError))
    # Only the endpoint's own token is a matter of 401.
    assert refusal.status != 401


def test_a_status_of_the_services_own_is_repeated_where_it_is_the_services_fault() -> None:
    assert repeated(refusal_of(errors.UpstreamHTTPError("x", http_status=502)))
    assert not repeated(refusal_of(errors.UpstreamHTTPError("x", http_status=404)))


def test_a_used_up_plan_says_when_it_is_worth_asking_again() -> None:
    refusal = refusal_of(errors.UsageLimitReachedError("used up", resets_at=1_000_600), now=1_000_000.0)
    assert (refusal.status, refusal.type, refusal.code) == (429, "insufficient_quota", "insufficient_quota")
    assert refusal.headers == {"x-should-retry": "false", "retry-after": "600"}
    assert "retry-after" not in refusal_of(errors.UsageLimitReachedError("used up")).headers
    assert refusal_of(errors.UsageLimitReachedError("x", resets_at=1), now=5.0).headers["retry-after"] == "1"


def test_of_what_nobody_has_foreseen_no_word_goes_out() -> None:
    refusal = as_refusal(KeyError("a secret"))
    assert (refusal.status, refusal.code) == (500, "unexpected")
    assert "secret" not in refusal.message
    assert not repeated(refusal)
    assert as_refusal(RecursionError()).status == 400


def test_long_words_are_cut_and_lines_are_joined() -> None:
    message = refusal_of(errors.InvalidRequestError("a\n\nb " + "c" * 10_000)).message
    assert message.startswith("a b c")
    assert len(message) == 2000


@pytest.fixture(scope="module")
def openai() -> Any:
    """OpenAI's own client."""
    return pytest.importorskip("openai")


SERVICE: list[tuple[Any, int, str | None, int]] = [
    (usage_limit_reached(), 429, "insufficient_quota", 1),
    (usage_not_included(), 403, "plan_not_included", 1),
    (model_unsupported("gpt-6-luna"), 404, "model_not_found", 1),
    (context_length_exceeded(), 400, "context_length_exceeded", 1),
    (HttpError(400, {"error": {"type": "invalid_request_error", "message": "no"}}), 400, "invalid_request", 1),
    (overloaded(), 503, "overloaded", 3),
    (Failed("cyber_policy"), 400, "content_policy_violation", 1),
]


@pytest.mark.parametrize(("reply", "status", "code", "asked"), SERVICE)
@pytest.mark.parametrize("stream", [False, True])
def test_the_services_own_refusals_have_the_status_that_clients_know(
    served: Served, reply: Any, status: int, code: str, asked: int, stream: bool
) -> None:
    served.chatgpt.default = reply
    answer = served.chat("a secret", stream=stream)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert "secret" not in answer.body.decode()
    line = served.line_of(answer)
    assert (line["status"], line["error"]) == (status, code)
    should = answer.headers.get("x-should-retry")
    assert (should == "false") == (status >= 408 and asked == 1)


def test_openais_client_does_not_repeat_what_a_used_up_plan_refuses(served: Served, openai: Any) -> None:
    served.chatgpt.default = usage_limit_reached()
    with openai.OpenAI(base_url=served.base_url, api_key=TOKEN, max_retries=5) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(**chat("hi"))
        assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")
        assert len(served.chatgpt.model_requests) == 1
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=served.base_url, api_key="wrong", http_client=client._client).models.list()
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-1")
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(**chat("hi", n=2))
        assert refused.value.param == "n"


def test_openais_client_repeats_what_may_pass(served: Served, openai: Any) -> None:
    # Three refusals are one failure: codex itself asks twice more.
    served.chatgpt.script(*[server_error()] * 3, Text("yes"))
    with openai.OpenAI(base_url=served.base_url, api_key=TOKEN, max_retries=5) as client:
        reply = client.chat.completions.create(**chat("hi"))
    assert reply.choices[0].message.content == "yes"


def test_what_does_not_fit_after_the_first_words_is_an_error_within_the_stream(served: Served, openai: Any) -> None:
    served.chatgpt.default = Text("no JSON at all", chunks=3)
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}}
    answer = served.chat("hi", stream=True, response_format=form)
    assert answer.status == 200
    assert answer.events[-1]["error"]["code"] == "output_validation"
    assert served.line_of(answer)["error"] == "output_validation"
    with openai.OpenAI(base_url=served.base_url, api_key=TOKEN) as client, pytest.raises(openai.APIError):
        list(client.chat.completions.create(**chat("hi", response_format=form), stream=True))


@pytest.mark.slow
def test_what_breaks_off_after_the_first_words_is_an_error_within_the_stream(served: Served) -> None:
    served.chatgpt.script(*[Cut("some words")] * 8)
    answer = served.chat("hi", stream=True)
    assert answer.status == 200
    assert answer.events[-1]["error"]["code"]
    assert "[DONE]" not in answer.events
    assert served.line_of(answer)["error"] == answer.events[-1]["error"]["code"]


@pytest.mark.slow
def test_a_rate_limit_may_be_asked_again_after_a_while(served: Served) -> None:
    served.chatgpt.default = rate_limited(1)
    answer = served.chat("hi")
    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (429, "rate_limit_exceeded", "5")
    assert "x-should-retry" not in answer.headers


# --- the page -----------------------------------------------------------------------------------------------------


def cells(row: Parameter) -> str:
    """A parameter's line in the page."""
    silent = ", ".join(f"`{json.dumps(value)}`" for value in row.silent)
    return f"| `{row.name}` | {row.treatment} | {silent} | {row.why} |"


def test_the_page_lists_every_parameter_with_what_becomes_of_it() -> None:
    section = PAGE.split("### `/v1/chat/completions`")[1].split("\n#")[0]
    used = [parameter.name for parameter in CHAT if parameter.treatment == "used"]
    (listed,) = re.findall(r"Passed on: (.*?)\.", section, re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == used
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [cells(parameter) for parameter in CHAT if parameter.treatment != "used"]


def test_the_page_lists_the_status_of_every_failure() -> None:
    section = PAGE.split("## Errors")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [_status_row(kind, row_of(kind)) for kind in ROWS]


def _status_row(kind: type[CodexOAuthError], row: Any) -> str:
    again = "yes" if row.again else "no"
    return f"| `{kind.__name__}` | {row.status} | `{row.type}` | `{row.code or kind.code}` | {again} |"
