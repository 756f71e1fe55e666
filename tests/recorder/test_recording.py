"""Recorded sessions of the real binary: each response once, with its usage, and nothing of the account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import DeadlineExceededError, UsageLimitError
from codex_oauth.recorder import FileSink, Recorder, TapesSink
from codex_oauth.recorder.reading import RecordFile
from codex_oauth.records import replace
from codex_oauth.testing import Hang, LoopbackChatGPT, Text, usage_limit_reached
from tests.recorder.contract import check, is_main, tool_ids
from tests.recorder.samples import VALIDATOR
from tests.recorder.sessions import ANSWERS, EMAIL, LABELS, USAGES, hold_session
from tests.recorder.tapes_server import TapesServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def wire(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What a record says was sent, in the words of the wire: roles with texts, calls and outputs with ids."""
    items = [{"type": "message", "role": "developer", "content": [{"text": record["instructions"]}]}]
    return [one for one in map(shown, [*items * bool(record["instructions"]), *record["input"]]) if one]


def shown(item: Any) -> tuple[str, str] | None:
    match item:
        case {"type": "message", "role": role, "content": content}:
            return role, "".join(part["text"] for part in content)
        case {"type": "function_call", "call_id": call_id, "arguments": arguments}:
            return call_id, arguments
        case {"type": "function_call_output", "call_id": call_id, "output": output}:
            return call_id, output
        case _:
            return None


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_n_responses_of_every_kind_of_call_give_n_records_with_the_services_own_usage(
    settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, transport: str
) -> None:
    chatgpt.websocket = transport == "websocket"
    chatgpt.script(*ANSWERS)
    signed_in = (settings.home / "auth.json").read_bytes()
    path, spool = tmp_path / "kept" / "recorded.jsonl", tmp_path / "kept" / "tapes"
    with TapesServer() as tapes:
        sink = TapesSink(tapes.url, spool=spool)
        recorder = Recorder([FileSink(path), sink])
        await hold_session(AsyncCodex(settings=settings, record=recorder))
        recorder.close(20)
        assert (sink.trouble.counts, sink.spool.state().waiting) == ({}, 0)
        payloads = list(tapes.kept.values())
    assert (settings.home / "auth.json").read_bytes() == signed_in
    assert recorder.trouble.counts == {}

    records = list(RecordFile(path))
    requests = chatgpt.model_requests
    assert len(records) == len(requests) == len(payloads) == len(ANSWERS)
    assert [tuple(record["usage"].values()) for record in records] == [
        (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_output_tokens)
        for usage in USAGES
    ]
    assert tuple(record["label"] for record in records) == LABELS
    assert len({record["request_id"] for record in records}) == len(records)
    for record, request in zip(records, requests, strict=True):
        VALIDATOR.validate(record)
        assert record["exact"]
        assert (record["model"], record["account"]) == (request.model, {"kind": "chatgpt", "plan": "plus"})
        sent = [one for one in map(shown, request.context) if one]
        assert wire(record) == [(who, text.replace(EMAIL, "[account]")) for who, text in sent]
    assert [item["type"] for item in records[0]["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert all(len(record["output"]) == 1 for record in records[1:])

    for payload, record in zip(payloads, records, strict=True):
        assert check(json.dumps(payload).encode()) == (202, "accepted")
        assert is_main(payload)
        calls, results = tool_ids(payload)
        assert results <= calls
        assert payload["response"]["usage"]["prompt_tokens"] == record["usage"]["input"]
        assert payload["session"]["harness_session_id"] == record["thread_id"]

    tokens = json.loads(signed_in)["tokens"]
    words = [tokens["access_token"], tokens["refresh_token"], tokens["account_id"], EMAIL, "authorization", "gAAAAAB"]
    written = [file for file in (tmp_path / "kept").rglob("*") if file.is_file()]
    assert path in written
    for text in (*(file.read_text() for file in written), json.dumps(payloads)):
        assert [word for word in words if word.lower() in text.lower()] == []


async def test_only_complete_responses_are_recorded(
    settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(usage_limit_reached(), Hang("half of"), Text("whole"))
    path = tmp_path / "recorded.jsonl"
    async with AsyncCodex(settings=settings, record=path) as codex:
        with pytest.raises(UsageLimitError):
            await codex.complete("one")
        with pytest.raises(DeadlineExceededError):
            await codex.complete("two", timeout=0.5)
        await codex.complete("three")
    (record,) = RecordFile(path)
    assert record["output"][0]["content"][0]["text"] == "whole"


async def test_a_call_does_not_notice_that_it_cannot_be_recorded(
    settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "recorded.jsonl").mkdir()
    recorded = replace(settings, record=tmp_path / "recorded.jsonl", record_tapes="http://127.0.0.1:9")
    recorded = replace(recorded, state_dir=tmp_path)
    async with AsyncCodex(settings=recorded) as codex:
        reply = await codex.complete("hello")
    assert reply.text == "You said: hello"
    assert "cannot be written" in caplog.text
