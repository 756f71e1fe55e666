"""An external token that the service refuses: another one is asked for, or the call ends at once."""

from __future__ import annotations

import shlex
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from codex_oauth.errors import CodexOAuthError, DeadlineExceededError, ExternalTokenError
from codex_oauth.testing import HttpResponse, LoopbackChatGPT
from tests.real.account.people import nothing_runs
from tests.real.account.vault import Fleet, Vault, refuse
from tests.real.endpoints import ACCOUNT, RESPONSES, SETTINGS
from tests.real.samples import PROMPT
from tests.scripted import ended

pytestmark = pytest.mark.anyio
shared_or_own = pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])


@pytest.mark.parametrize("path", [RESPONSES, ACCOUNT], ids=["turn", "account"])
@pytest.mark.parametrize("given", ["command", "variable-and-command"])
@shared_or_own
async def test_a_token_that_is_refused_is_asked_for_anew_and_the_call_goes_on(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, path: str, given: str, shared: bool
) -> None:
    old = vault.token
    codex = fleet(command=True, **({} if given == "command" else {"CODEX_OAUTH_CREDENTIAL": vault.credential}))
    vault.is_late_once()
    refuse(chatgpt, old, path)
    new = vault.renew()
    async with codex if shared else nullcontext():
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
        assert old in {request.bearer for request in chatgpt.requests}
        assert chatgpt.model_requests[-1].request.bearer == new
        if shared:
            asked = vault.asked
            await codex.complete(PROMPT)
            assert vault.asked == asked
    assert chatgpt.refresh_requests == ()


async def test_a_running_app_server_asks_for_another_token_when_its_own_is_refused(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT
) -> None:
    async with fleet(command=True) as codex:
        await codex.complete(PROMPT)
        refuse(chatgpt, vault.token)
        new = vault.renew()
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
    assert chatgpt.model_requests[-1].request.bearer == new
    assert vault.asked <= 3


@pytest.mark.parametrize("path", [RESPONSES, ACCOUNT], ids=["turn", "account"])
@shared_or_own
async def test_without_a_program_to_ask_the_call_ends_at_once(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, path: str, shared: bool
) -> None:
    codex = fleet(CODEX_OAUTH_CREDENTIAL=vault.credential)
    refuse(chatgpt, vault.token, path)
    async with codex if shared else nullcontext():
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(ExternalTokenError) as caught:
                await codex.complete(PROMPT)
            assert time.monotonic() - began < 3
            assert caught.value.message == (
                "the service refuses the token in CODEX_OAUTH_CREDENTIAL; set a fresh one, or a token_command in the "
                "configuration"
            )
            assert (caught.value.retryable, caught.value.exit_status) == (False, 3)
        chatgpt.respond(path, None)
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
    assert nothing_runs(codex.settings.home)


@pytest.mark.parametrize(
    ("script", "message", "shared"),
    [
        ("echo no >&2; exit 7", "vault-token ended with status 7", False),
        ("echo not-a-credential", "token_command: not valid JSON", True),
        ("echo '{}'", "token_command: no 'access_token'", False),
        ("printf '\\377'", "what it printed is not UTF-8", True),
    ],
    ids=["status", "no-json", "no-token", "no-text"],
)
async def test_a_program_that_fails_in_mid_call_ends_the_call_at_once(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, script: str, message: str, shared: bool
) -> None:
    codex = fleet(command=True, CODEX_OAUTH_CREDENTIAL=vault.credential)
    async with codex if shared else nullcontext():
        if shared:
            await codex.complete(PROMPT)
        refuse(chatgpt, vault.token)
        vault.prints(script)
        began = time.monotonic()
        with pytest.raises(ExternalTokenError) as caught:
            await codex.complete(PROMPT)
        assert time.monotonic() - began < 3
        assert message in caught.value.message
        assert vault.asked <= 2
    assert nothing_runs(codex.settings.home)


async def test_a_program_that_says_nothing_is_given_up_with_its_call(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    codex = fleet(command=True, CODEX_OAUTH_CREDENTIAL=vault.credential)
    refuse(chatgpt, vault.token)
    vault.prints(f"echo $$ > {shlex.quote(str(tmp_path / 'pid'))}; exec sleep 600")
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await codex.complete(PROMPT, timeout=1.0)
    assert time.monotonic() - began < 2
    assert ended(int((tmp_path / "pid").read_text()))
    assert nothing_runs(codex.settings.home)


@pytest.mark.parametrize(("path", "shared"), [(RESPONSES, False), (RESPONSES, True), (ACCOUNT, False)])
async def test_a_program_whose_every_token_is_refused_is_not_asked_for_ever(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, path: str, shared: bool
) -> None:
    codex = fleet(command=True)
    chatgpt.websocket = False
    chatgpt.respond(path, HttpResponse(401, {"error": {"code": "token_expired"}}))
    async with codex if shared else nullcontext():
        began = time.monotonic()
        with pytest.raises(CodexOAuthError) as caught:
            await codex.complete(PROMPT, timeout=8)
        assert time.monotonic() - began < 8
        assert caught.value.code in {"external_token", "credential_rejected"}
        assert vault.asked <= 6
        chatgpt.respond(path, None)
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"


@shared_or_own
async def test_settings_that_are_refused_are_no_loop_of_questions(
    fleet: Fleet, vault: Vault, chatgpt: LoopbackChatGPT, shared: bool
) -> None:
    """With a sign-in of the home's own, codex makes one of it."""
    codex = fleet(command=True)
    chatgpt.respond(SETTINGS, HttpResponse(401, {"error": {"code": "token_expired"}}))
    async with codex if shared else nullcontext():
        assert (await codex.complete(PROMPT)).text == f"You said: {PROMPT}"
        assert vault.asked <= 3
