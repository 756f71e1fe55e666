"""A sign-in that the service does not let happen, or about which it then says nothing."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest
from anyio import to_thread

from codex_oauth.errors import AccountCheckError, LoginError, LoginFailure, ReauthenticationRequired
from codex_oauth.testing import DROP, BrowserLoginError, HttpResponse, LoopbackChatGPT, NoResponse
from tests.real.account.people import AGAIN, Kept, Way, auth_of, begin, cannot_start, nothing_runs, sign_in, ways
from tests.real.endpoints import ACCOUNT
from tests.real.samples import PROMPT

USER_CODE = "/api/accounts/deviceauth/usercode"
POLL = "/api/accounts/deviceauth/token"
TOKEN = "/oauth/token"

pytestmark = pytest.mark.anyio


async def test_device_codes_that_are_not_enabled_say_where_to_enable_them(kept: Kept, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.respond(USER_CODE, HttpResponse(404, {"detail": "Not Found"}))
    said = await cannot_start(kept.codex.login_device(), "unavailable")
    assert said == (
        "device codes are not enabled for this account: allow them in ChatGPT's security settings, or use a browser: "
        "codex-oauth login --browser"
    )
    await kept.still_is()


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        (HttpResponse(500, {}), AGAIN),
        (HttpResponse(403, b"<html>"), AGAIN),
        (HttpResponse(200, b"<html>"), AGAIN),
        (DROP, "; see to the network, and start again: codex-oauth login"),
    ],
    ids=["500", "403", "no-json", "dropped"],
)
async def test_a_service_that_gives_no_code_is_named(
    kept: Kept, chatgpt: LoopbackChatGPT, answer: HttpResponse | NoResponse, step: str
) -> None:
    chatgpt.respond(USER_CODE, answer)
    said = await cannot_start(kept.codex.login_device(), "unavailable")
    assert said.startswith("the sign-in could not be started: ")
    assert said.endswith(step)
    await kept.still_is()


async def test_without_a_network_there_is_no_code(kept: Kept, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.offline = True
    said = await cannot_start(kept.codex.login_device(), "unavailable")
    assert said.endswith("; see to the network, and start again: codex-oauth login")
    chatgpt.offline = False
    await kept.still_is()


async def test_a_network_that_goes_away_while_the_code_is_typed_ends_the_wait(
    kept: Kept, chatgpt: LoopbackChatGPT
) -> None:
    async with kept.codex.login_device() as login:
        chatgpt.offline = True
        with pytest.raises(LoginError, match="see to the network, and start again") as caught, anyio.fail_after(10):
            await login.wait()
    assert caught.value.reason == "unavailable"
    chatgpt.offline = False
    await kept.still_is()


@ways
@pytest.mark.parametrize(
    ("answer", "reason"), [(HttpResponse(500, {}), "other"), (DROP, "unavailable")], ids=["500", "dropped"]
)
async def test_a_service_that_gives_no_token_ends_the_sign_in(
    kept: Kept, chatgpt: LoopbackChatGPT, way: Way, answer: HttpResponse | NoResponse, reason: LoginFailure
) -> None:
    chatgpt.respond(TOKEN, answer)
    async with begin(kept.codex, way) as login:
        with suppress(BrowserLoginError):
            await to_thread.run_sync(sign_in, chatgpt, login)
        with pytest.raises(LoginError, match=r"start again: codex-oauth login$") as caught, anyio.fail_after(10):
            await login.wait()
    assert caught.value.reason == reason
    chatgpt.respond(TOKEN, None)
    await kept.still_is()


async def test_a_service_that_no_longer_knows_the_code_ends_the_sign_in(kept: Kept, chatgpt: LoopbackChatGPT) -> None:
    async with kept.codex.login_device() as login:
        chatgpt.respond(POLL, HttpResponse(500, {}))
        with pytest.raises(LoginError, match=r"status 500.*; start again") as caught, anyio.fail_after(10):
            await login.wait()
    assert caught.value.reason == "other"
    await kept.still_is()


@ways
@pytest.mark.parametrize(
    ("status", "error"), [(500, AccountCheckError), (401, ReauthenticationRequired)], ids=["500", "401"]
)
async def test_whoever_has_signed_in_is_signed_in_although_nothing_can_be_said_of_the_account(
    kept: Kept, chatgpt: LoopbackChatGPT, way: Way, status: int, error: type[Exception]
) -> None:
    """codex stores the sign-in, asks, and calls the sign-in failed: that would be said of somebody who is signed in."""
    before = auth_of(kept.codex.settings.home)["tokens"]["access_token"]
    chatgpt.respond(ACCOUNT, lambda request: None if request.bearer == before else HttpResponse(status, {}))
    async with begin(kept.codex, way) as login:
        with suppress(BrowserLoginError):
            await to_thread.run_sync(sign_in, chatgpt, login)
        for _ in range(2):
            with anyio.fail_after(10), pytest.raises(error):
                await login.wait()
    assert nothing_runs(kept.codex.settings.home)
    chatgpt.respond(ACCOUNT, None)
    assert (await kept.codex.complete(PROMPT)).account.plan == "plus"
