"""A network that refuses WebSockets so that codex tries for six seconds: paid once, and not again for an hour."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError
from codex_oauth.home import prepare_home
from codex_oauth.home.network import REMEMBERED_FOR, Network
from codex_oauth.process import find_binary
from codex_oauth.testing import HttpResponse, LoopbackChatGPT, Request

pytestmark = pytest.mark.anyio

RESPONSES = "/backend-api/codex/responses"
PROMPT = "hello"


@pytest.fixture
def anyio_backend() -> str:
    """One is enough, for what takes seconds."""
    return "asyncio"


@pytest.fixture
def own(settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> Settings:
    """A home that remembers nothing of any network."""
    own = replace(settings, state_dir=tmp_path / "state", home=tmp_path / "state/codex-home")
    prepare_home(own, find_binary(own))
    chatgpt.sign_in(own.home)
    return own


@pytest.fixture
def refusing(chatgpt: LoopbackChatGPT) -> Iterator[LoopbackChatGPT]:
    """Such a network."""

    def answer(request: Request) -> HttpResponse | None:
        return HttpResponse(403, {"detail": "no upgrades here"}) if request.method == "GET" else None

    chatgpt.respond(RESPONSES, answer)
    yield chatgpt
    chatgpt.respond(RESPONSES, None)


def upgrades(chatgpt: LoopbackChatGPT) -> int:
    return sum(request.path == RESPONSES and request.method == "GET" for request in chatgpt.requests)


async def ask(codex: AsyncCodex) -> float:
    began = time.monotonic()
    assert (await codex.complete(PROMPT, instructions="Be brief.")).text == f"You said: {PROMPT}"
    return time.monotonic() - began


async def test_it_is_waited_for_once_and_not_by_the_calls_after_it(own: Settings, refusing: LoopbackChatGPT) -> None:
    codex = AsyncCodex(settings=own)
    assert await ask(codex) > 3
    tried = upgrades(refusing)
    assert tried > 1
    assert await ask(codex) < 3
    async with AsyncCodex(settings=own) as shared:
        for _ in range(4):
            assert await ask(shared) < 3
    assert upgrades(refusing) == tried
    first, *others = refusing.model_requests
    for other in others:
        assert (other.transport, other.text, other.tools) == ("sse", first.text, first.tools)
        assert other.request.bearer == first.request.bearer
        assert other.request.host == "chatgpt.com"
        assert other.request.headers["chatgpt-account-id"] == first.request.headers["chatgpt-account-id"]
    assert set(refusing.connections) == {"chatgpt.com"}


@pytest.mark.slow  # codex tries for six seconds, twice
async def test_a_shared_app_server_learns_it_too(own: Settings, refusing: LoopbackChatGPT) -> None:
    async with AsyncCodex(settings=own) as codex:
        took = [await ask(codex) for _ in range(8)]
    assert took[0] > 3
    assert took[-1] < 3
    assert Network(own).refuses_websockets


async def test_where_the_service_does_not_take_the_other_way_it_is_forgotten(
    own: Settings, chatgpt: LoopbackChatGPT
) -> None:
    Network(own).note()
    chatgpt.respond(RESPONSES, HttpResponse(400, {"detail": "no version"}))
    with pytest.raises(CodexOAuthError):
        await ask(AsyncCodex(settings=own))
    chatgpt.respond(RESPONSES, None)
    assert not Network(own).refuses_websockets
    await ask(AsyncCodex(settings=own))
    assert chatgpt.model_requests[-1].transport == "websocket"


async def test_a_workspace_finds_its_own_address(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(own.home, plan="business", account_id="acc_business")
    Network(own).note()
    await ask(AsyncCodex(settings=own))
    assert chatgpt.model_requests[-1].transport == "websocket"


def test_it_is_remembered_for_a_while_and_for_that_way_alone(own: Settings) -> None:
    network = Network(own)
    assert not network.refuses_websockets
    network.note()
    assert network.refuses_websockets
    elsewhere = replace(own, inherited={**own.inherited, "HTTPS_PROXY": "http://user:password@elsewhere"})
    assert not Network(elsewhere).refuses_websockets
    assert not Network(replace(own, home=own.home / "other")).refuses_websockets
    (file,) = (own.state_dir / "networks").iterdir()
    assert file.stat().st_size == 0
    past = time.time() - REMEMBERED_FOR - 1
    os.utime(file, (past, past))
    assert not network.refuses_websockets
    Network(elsewhere).note()
    assert not file.exists()
    Network(elsewhere).forget()
    assert list((own.state_dir / "networks").iterdir()) == []
