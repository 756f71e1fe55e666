"""What a workspace (business, enterprise, edu) prescribes for its members, and what of it reaches a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import AccountCheckError, WrongAccountError
from codex_oauth.testing import HttpResponse, LoopbackChatGPT
from tests.real.samples import PROMPT

pytestmark = pytest.mark.anyio

BUNDLE = "/backend-api/wham/config/bundle"


def prescribed(kind: str, toml: str) -> HttpResponse:
    """The answer of a workspace whose administrator has written this."""
    body: dict[str, Any] = {kind: {"enterprise_managed": [{"id": "one", "name": "one", "contents": toml}]}}
    return HttpResponse(200, body)


@pytest.fixture
def member(settings: Settings, chatgpt: LoopbackChatGPT, codex: AsyncCodex) -> AsyncCodex:
    """A client that is signed in with a workspace's account."""
    chatgpt.sign_in(settings.home, plan="business", account_id="acc_workspace")
    for left in settings.home.glob("cloud-config-bundle*"):
        left.unlink()
    return codex


async def test_a_workspaces_plan_pays(member: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    reply = await member.complete(PROMPT)
    assert (reply.account.kind, reply.account.plan) == ("chatgpt", "business")
    assert BUNDLE in {request.path for request in chatgpt.requests}


async def test_what_a_workspace_prescribes_adds_no_words_and_no_tools(
    member: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    toml = 'developer_instructions = "Be a wombat."\nweb_search = "live"\n[features]\nshell_tool = true\napps = true\n'
    chatgpt.respond(BUNDLE, prescribed("config_toml", toml))
    await member.complete(PROMPT, instructions="Be short.")
    asked = chatgpt.model_requests[-1]
    assert asked.tools == []
    assert "wombat" not in json.dumps(asked.body)
    assert set(chatgpt.connections) == {"chatgpt.com"}


async def test_another_provider_that_a_workspace_prescribes_is_not_used(
    member: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    toml = 'model_provider = "other"\n[model_providers.other]\nname = "other"\nbase_url = "https://other.example/v1"\n'
    chatgpt.respond(BUNDLE, prescribed("config_toml", toml))
    with pytest.raises(WrongAccountError):
        await member.complete(PROMPT)
    assert chatgpt.model_requests == ()
    assert set(chatgpt.connections) == {"chatgpt.com"}


async def test_what_a_workspace_forbids_is_said(member: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    toml = 'allowed_approval_policies = ["on-request"]\nallowed_sandbox_modes = ["workspace-write"]\n'
    chatgpt.respond(BUNDLE, prescribed("requirements_toml", toml))
    with pytest.raises(AccountCheckError, match="workspace"):
        await member.complete(PROMPT)
    assert chatgpt.model_requests == ()
