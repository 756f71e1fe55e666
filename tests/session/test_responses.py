"""The responses of a turn, from app-servers that do not tell them as the real one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_oauth.errors import InvalidRequestError
from codex_oauth.events import Event, ResponseCompleted
from codex_oauth.session import TurnRequest, open_session
from codex_oauth.types import ModelResponse, Usage
from tests.scripted import TURN, Script, Scripted, Step, notify, refuse, reply, turn_completed, turn_item

pytestmark = pytest.mark.anyio

USER: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
OLD: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "before"}]}


async def _answer(params: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"success": True, "contentItems": []}


REQUEST = TurnRequest(
    text="hello",
    model="m",
    raw=True,
    items=(OLD,),
    tools=({"type": "function", "name": "look", "description": "", "inputSchema": {}},),
    on_call=_answer,
)


def used(tokens: int, total: int) -> Step:
    def of(number: int) -> dict[str, int]:
        kinds = ("totalTokens", "inputTokens", "cachedInputTokens", "outputTokens", "reasoningOutputTokens")
        return {**dict.fromkeys(kinds, 0), "inputTokens": number, "outputTokens": 1, "totalTokens": number + 1}

    usage = {"last": of(tokens), "total": of(total)}
    return notify("thread/tokenUsage/updated", threadId="{thread}", turnId="{turn}", tokenUsage=usage)


async def test_a_binary_without_raw_events_gives_responses_made_of_its_own_items(tmp_path: Path) -> None:
    call = {"id": "c1", "tool": "look", "arguments": {"at": 1}, "status": "completed"}
    steps = (
        reply({"turn": TURN}),
        turn_item("reasoning", "item/completed", summary=["hm"]),
        turn_item("dynamicToolCall", "item/started", **{**call, "status": "inProgress"}),
        turn_item("dynamicToolCall", "item/completed", **call, contentItems=[{"type": "inputText", "text": "seen"}]),
        used(10, 10),
        turn_item("agentMessage", "item/completed", text="answer", phase="final_answer"),
        used(20, 30),
        turn_completed(),
    )
    script = Script({"thread/inject_items": (reply({}),), "turn/start": steps})
    events: list[Event] = []
    async with open_session(Scripted(tmp_path, script).server()) as session:
        with anyio.fail_after(10):
            result = await session.run(replace(REQUEST, observer=events.append))
    told: list[ModelResponse] = [event.response for event in events if isinstance(event, ResponseCompleted)]
    assert [(one.number, one.exact, one.response_id, one.usage) for one in told] == [
        (1, False, None, Usage(input=10, output=1)),
        (2, False, None, Usage(input=20, output=1)),
    ]
    assert [item["type"] for item in told[0].output] == ["reasoning", "function_call"]
    assert told[0].input == (OLD, USER)
    assert [item["type"] for item in told[1].input[2:]] == ["reasoning", "function_call", "function_call_output"]
    assert told[1].input[-1]["output"] == "seen"
    assert told[1].input[-2]["arguments"] == '{"at": 1}'
    assert [item["type"] for item in result.items] == ["reasoning", "function_call", "message"]
    assert result.text == "answer"


async def test_a_turn_whose_history_is_refused_is_stopped(tmp_path: Path) -> None:
    script = Script(
        {
            "thread/inject_items": (refuse(-32600, "items[0] is not valid: before"),),
            "turn/start": (reply({"turn": TURN}),),
        }
    )
    scripted = Scripted(tmp_path, script)
    async with open_session(scripted.server()) as session:
        with anyio.fail_after(10), pytest.raises(InvalidRequestError) as caught:
            await session.run(REQUEST)
    assert "is not valid" in str(caught.value)
    (interrupt,) = [message for message in scripted.received() if message.get("method") == "turn/interrupt"]
    assert interrupt["params"]["turnId"] == "turn-1"
