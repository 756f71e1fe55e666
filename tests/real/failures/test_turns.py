"""Each way in which the service fails a turn: its exception, and what that says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import (
    CodexOAuthError,
    ContextWindowExceededError,
    EmptyReplyError,
    IncompleteReplyError,
    InvalidRequestError,
    ModelNotSupportedError,
    OverloadedError,
    PlanNotIncludedError,
    PolicyBlockedError,
    QuotaExceededError,
    RateLimitedError,
    StreamDisconnectedError,
    TooManyRequestsError,
    TurnError,
    UpstreamHTTPError,
    UpstreamServerError,
    UsageLimitReachedError,
)
from codex_oauth.events import ServerRetrying
from codex_oauth.testing import (
    Cut,
    Empty,
    Failed,
    HttpError,
    Incomplete,
    Items,
    LoopbackChatGPT,
    ModelRequest,
    Reply,
    Text,
    context_length_exceeded,
    message,
    model_unsupported,
    overloaded,
    rate_limited,
    reasoning,
    server_error,
    usage_limit_reached,
    usage_not_included,
)
from tests.real.samples import INSTRUCTIONS, PROMPT

RESETS_AT: Final = int(time.time()) + 5400


def refused(status: int, code: str, text: str = "Refused.") -> HttpError:
    return HttpError(status, {"error": {"type": "invalid_request_error", "code": code, "message": text}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What comes of a failure of the service. `repeated`: codex tries again before it gives up."""

    error: type[TurnError]
    code: str
    info: str | None = "other"
    status: int | None = None
    retryable: bool = False
    repeated: bool = False
    says: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


LIMITED: Final = {"resets_at": None, "window": None, "plan": "plus"}
NOT_INCLUDED: Final = Expected(
    error=PlanNotIncludedError,
    code="plan_not_included",
    info="usageLimitExceeded",
    status=429,
    says="To use Codex with your ChatGPT plan",
    more=LIMITED,
)
INVALID: Final = Expected(error=InvalidRequestError, code="invalid_request", status=400)
OVERLOADED: Final = Expected(error=OverloadedError, code="overloaded", info="serverOverloaded", retryable=True)
DISCONNECTED: Final = Expected(error=StreamDisconnectedError, code="stream_disconnected", retryable=True, repeated=True)
EMPTY: Final = Expected(error=EmptyReplyError, code="empty_reply", info=None, retryable=True)
HTTP: Final = Expected(error=UpstreamHTTPError, code="upstream_http", info="httpConnectionFailed", repeated=True)

FAILURES: Final[Mapping[str, tuple[Reply, Expected]]] = {
    "429-usage_limit_reached": (
        usage_limit_reached(RESETS_AT),
        Expected(
            error=UsageLimitReachedError,
            code="usage_limit_reached",
            info="usageLimitExceeded",
            status=429,
            says="hit your usage limit",
            more={"resets_at": RESETS_AT, "window": 300, "plan": "plus"},
        ),
    ),
    "429-usage_not_included": (usage_not_included(), NOT_INCLUDED),
    "failed-usage_not_included": (Failed("usage_not_included"), NOT_INCLUDED),
    "failed-insufficient_quota": (
        Failed("insufficient_quota"),
        Expected(
            error=QuotaExceededError,
            code="quota_exceeded",
            info="usageLimitExceeded",
            status=429,
            says="Quota exceeded",
            more=LIMITED,
        ),
    ),
    "429-other": (
        rate_limited(),
        Expected(
            error=TooManyRequestsError,
            code="too_many_requests",
            info="responseTooManyFailedAttempts",
            status=429,
            retryable=True,
        ),
    ),
    "failed-rate_limit_exceeded": (
        Failed("rate_limit_exceeded", "Slow down."),
        Expected(
            error=RateLimitedError,
            code="rate_limited",
            info="rateLimitExceeded",
            retryable=True,
            repeated=True,
            says="Slow down.",
        ),
    ),
    "403": (refused(403, "forbidden"), replace(HTTP, status=403)),
    "404": (refused(404, "not_found"), replace(HTTP, status=404)),
    "502": (server_error(502), replace(HTTP, status=502, retryable=True)),
    "400-model": (
        model_unsupported("gpt-6-luna"),
        Expected(
            error=ModelNotSupportedError,
            code="model_not_supported",
            status=400,
            says="The 'gpt-6-luna' model is not supported when using Codex with a ChatGPT account.",
            more={"model": "gpt-6-luna"},
        ),
    ),
    "400-schema": (
        refused(400, "invalid_json_schema", "Invalid schema for response_format: 'required' is missing."),
        replace(INVALID, says="Invalid schema for response_format: 'required' is missing."),
    ),
    "400-invalid_prompt": (
        refused(400, "invalid_prompt", "Invalid prompt: it was flagged."),
        replace(INVALID, says="Invalid prompt: it was flagged."),
    ),
    "failed-invalid_prompt": (
        Failed("invalid_prompt", "Invalid prompt: it was flagged."),
        replace(INVALID, says="Invalid prompt: it was flagged."),
    ),
    "400-context_length_exceeded": (
        context_length_exceeded(),
        Expected(error=ContextWindowExceededError, code="context_window_exceeded", status=400),
    ),
    "failed-context_length_exceeded": (
        Failed("context_length_exceeded"),
        Expected(error=ContextWindowExceededError, code="context_window_exceeded", info="contextWindowExceeded"),
    ),
    "503": (overloaded(), OVERLOADED),
    "failed-server_is_overloaded": (Failed("server_is_overloaded"), OVERLOADED),
    "500": (
        server_error(),
        Expected(
            error=UpstreamServerError,
            code="upstream_server_error",
            info="internalServerError",
            retryable=True,
            repeated=True,
        ),
    ),
    "failed-cyber_policy": (
        Failed("cyber_policy", "Not this."),
        Expected(error=PolicyBlockedError, code="policy_blocked", info="cyberPolicy", says="Not this."),
    ),
    "cut": (Cut("A qu"), DISCONNECTED),
    "cut-at-once": (Cut(), DISCONNECTED),
    "failed-server_error": (Failed("server_error", "Broken."), replace(DISCONNECTED, says="Broken.")),
    "incomplete-max_output_tokens": (
        Incomplete("max_output_tokens", "A qu"),
        Expected(error=IncompleteReplyError, code="incomplete_reply", more={"reason": "max_output_tokens"}),
    ),
    "incomplete-content_filter": (
        Incomplete("content_filter"),
        Expected(error=IncompleteReplyError, code="incomplete_reply", repeated=True, more={"reason": "content_filter"}),
    ),
    "only-completed": (Empty(), EMPTY),
    "only-reasoning": (Items([reasoning("Hm.")]), EMPTY),
    "only-commentary": (Items([message("One moment.", "commentary")]), EMPTY),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("reply", "expected"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_of_the_service_has_its_exception(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, before_last: Sequence[Reply], reply: Reply, expected: Expected
) -> None:
    chatgpt.script(*(before_last if expected.repeated else ()))
    chatgpt.default = reply
    with pytest.raises(CodexOAuthError) as caught:
        await codex.complete(PROMPT, instructions=INSTRUCTIONS)
    error = caught.value
    assert type(error) is expected.error
    assert (error.code, error.retryable) == (expected.code, expected.retryable)
    assert isinstance(error, TurnError)
    assert (error.codex_error_info, error.http_status) == (expected.info, expected.status)
    assert {name: getattr(error, name) for name in expected.more} == expected.more
    assert expected.says in error.message
    assert "{" not in error.message
    if not expected.repeated and expected.error is not OverloadedError:
        assert len(chatgpt.model_requests) == 1


@pytest.mark.anyio
async def test_a_usage_limit_names_the_plan_that_is_signed_in(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, plan="pro")
    chatgpt.script(Failed("insufficient_quota"))
    with pytest.raises(QuotaExceededError) as caught:
        await codex.complete(PROMPT)
    assert caught.value.plan == "pro"


@pytest.mark.anyio
async def test_a_stream_that_breaks_again_and_again_is_told_of_and_given_up(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    """With the binary's own pauses, about 6 s of them."""
    chatgpt.websocket = False
    chatgpt.default = Cut("A qu")
    seen: list[ServerRetrying] = []

    async def listen() -> None:
        async with codex.stream(PROMPT) as events:
            async for event in events:
                seen.extend([event] if isinstance(event, ServerRetrying) else [])

    with pytest.raises(StreamDisconnectedError):
        await listen()
    assert len(seen) == len(chatgpt.model_requests) - 1
    assert {event.codex_error_info for event in seen} == {"responseStreamDisconnected"}


# --- what an error must not say --------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("wrapped", [partial(Failed, "cyber_policy"), partial(refused, 400, "invalid_json_schema")])
async def test_no_error_quotes_content_tokens_or_an_address(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tokens: Callable[[], dict[str, str]], wrapped: Callable[[str], Reply]
) -> None:
    """Even where the service itself quotes them."""
    token = tokens()["access_token"]
    prompt = 'Which "numbat"\nis this?'
    secrets = (prompt, INSTRUCTIONS, token, "person@example.com", "sk-proj-abcdefghijkl")
    chatgpt.script(wrapped(f"Invalid: {' and '.join(secrets)}."))
    with pytest.raises(TurnError) as caught:
        await codex.complete(prompt, instructions=INSTRUCTIONS)
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.__dict__)):
        assert "Invalid" in shown
        assert [word for word in ("numbat", "wombat", token, "person@", "sk-proj") if word in shown] == []


@pytest.mark.anyio
async def test_an_error_in_one_of_many_calls_does_not_touch_the_others(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    def answer(request: ModelRequest) -> Reply:
        return Failed("cyber_policy", "No.") if "bad" in request.text else Text(request.text)

    chatgpt.default = answer
    replies: dict[str, str] = {}

    async def ask(prompt: str) -> None:
        try:
            replies[prompt] = (await codex.complete(prompt)).text
        except PolicyBlockedError as error:
            replies[prompt] = error.code

    async with codex, anyio.create_task_group() as tasks:
        for prompt in ("good 1", "bad 1", "good 2", "bad 2"):
            tasks.start_soon(ask, prompt)
    assert replies == {"good 1": "good 1", "bad 1": "policy_blocked", "good 2": "good 2", "bad 2": "policy_blocked"}
