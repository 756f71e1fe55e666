"""What leaves the machine for a call, read off the real binary's own requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.testing import LoopbackChatGPT, ModelRequest
from codex_oauth.types import Model
from tests.conftest import clean_environment
from tests.real.samples import INSTRUCTIONS, PROMPT, SCHEMA

WORDS = ("wombat", "numbat", "potoroo")


def compact(value: Any) -> bytes:
    """A JSON value as codex writes it: without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def beyond_the_callers(request: ModelRequest) -> int:
    """Bytes of the request's JSON without the JSON of the three things that the caller gave."""
    return request.size - sum(len(compact(own)) for own in (INSTRUCTIONS, PROMPT, SCHEMA))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one call of one model looked like from the service's side."""

    model: Model
    requests: tuple[ModelRequest, ...]
    before: tuple[str, ...]
    hosts: frozenset[str]
    refused: int

    @property
    def request(self) -> ModelRequest:
        return self.requests[-1]


EveryModel = tuple[str, tuple[Seen, ...]]


@pytest.fixture(scope="module", params=["websocket", "sse"])
def every_model(
    request: pytest.FixtureRequest, prepared_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> EveryModel:
    """The transport, and one call per listed model, each on an app-server of its own."""
    with LoopbackChatGPT(websocket=request.param == "websocket", account_id="acc_wallet") as chatgpt:
        environ = {**clean_environment(), **chatgpt.environment, "XDG_STATE_HOME": str(prepared_state)}
        environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
        settings = load_settings(environ=environ, metrics=False)
        chatgpt.sign_in(settings.home)
        try:
            return request.param, anyio.run(ask_every_model, settings, chatgpt)
        finally:
            (settings.home / "auth.json").unlink()


async def ask_every_model(settings: Settings, chatgpt: LoopbackChatGPT) -> tuple[Seen, ...]:
    codex = AsyncCodex(settings=settings)
    return tuple([await ask(codex, chatgpt, model) for model in await codex.models()])


async def ask(codex: AsyncCodex, chatgpt: LoopbackChatGPT, model: Model) -> Seen:
    chatgpt.reset()
    await codex.complete(PROMPT, instructions=INSTRUCTIONS, output=SCHEMA, model=model.id)
    asked = chatgpt.model_requests[-1]
    # The POST that carries the request has the request's own time; a WebSocket's upgrade and prewarm come before it.
    before = [f"{one.method} {one.path}" for one in chatgpt.requests if one.at < asked.at]
    before += ["prewarm" for one in chatgpt.prewarms if one.at < asked.at]
    return Seen(
        model=model,
        requests=chatgpt.model_requests,
        before=tuple(before),
        hosts=frozenset(chatgpt.connections),
        refused=chatgpt.refused.total(),
    )


def test_every_listed_model_answers_hidden_ones_too(every_model: EveryModel) -> None:
    transport, calls = every_model
    assert {call.model.hidden for call in calls} == {True, False}
    assert [[request.model for request in call.requests] for call in calls] == [[call.model.id] for call in calls]
    assert {call.request.transport for call in calls} == {transport}


def test_no_model_is_offered_a_tool(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {call.model.id: len(call.request.tools) for call in calls} == {call.model.id: 0 for call in calls}


def test_a_request_adds_little_to_the_callers_words(every_model: EveryModel) -> None:
    transport, calls = every_model
    # A WebSocket's frame carries as metadata what a POST has in its headers.
    limit = 2_100 if transport == "sse" else 2_200
    added = {call.model.id: beyond_the_callers(call.request) for call in calls}
    assert {model: size for model, size in added.items() if size > limit} == {}


def test_the_model_reads_the_callers_words_and_no_others(every_model: EveryModel) -> None:
    _, calls = every_model
    for call in calls:
        said = [
            (item["role"], "".join(part["text"] for part in item["content"]))
            for item in call.request.context
            if item.get("type", "message") == "message"
        ]
        assert len(said) == len(call.request.context)
        told = call.request.body.get("instructions")
        given = [(role, text) for role, text in said if role != "user"] if not told else [("developer", told)]
        assert given == [("developer", INSTRUCTIONS)]
        assert [text for role, text in said if role == "user"] == [PROMPT]
        assert call.request.schema == SCHEMA


def test_each_of_the_callers_words_is_sent_once(every_model: EveryModel) -> None:
    _, calls = every_model
    for call in calls:
        sent = compact(call.request.body).decode()
        assert {word: sent.count(word) for word in WORDS} == dict.fromkeys(WORDS, 1)


def test_at_most_four_requests_come_before_the_models(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {call.model.id: call.before for call in calls if len(call.before) > 4} == {}


def test_only_chatgpt_com_is_contacted(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {(call.hosts, call.refused) for call in calls} == {(frozenset({"chatgpt.com"}), 0)}


def test_the_account_that_pays_is_the_one_that_is_signed_in(every_model: EveryModel) -> None:
    _, calls = every_model
    paying = {(call.request.request.headers["chatgpt-account-id"], call.request.request.bearer) for call in calls}
    ((account, token),) = paying
    assert account == "acc_wallet"
    assert token is not None


def test_codex_is_told_our_own_name(every_model: EveryModel) -> None:
    _, calls = every_model
    assert {call.request.request.headers["originator"] for call in calls} == {"codex_oauth"}
