"""A call of `ctx.llm` on the real binary: what is asked, what comes back, and what never does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError, DeadlineExceededError, UnknownModelError
from codex_oauth.llm import CodexLlm, LlmError, SyncCodexLlm
from codex_oauth.sync_client import Codex
from codex_oauth.testing import (
    Cut,
    Empty,
    Failed,
    Hang,
    HttpError,
    Incomplete,
    Items,
    LoopbackChatGPT,
    Reply,
    Text,
    message,
    model_unsupported,
    reasoning,
    usage_limit_reached,
    usage_not_included,
)
from tests.llm.conftest import Told
from tests.real.samples import PROMPT, REPLY

pytestmark = pytest.mark.anyio

URL: Final = "https://chatgpt.com/backend-api/codex/responses"


def said_to(request: Any) -> list[tuple[str, str]]:
    """The words that a model request carries, each with its role."""
    return [(item["role"], part["text"]) for item in request.context for part in item["content"]]


@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "sse"])
async def test_the_text_comes_once_and_the_prompt_is_all_that_is_asked(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, websocket: bool
) -> None:
    chatgpt.websocket = websocket
    # Deltas, and the whole text after them.
    chatgpt.script(Text(REPLY, chunks=5))
    assert await CodexLlm(codex).complete(PROMPT, max_tokens=64) == REPLY
    (request,) = chatgpt.model_requests
    assert said_to(request) == [("user", PROMPT)]
    assert not request.body.get("instructions")
    assert request.tools == []
    assert {"max_output_tokens", "max_tokens", "max_completion_tokens"} & set(request.body) == set()


async def test_commentary_is_no_part_of_the_answer(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    items = [reasoning("Thinking."), message("Let me see.", "commentary"), message(REPLY, "final_answer")]
    chatgpt.script(Items(items))
    assert await CodexLlm(codex).complete(PROMPT) == REPLY


async def test_calls_know_nothing_of_each_other_one_after_the_other_and_at_once(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    async with CodexLlm(codex) as llm:
        for number in range(3):
            assert await llm.complete(f"In turn {number}") == f"You said: In turn {number}"
        answers: dict[str, str] = {}

        async def ask(prompt: str) -> None:
            answers[prompt] = await llm.complete(prompt)

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(ask, f"At once {number}")
    assert answers == {f"At once {number}": f"You said: At once {number}" for number in range(6)}
    assert sorted(said_to(request) for request in chatgpt.model_requests) == [
        [("user", f"{when} {number}")] for when, count in (("At once", 6), ("In turn", 3)) for number in range(count)
    ]


def refused(status: int, code: str, text: str) -> HttpError:
    return HttpError(status, {"error": {"type": "invalid_request_error", "code": code, "message": text}})


NO_TEXT: Final = "ctx.llm: Codex backend response contained no output text"
ENDS: Final[dict[str, tuple[Reply, str, str]]] = {
    "nothing": (Empty(), NO_TEXT, "empty_reply"),
    "reasoning alone": (Items([reasoning("Thinking.")]), NO_TEXT, "empty_reply"),
    "commentary alone": (Items([message("Let me see.", "commentary")]), NO_TEXT, "empty_reply"),
    "a message without text": (Items([message("")]), NO_TEXT, "empty_reply"),
    "incomplete": (
        Incomplete("max_output_tokens", "Half"),
        "ctx.llm: Codex backend stream returned response.incomplete: ",
        "incomplete_reply",
    ),
    "failed": (
        Failed("cyber_policy", "Refused."),
        "ctx.llm: Codex backend stream returned response.failed: ",
        "policy_blocked",
    ),
    "too long": (
        Failed("context_length_exceeded", "Too long."),
        "ctx.llm: Codex backend stream returned response.failed: ",
        "context_window_exceeded",
    ),
    "the plan is used up": (usage_limit_reached(), f"ctx.llm: {URL} returned 429: ", "usage_limit_reached"),
    "no plan for it": (usage_not_included(), f"ctx.llm: {URL} returned 429: ", "plan_not_included"),
    "no such model": (model_unsupported("gpt-6-luna"), f"ctx.llm: {URL} returned 400: ", "model_not_supported"),
    "bad request": (refused(400, "bad", "Bad."), f"ctx.llm: {URL} returned 400: ", "invalid_request"),
}


async def test_every_end_without_a_text_is_an_error_in_its_own_words(
    settings: Settings, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    async with CodexLlm(AsyncCodex(settings=settings), log=told) as llm:
        for reply, begins, code in ENDS.values():
            chatgpt.script(reply)
            with pytest.raises(LlmError) as caught:
                await llm.complete(PROMPT)
            assert (str(caught.value)[: len(begins)], caught.value.code) == (begins, code)
            cause = caught.value.__cause__
            assert isinstance(cause, CodexOAuthError)
            assert cause.code == code
        assert [fields["code"] for fields in told.of("warn")] == [code for _, _, code in ENDS.values()]
        # And it goes on.
        assert await llm.complete(PROMPT) == f"You said: {PROMPT}"


@pytest.mark.slow
async def test_what_codex_tries_again_by_itself_is_an_error_in_the_end(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.websocket = False
    chatgpt.default = Cut("Half")
    with pytest.raises(LlmError) as caught:
        await CodexLlm(codex).complete(PROMPT)
    assert str(caught.value).startswith("ctx.llm: Codex backend stream closed before response.completed: ")


async def test_a_deadline_holds(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, processes_of: Callable[[], list[int]]
) -> None:
    chatgpt.script(Hang("Half"))
    began = time.monotonic()
    with pytest.raises(LlmError, match=f"ctx.llm: request to {URL} failed: ") as caught:
        await CodexLlm(codex, timeout=1).complete(PROMPT)
    assert time.monotonic() - began < 3
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert caught.value.retryable
    assert processes_of() == []


async def test_without_a_network_the_deadline_holds_too(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.offline = True
    began = time.monotonic()
    with pytest.raises(LlmError, match=f"ctx.llm: request to {URL} failed: "):
        await CodexLlm(codex, timeout=1).complete(PROMPT)
    assert time.monotonic() - began < 3


async def test_max_tokens_is_a_ceiling(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    long = "wombat " * 2000
    async with CodexLlm(codex) as llm:
        chatgpt.script(Hang(long))  # it would go on for ever
        with pytest.raises(LlmError) as caught:
            await llm.complete(PROMPT, max_tokens=50)
        assert str(caught.value).startswith("ctx.llm: Codex backend stream returned response.incomplete: ")
        assert caught.value.code == "incomplete_reply"
        chatgpt.script(Text(long))
        assert await llm.complete(PROMPT) == long


@pytest.mark.parametrize("max_tokens", [0, -1, True, 1.5, "5"])
async def test_a_ceiling_that_is_none_is_refused(codex: AsyncCodex, chatgpt: LoopbackChatGPT, max_tokens: Any) -> None:
    with pytest.raises(LlmError, match=r"^ctx\.llm: max_tokens must be a whole number of at least 1$"):
        await CodexLlm(codex).complete(PROMPT, max_tokens=max_tokens)
    assert not chatgpt.connections


@pytest.mark.parametrize("arguments", [{"timeout": 0}, {"timeout": "5"}, {"model": 5}])
def test_arguments_that_are_wrong_are_refused_when_it_is_made(codex: AsyncCodex, arguments: dict[str, Any]) -> None:
    with pytest.raises(LlmError, match=r"^ctx\.llm: (timeout is in seconds|model= must be text)") as caught:
        CodexLlm(codex, **arguments)
    assert caught.value.code == "configuration"


# --- models ----------------------------------------------------------------------------------------------------------


async def test_the_model_is_looked_up_in_the_catalogue_of_today(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    models = await codex.models()
    default = next(model.id for model in models if model.default)
    small = next(model.id for model in models if model.id.endswith("-luna") and not model.hidden)
    async with codex:
        for wanted in (None, "openai-codex/codex-latest", "gpt-5.1-codex", "codex-mini-latest", f"openai/{small}"):
            await CodexLlm(codex, model=wanted, log=told).complete(PROMPT)
        await CodexLlm(codex, model="gpt-0", unknown_model="default").complete(PROMPT)
    assert [request.model for request in chatgpt.model_requests] == [default, default, default, small, small, default]
    assert {fields["model"] for fields in told.of("debug")} == {default, small}


async def test_an_unknown_model_ends_before_anything_starts_and_names_those_that_there_are(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    visible = [model.id for model in await codex.models() if not model.hidden]
    with pytest.raises(LlmError) as caught:
        await CodexLlm(codex, model="openai/gpt-5.4-turbo").complete(PROMPT)
    assert str(caught.value) == (
        f"ctx.llm: unknown model 'openai/gpt-5.4-turbo'; the plan has {', '.join(visible)}, and codex-latest"
    )
    assert isinstance(caught.value.__cause__, UnknownModelError)
    assert not chatgpt.connections


# --- blocking --------------------------------------------------------------------------------------------------------


def test_the_blocking_one_does_the_same_from_several_threads(
    settings: Settings, chatgpt: LoopbackChatGPT, told: Told
) -> None:
    answers: dict[str, str] = {}
    with SyncCodexLlm(Codex(settings=settings), model="codex-latest", log=told) as llm:

        def ask(prompt: str) -> None:
            answers[prompt] = llm.complete(prompt)

        threads = [threading.Thread(target=ask, args=(f"Thread {number}",)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        chatgpt.script(Empty())
        with pytest.raises(LlmError, match=NO_TEXT):
            llm.complete(PROMPT)
        with pytest.raises(LlmError, match="max_tokens must be"):
            llm.complete(PROMPT, 0)
    assert answers == {f"Thread {number}": f"You said: Thread {number}" for number in range(3)}
    assert [fields["code"] for fields in told.of("warn")] == ["empty_reply", "configuration"]


async def test_giving_a_call_up_interrupts_it(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Hang())
    async with CodexLlm(codex) as llm:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(llm.complete, PROMPT)
            await anyio.to_thread.run_sync(chatgpt.wait_until, lambda: len(chatgpt.model_requests) == 1)
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(chatgpt.wait_until, lambda: chatgpt.answering == 0)
        assert await llm.complete(PROMPT) == f"You said: {PROMPT}"
