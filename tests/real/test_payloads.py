"""Images, odd characters and large texts: what goes in and comes out arrives as it is."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import ConfigurationError
from codex_oauth.testing import LoopbackChatGPT, Text
from tests.real.samples import PNG, STRANGE


@pytest.mark.anyio
async def test_images_travel_as_data_and_without_their_paths(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    path = tmp_path / "wallaby.png"
    path.write_bytes(PNG)
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    await codex.complete("What is it?", images=[path, str(path), PNG, url])
    (request,) = chatgpt.model_requests
    sent = json.dumps(request.body)
    assert sent.count(url) == 4
    assert "wallaby" not in sent
    assert str(tmp_path) not in sent


@pytest.mark.anyio
@pytest.mark.usefixtures("transport")
async def test_every_character_survives_both_ways(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text(STRANGE, chunks=7))
    reply = await codex.complete(STRANGE, instructions=STRANGE)
    (request,) = chatgpt.model_requests
    assert (request.text, reply.text) == (STRANGE, STRANGE)
    assert json.dumps(STRANGE) in json.dumps(request.body["input"][0])


@pytest.mark.anyio
@pytest.mark.usefixtures("transport")
async def test_a_prompt_of_a_megabyte_arrives_whole(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    prompt = ("numbat é🦘 " * 110_000)[:1_048_576]
    chatgpt.script(Text("yes"))
    assert (await codex.complete(prompt)).text == "yes"
    assert chatgpt.model_requests[0].text == prompt


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"prompt": "x" * 1_048_577}, "1,048,576"),
        ({"prompt": "What is it?", "images": [b"GIF but not quite"]}, "not a PNG, JPEG, GIF or WebP image"),
    ],
    ids=["too-large", "no-image"],
)
async def test_what_codex_does_not_take_ends_before_anything_starts(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        await codex.complete(**arguments)
    assert not chatgpt.connections


@pytest.mark.anyio
@pytest.mark.parametrize("chunks", [1, 100])
async def test_a_reply_of_five_megabytes_arrives_whole(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, chunks: int
) -> None:
    text = "quokka é🦘 " * 400_000
    assert len(text.encode()) > 5_000_000
    chatgpt.script(Text(text, chunks=chunks))
    assert (await codex.complete("Tell me everything.")).text == text
