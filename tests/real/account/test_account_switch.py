"""Somebody else is signed in, or nobody any more, while an app-server runs: whoever is so pays for the next call."""

from __future__ import annotations

import subprocess

import anyio
import pytest
from anyio import to_thread

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import NotLoggedInError, WrongAccountError
from codex_oauth.sync_client import Codex
from codex_oauth.testing import LoopbackChatGPT
from tests.conftest import RunCLI
from tests.real.account.conftest import Start
from tests.real.account.people import Shown, auth_of, nothing_runs
from tests.real.samples import PROMPT

pytestmark = pytest.mark.anyio


def payers(chatgpt: LoopbackChatGPT) -> list[str]:
    return [request.request.headers["chatgpt-account-id"] for request in chatgpt.model_requests]


async def sign_in_elsewhere(start: Start, chatgpt: LoopbackChatGPT) -> None:
    """Another process signs in, on the same home."""

    def run() -> None:
        program = start("-m", "codex_oauth", "login", "--device")
        user_code = Shown(program).user_code
        assert user_code is not None
        chatgpt.approve_device(user_code, plan="pro", email="other@example.com")
        assert program.wait(20) == 0

    await to_thread.run_sync(run)


async def test_the_next_call_is_paid_for_by_whoever_has_signed_in(
    codex: AsyncCodex, settings: Settings, start: Start, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, account_id="acc_old")
    async with codex:
        for _ in range(2):
            await codex.complete(PROMPT)
        await sign_in_elsewhere(start, chatgpt)
        for _ in range(2):
            assert (await codex.complete(PROMPT)).account.plan == "pro"
        assert (await codex.account()).email == "other@example.com"
        assert codex.settings.home == settings.home
    assert payers(chatgpt) == ["acc_old", "acc_old", "acc_1", "acc_1"]
    assert chatgpt.model_requests[-1].request.bearer == auth_of(settings.home)["tokens"]["access_token"]
    assert nothing_runs(settings.home)


def test_a_blocking_client_sees_it_too(settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(settings.home, account_id="acc_old")
    with Codex(settings=settings) as codex:
        codex.complete(PROMPT)
        chatgpt.sign_in(settings.home, account_id="acc_new", plan="pro")
        with codex.stream(PROMPT) as stream:
            assert stream.reply().account.plan == "pro"
    assert payers(chatgpt) == ["acc_old", "acc_new"]


async def test_the_next_call_after_a_sign_out_asks_nobody(
    codex: AsyncCodex, settings: Settings, run_cli: RunCLI, chatgpt: LoopbackChatGPT
) -> None:
    async with codex:
        await codex.complete(PROMPT)
        done: subprocess.CompletedProcess[bytes] = await to_thread.run_sync(run_cli, "logout")
        assert (done.returncode, (settings.home / "auth.json").exists()) == (0, False)
        chatgpt.reset()
        for ask in (codex.complete, codex.complete):
            with pytest.raises(NotLoggedInError, match=r"not signed in; .*: codex-oauth login$"):
                await ask(PROMPT)
        with pytest.raises(NotLoggedInError):
            await codex.account()
        assert chatgpt.requests == ()
        chatgpt.sign_in(settings.home, account_id="acc_new")
        await codex.complete(PROMPT)
    assert payers(chatgpt) == ["acc_new"]


async def test_the_next_call_after_a_change_to_an_api_key_asks_nobody(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    async with codex:
        await codex.complete(PROMPT)
        chatgpt.sign_in_with_api_key(settings.home)
        chatgpt.reset()
        with pytest.raises(WrongAccountError, match="which would be billed"):
            await codex.complete(PROMPT)
        assert chatgpt.connections == {}
        chatgpt.sign_in(settings.home)
        assert (await codex.complete(PROMPT)).account.plan == "plus"


async def test_a_call_that_runs_is_finished_by_whoever_began_it(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    """And the next one, meanwhile, is not held up by it."""
    chatgpt.sign_in(settings.home, account_id="acc_old")
    chatgpt.latency = 1.0
    plans: list[str | None] = []

    async def ask() -> None:
        plans.append((await codex.complete(PROMPT)).account.plan)

    async with codex, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(ask)
        await to_thread.run_sync(chatgpt.wait_for_model_requests, 2)
        chatgpt.latency = 0.0
        chatgpt.sign_in(settings.home, account_id="acc_new", plan="pro")
        await ask()
        assert plans == ["pro"]
    assert plans == ["pro", "plus", "plus"]
    assert payers(chatgpt) == ["acc_old", "acc_old", "acc_new"]
    assert nothing_runs(settings.home)


async def test_many_calls_after_a_change_share_one_new_app_server(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, account_id="acc_old")
    warm: list[bool] = []

    async def ask() -> None:
        warm.append((await codex.complete(PROMPT)).warm)

    async with codex:
        await ask()
        chatgpt.sign_in(settings.home, account_id="acc_new")
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(ask)
    assert payers(chatgpt) == ["acc_old", *["acc_new"] * 10]
    assert warm.count(False) == 2


async def test_another_sign_in_of_the_same_account_goes_on_without_a_new_app_server(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    async with codex:
        await codex.complete(PROMPT)
        chatgpt.revoke_access_tokens()
        chatgpt.sign_in(settings.home)
        chatgpt.websocket = False
        reply = await codex.complete(PROMPT)
    assert reply.warm
    assert chatgpt.model_requests[-1].request.bearer == auth_of(settings.home)["tokens"]["access_token"]
    assert chatgpt.refresh_requests == ()
