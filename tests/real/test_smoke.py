"""The main job, once, on the real binary."""

from __future__ import annotations

import json

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.testing import Json, LoopbackChatGPT, Text
from tests.conftest import RunCLI

SCHEMA = {"type": "object", "properties": {"prime": {"type": "boolean"}}, "required": ["prime"]}


@pytest.mark.anyio
async def test_a_call_gives_a_typed_reply_and_says_who_paid(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"prime": False}))
    reply = await codex.complete("Is 91 prime?", output=SCHEMA)
    assert reply.output == {"prime": False}
    assert (reply.account.kind, reply.account.plan) == ("chatgpt", "plus")


@pytest.mark.anyio
async def test_calls_in_a_block_share_one_app_server(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("one"), Text("two"))
    async with codex:
        first, second = await codex.complete("1"), await codex.complete("2")
    assert (first.text, first.warm, second.text, second.warm) == ("one", False, "two", True)


def test_the_command_line_judges_a_command(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Json({"reason": "Only looks.", "rule": "read-only", "behavior": "allow", "deny_message": ""}))
    done = run_cli("classify", "--command", "git status", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["behavior"] == "allow"
