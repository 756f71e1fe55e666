"""The account service or the network fails, or nothing more is heard: what ends the call, and when."""

from __future__ import annotations

import time

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import AccountCheckError, DeadlineExceededError, NetworkUnavailableError
from codex_oauth.testing import DROP, HANG, Hang, HttpError, HttpResponse, LoopbackChatGPT, ModelRequest, Reply
from tests.real.endpoints import ACCOUNT
from tests.real.samples import INSTRUCTIONS, PROMPT


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [HttpResponse(500, {}), HttpResponse(403, {}), HttpResponse(404, {}), HttpResponse(200, b"<html>"), DROP],
    ids=["500", "403", "404", "no-json", "dropped"],
)
async def test_an_account_service_that_fails_is_not_the_same_as_signed_out(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, answer: HttpResponse
) -> None:
    chatgpt.respond(ACCOUNT, answer)
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
@pytest.mark.usefixtures("transport")
async def test_a_network_that_goes_away_is_named_at_the_deadline(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    def unplug(request: ModelRequest) -> Reply:
        chatgpt.offline = True
        return Hang()

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
    chatgpt.respond(ACCOUNT, HANG)
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
    chatgpt.default = HttpError(
        403, {"error": {"type": "invalid_request_error", "code": "forbidden", "message": "Refused."}}
    )
    error = await fails_at_its_deadline(codex, 1.5)
    assert type(error) is DeadlineExceededError
    assert "status 403" in error.message
