"""Each way in which the service fails, through the real binary: its exception, and what that says.

The binary repeats many requests by itself, with growing pauses, first over a WebSocket and then over POST: 6 + 6
requests and 13 s where the stream or the status is repeated, 36 requests and 31 s for a 5xx (measured with 0.163). A
service may say how long to wait: the stand-in says 10 ms until the last repetition, and then fails as the row says.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import (
    AccountCheckError,
    CodexOAuthError,
    ContextWindowExceededError,
    CredentialRejectedError,
    DeadlineExceededError,
    EmptyReplyError,
    IncompleteReplyError,
    InvalidRequestError,
    ModelNotSupportedError,
    NetworkUnavailableError,
    NotLoggedInError,
    OverloadedError,
    PlanNotIncludedError,
    PolicyBlockedError,
    QuotaExceededError,
    RateLimitedError,
    ReauthenticationReason,
    ReauthenticationRequired,
    StreamDisconnectedError,
    TooManyRequestsError,
    TurnError,
    UpstreamHTTPError,
    UpstreamServerError,
    UsageLimitReachedError,
    WrongAccountError,
)
from codex_oauth.events import ServerRetrying
from codex_oauth.testing import (
    DROP,
    HANG,
    Cut,
    Empty,
    Failed,
    Hang,
    HttpError,
    HttpResponse,
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
    unauthorized,
    usage_limit_reached,
    usage_not_included,
)
from codex_oauth.testing.tokens import RefreshRefusal
from tests.conftest import RunCLI

PROMPT = "Which numbat is this?"
INSTRUCTIONS = "You are a careful wombat."
RESPONSES = "/backend-api/codex/responses"
ACCOUNTS = "/backend-api/wham/accounts/check"
RESETS_AT: Final = int(time.time()) + 5400

AGAIN_SOON: Final = Failed("rate_limit_exceeded", "Please try again in 0.01s.")


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: what differs between the two is tested where it costs less."""
    return "asyncio"


def refused(status: int, code: str, text: str = "Refused.") -> HttpError:
    return HttpError(status, {"error": {"type": "invalid_request_error", "code": code, "message": text}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A failure of the service, and the exception for it. `repeated`: codex tries again before it gives up."""

    reply: Reply
    error: type[TurnError]
    code: str
    info: str | None = "other"
    status: int | None = None
    retryable: bool = False
    repeated: bool = False
    says: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


_LIMITED: Final = {"resets_at": None, "window": None, "plan": "plus"}

ROWS: Final[Mapping[str, Row]] = {
    "429-usage_limit_reached": Row(
        reply=usage_limit_reached(RESETS_AT),
        error=UsageLimitReachedError,
        code="usage_limit_reached",
        info="usageLimitExceeded",
        status=429,
        says="hit your usage limit",
        more={"resets_at": RESETS_AT, "window": 300, "plan": "plus"},
    ),
    "429-usage_not_included": Row(
        reply=usage_not_included(),
        error=PlanNotIncludedError,
        code="plan_not_included",
        info="usageLimitExceeded",
        status=429,
        says="To use Codex with your ChatGPT plan",
        more=_LIMITED,
    ),
    "failed-usage_not_included": Row(
        reply=Failed("usage_not_included"),
        error=PlanNotIncludedError,
        code="plan_not_included",
        info="usageLimitExceeded",
        status=429,
        says="To use Codex with your ChatGPT plan",
        more=_LIMITED,
    ),
    "failed-insufficient_quota": Row(
        reply=Failed("insufficient_quota"),
        error=QuotaExceededError,
        code="quota_exceeded",
        info="usageLimitExceeded",
        status=429,
        says="Quota exceeded",
        more=_LIMITED,
    ),
    "429-other": Row(
        reply=rate_limited(),
        error=TooManyRequestsError,
        code="too_many_requests",
        info="responseTooManyFailedAttempts",
        status=429,
        retryable=True,
    ),
    "failed-rate_limit_exceeded": Row(
        reply=Failed("rate_limit_exceeded", "Slow down."),
        error=RateLimitedError,
        code="rate_limited",
        info="rateLimitExceeded",
        retryable=True,
        repeated=True,
        says="Slow down.",
    ),
    "403": Row(
        reply=refused(403, "forbidden"),
        error=UpstreamHTTPError,
        code="upstream_http",
        info="httpConnectionFailed",
        status=403,
        repeated=True,
    ),
    "404": Row(
        reply=refused(404, "not_found"),
        error=UpstreamHTTPError,
        code="upstream_http",
        info="httpConnectionFailed",
        status=404,
        repeated=True,
    ),
    "502": Row(
        reply=server_error(502),
        error=UpstreamHTTPError,
        code="upstream_http",
        info="httpConnectionFailed",
        status=502,
        retryable=True,
        repeated=True,
    ),
    "400-model": Row(
        reply=model_unsupported("gpt-6-luna"),
        error=ModelNotSupportedError,
        code="model_not_supported",
        status=400,
        says="The 'gpt-6-luna' model is not supported when using Codex with a ChatGPT account.",
        more={"model": "gpt-6-luna"},
    ),
    "400-schema": Row(
        reply=refused(400, "invalid_json_schema", "Invalid schema for response_format: 'required' is missing."),
        error=InvalidRequestError,
        code="invalid_request",
        status=400,
        says="Invalid schema for response_format: 'required' is missing.",
    ),
    "400-invalid_prompt": Row(
        reply=refused(400, "invalid_prompt", "Invalid prompt: it was flagged."),
        error=InvalidRequestError,
        code="invalid_request",
        status=400,
        says="Invalid prompt: it was flagged.",
    ),
    "failed-invalid_prompt": Row(
        reply=Failed("invalid_prompt", "Invalid prompt: it was flagged."),
        error=InvalidRequestError,
        code="invalid_request",
        status=400,
        says="Invalid prompt: it was flagged.",
    ),
    "400-context_length_exceeded": Row(
        reply=context_length_exceeded(), error=ContextWindowExceededError, code="context_window_exceeded", status=400
    ),
    "failed-context_length_exceeded": Row(
        reply=Failed("context_length_exceeded"),
        error=ContextWindowExceededError,
        code="context_window_exceeded",
        info="contextWindowExceeded",
    ),
    "503": Row(reply=overloaded(), error=OverloadedError, code="overloaded", info="serverOverloaded", retryable=True),
    "failed-server_is_overloaded": Row(
        reply=Failed("server_is_overloaded"),
        error=OverloadedError,
        code="overloaded",
        info="serverOverloaded",
        retryable=True,
    ),
    "500": Row(
        reply=server_error(),
        error=UpstreamServerError,
        code="upstream_server_error",
        info="internalServerError",
        retryable=True,
        repeated=True,
    ),
    "failed-cyber_policy": Row(
        reply=Failed("cyber_policy", "Not this."),
        error=PolicyBlockedError,
        code="policy_blocked",
        info="cyberPolicy",
        says="Not this.",
    ),
    "cut": Row(
        reply=Cut("A qu"), error=StreamDisconnectedError, code="stream_disconnected", retryable=True, repeated=True
    ),
    "cut-at-once": Row(
        reply=Cut(), error=StreamDisconnectedError, code="stream_disconnected", retryable=True, repeated=True
    ),
    "failed-server_error": Row(
        reply=Failed("server_error", "Broken."),
        error=StreamDisconnectedError,
        code="stream_disconnected",
        retryable=True,
        repeated=True,
        says="Broken.",
    ),
    "incomplete-max_output_tokens": Row(
        reply=Incomplete("max_output_tokens", "A qu"),
        error=IncompleteReplyError,
        code="incomplete_reply",
        more={"reason": "max_output_tokens"},
    ),
    "incomplete-content_filter": Row(
        reply=Incomplete("content_filter"),
        error=IncompleteReplyError,
        code="incomplete_reply",
        repeated=True,
        more={"reason": "content_filter"},
    ),
    "only-completed": Row(reply=Empty(), error=EmptyReplyError, code="empty_reply", info=None, retryable=True),
    "only-reasoning": Row(
        reply=Items([reasoning("Hm.")]), error=EmptyReplyError, code="empty_reply", info=None, retryable=True
    ),
    "only-commentary": Row(
        reply=Items([message("One moment.", "commentary")]),
        error=EmptyReplyError,
        code="empty_reply",
        info=None,
        retryable=True,
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_each_failure_of_the_service_has_its_exception(
    row: Row, websocket: bool, codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(*[AGAIN_SOON] * ((11 if websocket else 5) if row.repeated else 0))
    chatgpt.default = row.reply
    with pytest.raises(CodexOAuthError) as caught:
        await codex.complete(PROMPT, instructions=INSTRUCTIONS)
    error = caught.value
    assert type(error) is row.error
    assert (error.code, error.retryable) == (row.code, row.retryable)
    assert isinstance(error, TurnError)
    assert (error.codex_error_info, error.http_status) == (row.info, row.status)
    assert {name: getattr(error, name) for name in row.more} == row.more
    assert row.says in error.message
    assert "{" not in error.message
    if not row.repeated and row.error is not OverloadedError:
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


# --- the sign-in -----------------------------------------------------------------------------------------------------

REFUSALS: Final[Mapping[RefreshRefusal, ReauthenticationReason]] = {
    "expired": "expired",
    "reused": "reused",
    "invalidated": "revoked",
    "other": "other",
}


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
@pytest.mark.parametrize(("refusal", "reason"), REFUSALS.items(), ids=REFUSALS)
async def test_a_refused_refresh_says_why_and_what_to_do(
    codex: AsyncCodex,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    refusal: RefreshRefusal,
    reason: ReauthenticationReason,
    websocket: bool,
) -> None:
    chatgpt.websocket = websocket
    # Over a WebSocket codex repeats a 401 as it is; it asks for a new token once it has gone over to POST.
    chatgpt.script(*[AGAIN_SOON] * (6 if websocket else 0))
    chatgpt.default = unauthorized()
    chatgpt.refuse_refresh(refusal)
    with pytest.raises(ReauthenticationRequired) as caught:
        await codex.complete(PROMPT)
    assert type(caught.value) is ReauthenticationRequired
    assert f"CODEX_HOME={settings.home}" in caught.value.message
    assert (caught.value.reason, caught.value.code, caught.value.retryable) == (
        reason,
        "reauthentication_required",
        False,
    )


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_a_token_that_is_refused_although_it_was_just_refreshed(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    chatgpt.websocket = websocket
    chatgpt.script(*[AGAIN_SOON] * (11 if websocket else 5))
    chatgpt.default = unauthorized()
    with pytest.raises(CredentialRejectedError) as caught:
        await codex.complete(PROMPT)
    error = caught.value
    assert type(error) is CredentialRejectedError
    assert (error.code, error.retryable, error.exit_status) == ("credential_rejected", False, 3)
    assert (error.codex_error_info, error.http_status) == ("httpConnectionFailed", 401)
    assert "/oauth/token" in {request.path for request in chatgpt.requests}


@pytest.mark.anyio
@pytest.mark.parametrize("refusal", [None, "invalidated"])
async def test_a_sign_in_that_every_part_of_the_service_refuses_has_to_be_made_anew(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, refusal: RefreshRefusal | None
) -> None:
    chatgpt.reject_all_access_tokens = True
    chatgpt.refuse_refresh(refusal)
    with pytest.raises(ReauthenticationRequired, match="sign in again") as caught:
        await codex.complete(PROMPT)
    assert f"CODEX_HOME={settings.home}" in caught.value.message
    assert chatgpt.model_requests == ()


@pytest.mark.anyio
async def test_an_expired_sign_in_that_cannot_be_refreshed_has_to_be_made_anew(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-10)
    chatgpt.refuse_refresh("expired")
    with pytest.raises(ReauthenticationRequired, match="sign in again"):
        await codex.complete(PROMPT)
    assert chatgpt.model_requests == ()


@pytest.mark.anyio
async def test_a_token_that_has_run_out_is_refreshed_without_a_word(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-10)
    chatgpt.script(Text("fine"))
    assert (await codex.complete(PROMPT)).text == "fine"
    assert len([request for request in chatgpt.requests if request.path == "/oauth/token"]) == 1


@pytest.mark.anyio
async def test_without_a_sign_in_nothing_is_sent(
    codex: AsyncCodex, signed_out: Settings, chatgpt: LoopbackChatGPT
) -> None:
    (signed_out.home / "auth.json").unlink()
    with pytest.raises(NotLoggedInError) as caught:
        await codex.complete(PROMPT)
    assert (caught.value.code, caught.value.retryable) == ("not_logged_in", False)
    assert chatgpt.connections == Counter()


@pytest.mark.anyio
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
async def test_with_an_api_key_nothing_is_sent(
    codex: AsyncCodex, signed_out: Settings, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    (signed_out.home / "auth.json").unlink()
    chatgpt.sign_in_with_api_key(signed_out.home)
    async with AsyncExitStack() as stack:
        if shared:
            await stack.enter_async_context(codex)
        with pytest.raises(WrongAccountError) as caught:
            await codex.complete(PROMPT)
    assert (caught.value.code, caught.value.retryable, caught.value.account) == ("wrong_account", False, "apiKey")
    assert chatgpt.connections == Counter()


@pytest.mark.parametrize("api_key", [False, True], ids=["signed-out", "api-key"])
@pytest.mark.parametrize(
    "arguments",
    [("complete", PROMPT), ("complete", "--json", PROMPT), ("classify", "--command", "ls", "--json"), ("status",)],
    ids=["complete", "complete-json", "classify", "status"],
)
def test_the_command_line_names_the_command_that_signs_in(
    run_cli: RunCLI, signed_out: Settings, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...], api_key: bool
) -> None:
    (signed_out.home / "auth.json").unlink()
    if api_key:
        chatgpt.sign_in_with_api_key(signed_out.home)
    done = run_cli(*arguments)
    assert done.returncode == 3
    assert done.stdout == b"" or arguments == ("status",)
    said = done.stderr.decode()
    assert f"CODEX_HOME={signed_out.home}" in said
    assert said.rstrip().endswith(" login")
    assert "Traceback" not in said
    assert chatgpt.connections == Counter()


# --- the account service and the network -----------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [HttpResponse(500, {}), HttpResponse(403, {}), HttpResponse(404, {}), HttpResponse(200, b"<html>"), DROP],
    ids=["500", "403", "404", "no-json", "dropped"],
)
async def test_an_account_service_that_fails_is_not_the_same_as_signed_out(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, answer: HttpResponse
) -> None:
    chatgpt.respond(ACCOUNTS, answer)
    with pytest.raises(AccountCheckError) as caught:
        await codex.complete(PROMPT)
    assert type(caught.value) is AccountCheckError
    assert (caught.value.code, caught.value.retryable, caught.value.exit_status) == ("account_check", True, 1)
    assert chatgpt.model_requests == ()


async def fails_at_its_deadline(codex: AsyncCodex, seconds: float) -> DeadlineExceededError:
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError) as caught:
        await codex.complete(PROMPT, instructions=INSTRUCTIONS, timeout=seconds)
    assert seconds <= time.monotonic() - began < seconds + 0.5
    return caught.value


@pytest.mark.anyio
@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_a_network_that_goes_away_is_named_at_the_deadline(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    def unplug(request: ModelRequest) -> Reply:
        chatgpt.offline = True
        return Hang()

    chatgpt.websocket = websocket
    chatgpt.script(unplug)
    error = await fails_at_its_deadline(codex, 1.5)
    assert type(error) is NetworkUnavailableError
    assert (error.code, error.retryable, error.phase) == ("network_unavailable", True, "first_event")


@pytest.mark.anyio
async def test_without_a_network_the_call_ends_before_it_begins(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.offline = True
    with pytest.raises(AccountCheckError):
        await codex.complete(PROMPT)
    assert chatgpt.requests == ()


@pytest.mark.anyio
async def test_an_account_service_that_says_nothing_ends_at_the_deadline(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.respond(ACCOUNTS, HANG)
    error = await fails_at_its_deadline(codex, 1.0)
    assert type(error) is DeadlineExceededError
    assert error.phase == "initialize"


@pytest.mark.anyio
async def test_a_reply_that_stops_in_the_middle_ends_at_the_deadline(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.script(Hang("A qu"))
    error = await fails_at_its_deadline(codex, 1.0)
    assert type(error) is DeadlineExceededError
    assert (error.code, error.retryable, error.phase) == ("deadline_exceeded", True, "first_text")


@pytest.mark.anyio
async def test_a_deadline_that_passes_while_codex_repeats_a_request_says_what_it_was_answered(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = refused(403, "forbidden")
    error = await fails_at_its_deadline(codex, 1.5)
    assert type(error) is DeadlineExceededError
    assert "status 403" in error.message


# --- what an error must not say --------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("wrapped", [partial(Failed, "cyber_policy"), partial(refused, 400, "invalid_json_schema")])
async def test_no_error_quotes_content_tokens_or_an_address(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, wrapped: Callable[[str], Reply]
) -> None:
    """Even where the service itself quotes them."""
    token = (settings.home / "auth.json").read_text().split('"access_token": "')[1].split('"')[0]
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
