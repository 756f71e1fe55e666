"""Whatever a shell exports, the subscription pays, and nobody else is asked."""

from __future__ import annotations

import json
from typing import Final

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.testing import LoopbackChatGPT, Request
from tests.real.account.conftest import Start
from tests.real.account.people import Shown, auth_of, sign_in
from tests.real.samples import PRIME, PROMPT

PLANTED: Final = {
    "OPENAI_API_KEY": "sk-planted-openai",
    "CODEX_API_KEY": "sk-planted-codex",
    "CODEX_ACCESS_TOKEN": "planted-access-token",
    "OPENAI_BASE_URL": "https://planted.example/v1",
    "OPENAI_API_BASE": "https://planted.example/v1",
    "OPENAI_ORGANIZATION": "org-planted",
    "OPENAI_ORG_ID": "org-planted",
    "OPENAI_PROJECT": "proj-planted",
    "AZURE_OPENAI_API_KEY": "planted-azure",
    "AZURE_OPENAI_ENDPOINT": "https://planted.example/azure",
    "ANTHROPIC_API_KEY": "sk-ant-planted",
    "OPENROUTER_API_KEY": "sk-or-planted",
    "CHATGPT_BASE_URL": "https://planted.example/backend-api",
    "CODEX_HOME": "/nonexistent/planted",
    "CODEX_ACCOUNT_ID": "acc_planted",
    "CHATGPT_ACCOUNT_ID": "acc_planted",
    "CODEX_REFRESH_TOKEN_URL_OVERRIDE": "https://planted.example/oauth/token",
    "CODEX_AUTHAPI_BASE_URL": "https://planted.example/api",
    "CODEX_APP_SERVER_LOGIN_ISSUER": "https://planted.example",
    "CODEX_APP_SERVER_LOGIN_CLIENT_ID": "planted-client",
}
"""Each of them could make somebody else pay, or somebody else answer."""


COMMANDS: Final = {
    "complete": ("complete", PROMPT),
    "complete-sse": ("complete", PROMPT),
    "stream": ("complete", "--stream", PROMPT),
    "classify": ("classify", "--command", "ls"),
    "refresh": ("complete", PROMPT),
    "status": ("status",),
    "limits": ("limits",),
    "browser": ("login", "--browser"),
    "device": ("login", "--device"),
    "logout": ("logout",),
}


@pytest.fixture(params=COMMANDS)
def name(request: pytest.FixtureRequest) -> str:
    """Each of the commands."""
    if request.param == "browser":
        request.getfixturevalue("login_port")
    return request.param


@pytest.mark.usefixtures("name")
def test_the_service_sees_the_subscriptions_token_alone(
    start: Start, settings: Settings, chatgpt: LoopbackChatGPT, name: str
) -> None:
    chatgpt.websocket = name != "complete-sse"
    if name == "refresh":
        chatgpt.sign_in(settings.home, expires_in=-60)
    tokens = {auth_of(settings.home)["tokens"]["access_token"]}
    program = start("-m", "codex_oauth", *COMMANDS[name], **PLANTED)
    if name in ("browser", "device"):
        sign_in(chatgpt, Shown(program))
    _, complained = program.communicate(timeout=30)
    assert program.returncode == 0, complained
    if name != "logout":
        tokens.add(auth_of(settings.home)["tokens"]["access_token"])
    assert chatgpt.refused == {}
    assert set(chatgpt.connections) <= {"chatgpt.com", "auth.openai.com"}
    assert chatgpt.requests
    for request in chatgpt.requests:
        assert request.bearer in (tokens if request.host == "chatgpt.com" else {None}), request
        assert planted_in(request) == []
    assert {request.headers.get("chatgpt-account-id", "acc_1") for request in chatgpt.requests} == {"acc_1"}


def planted_in(request: Request) -> list[str]:
    """What a request has of what was exported."""
    text = json.dumps([dict(request.query), dict(request.headers)]) + request.body.decode("utf-8", "replace")
    return [name for name, value in PLANTED.items() if value in text or "planted" in text]


@pytest.mark.anyio
async def test_a_program_that_changes_its_environment_later_changes_nothing(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    own = load_settings(environ={**environ, **PLANTED})
    async with AsyncCodex(settings=own) as codex:
        assert (await codex.complete(PROMPT, output=PRIME)).account.plan == "plus"
    token = auth_of(settings.home)["tokens"]["access_token"]
    assert {request.bearer for request in chatgpt.requests} == {token}
    assert set(chatgpt.connections) == {"chatgpt.com"}
