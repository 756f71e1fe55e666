"""A sign-in that is refused, has run out, is missing or is the wrong one: what the user is told to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Final

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import (
    CredentialRejectedError,
    NotLoggedInError,
    ReauthenticationReason,
    ReauthenticationRequired,
    WrongAccountError,
)
from codex_oauth.testing import LoopbackChatGPT, Reply, Text, unauthorized
from codex_oauth.testing.tokens import RefreshRefusal
from tests.conftest import RunCLI
from tests.real.samples import PROMPT

REFUSALS: Final[Mapping[RefreshRefusal, ReauthenticationReason]] = {
    "expired": "expired",
    "reused": "reused",
    "invalidated": "revoked",
    "other": "other",
}


@pytest.mark.anyio
@pytest.mark.parametrize(("refusal", "reason"), REFUSALS.items(), ids=REFUSALS)
async def test_a_refused_refresh_says_why_and_what_to_do(
    codex: AsyncCodex,
    chatgpt: LoopbackChatGPT,
    refusal: RefreshRefusal,
    reason: ReauthenticationReason,
    before_post: Sequence[Reply],
) -> None:
    # Over a WebSocket codex repeats a 401 as it is; it asks for a new token once it has gone over to POST.
    chatgpt.script(*before_post)
    chatgpt.default = unauthorized()
    chatgpt.refuse_refresh(refusal)
    with pytest.raises(ReauthenticationRequired) as caught:
        await codex.complete(PROMPT)
    assert type(caught.value) is ReauthenticationRequired
    assert caught.value.message.endswith("; sign in again: codex-oauth login")
    assert (caught.value.reason, caught.value.code, caught.value.retryable) == (
        reason,
        "reauthentication_required",
        False,
    )


@pytest.mark.anyio
async def test_a_token_that_is_refused_although_it_was_just_refreshed(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, before_last: Sequence[Reply]
) -> None:
    chatgpt.script(*before_last)
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
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, refusal: RefreshRefusal | None
) -> None:
    chatgpt.reject_all_access_tokens = True
    chatgpt.refuse_refresh(refusal)
    with pytest.raises(ReauthenticationRequired, match=r"; sign in again: codex-oauth login$"):
        await codex.complete(PROMPT)
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
    async with codex if shared else nullcontext():
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
    assert said.endswith(": codex-oauth login\n")
    assert "Traceback" not in said
    assert chatgpt.connections == Counter()
