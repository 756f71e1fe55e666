"""Which model runs, and at which effort."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import UnknownModelError
from codex_oauth.events import ModelRerouted
from codex_oauth.testing import HttpResponse, LoopbackChatGPT, Request, Text
from codex_oauth.testing.responses import Event as Sent
from codex_oauth.testing.responses import render
from tests.real.endpoints import RESPONSES


@pytest.mark.anyio
async def test_without_a_model_the_first_small_one_runs_at_its_lowest_effort(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    luna = next(model for model in await codex.models() if model.id.endswith("-luna") and not model.hidden)
    reply = await codex.complete("Is 91 prime?")
    (request,) = chatgpt.model_requests
    assert (request.model, request.body["reasoning"]["effort"]) == (luna.id, luna.efforts[0])
    assert (reply.model, reply.effort) == (luna.id, luna.efforts[0])


@pytest.mark.anyio
async def test_a_named_model_and_effort_are_the_ones_that_run(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    model = next(model for model in await codex.models() if model.default)
    effort = model.efforts[1]
    reply = await codex.complete("Is 91 prime?", model=model.id, effort=effort)
    (request,) = chatgpt.model_requests
    assert (request.model, request.body["reasoning"]["effort"]) == (model.id, effort)
    assert (reply.model, reply.effort) == (model.id, effort)


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", [{"model": "gpt-0"}, {"effort": "utmost"}], ids=["model", "effort"])
async def test_an_unknown_model_or_effort_ends_before_anything_starts(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, arguments: dict[str, Any]
) -> None:
    # An app-server asks for the account as soon as it runs, so one that had been started would have been noticed.
    with pytest.raises(UnknownModelError):
        await codex.complete("Is 91 prime?", **arguments)
    assert not chatgpt.connections


@pytest.mark.anyio
async def test_a_reply_names_the_model_that_the_service_ran_instead(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, entries: Callable[[], list[dict[str, Any]]]
) -> None:
    def rerouted(request: Request) -> HttpResponse | None:
        if request.method != "POST":
            return None
        steps = [step for step in render(Text("No."), "resp_rerouted") if isinstance(step, Sent)]
        body = "".join(f"event: {step.data['type']}\ndata: {json.dumps(step.data)}\n\n" for step in steps)
        return HttpResponse(200, body.encode(), {"content-type": "text/event-stream", "openai-model": "gpt-6-astra"})

    chatgpt.websocket = False
    chatgpt.respond(RESPONSES, rerouted)
    async with codex.stream("Is 91 prime?", model="gpt-6-luna") as stream:
        events = [event async for event in stream]
        reply = await stream.reply()
    (event,) = [event for event in events if isinstance(event, ModelRerouted)]
    assert (event.from_model, event.to_model) == ("gpt-6-luna", "gpt-6-astra")
    assert (reply.text, reply.model) == ("No.", "gpt-6-astra")
    (entry,) = entries()
    assert (entry["model_requested"], entry["model"]) == ("gpt-6-luna", "gpt-6-astra")
