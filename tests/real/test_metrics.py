"""The lines that the metrics keep of calls."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import DeadlineExceededError, UnknownModelError
from codex_oauth.testing import Failed, Hang, Json, LoopbackChatGPT, Text, Usage
from tests.real.samples import PRIME


def misfits(entry: dict[str, Any]) -> list[str]:
    """What does not fit in a line of the metrics."""
    path = Path(__file__).parents[2] / "schemas" / "metrics-entry.schema.json"
    kind = jsonschema.Draft202012Validator
    validator: Any = kind(json.loads(path.read_bytes()), format_checker=kind.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(entry)]


@pytest.mark.anyio
async def test_the_metrics_of_every_kind_of_call_fit_their_schema(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, entries: Callable[[], list[dict[str, Any]]]
) -> None:
    chatgpt.script(Text("No.", Usage(100, 40, 10, 4)))
    await codex.complete("Is 91 prime?", label="ok")
    chatgpt.script(Failed("insufficient_quota"))
    with pytest.raises(Exception, match="Quota"):
        await codex.complete("Is 91 prime?", label="error")
    chatgpt.script(Hang())
    with pytest.raises(DeadlineExceededError):
        await codex.complete("Is 91 prime?", timeout=0.5, label="late")
    chatgpt.script(Hang("It is"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: codex.complete("Is 91 prime?", label="cancelled"))
        await anyio.to_thread.run_sync(
            chatgpt.wait_until, lambda: chatgpt.answering == 1 and len(chatgpt.model_requests) == 4
        )
        tasks.cancel_scope.cancel()
    with pytest.raises(UnknownModelError):
        await codex.complete("Is 91 prime?", model="no/such/model at all", label="unknown")
    async with codex:
        chatgpt.script(Text("No."), Json({"prime": "perhaps"}), Json({"prime": False}))
        await codex.complete("Is 91 prime?", label="cold")
        await codex.complete("Is 91 prime?", output=PRIME, label="warm-repaired")

    written = {entry["command"]: entry for entry in entries()}
    assert [misfits(entry) for entry in written.values()] == [[]] * 7

    def of(name: str) -> dict[str, Any]:
        return {command: entry[name] for command, entry in written.items()}

    assert of("outcome") == {
        "ok": "ok",
        "error": "error",
        "late": "error",
        "cancelled": "cancelled",
        "unknown": "error",
        "cold": "ok",
        "warm-repaired": "ok",
    }
    assert of("error") == {
        **dict.fromkeys(written),
        "error": "quota_exceeded",
        "late": "deadline_exceeded",
        "unknown": "unknown_model",
    }
    assert of("warm") == {**dict.fromkeys(written, False), "warm-repaired": True}
    assert of("repaired") == {**dict.fromkeys(written, False), "warm-repaired": True}
    assert of("plan") == {**dict.fromkeys(written, "plus"), "unknown": None}
    assert written["ok"]["tokens"] == {"input": 100, "cached": 40, "output": 10, "reasoning": 4}
    assert written["warm-repaired"]["tokens"]["input"] == 200
    assert written["unknown"]["model_requested"] == "other"
    phases = written["ok"]["phases"]
    passed = {name: at for name, at in phases.items() if at is not None}
    # Those of a permission request, and of one that had to wait.
    assert set(phases) - set(passed) == {"read", "policy", "asked", "queued"}
    assert list(passed.values()) == sorted(passed.values())
    assert written["warm-repaired"]["phases"]["spawn"] is None


@pytest.mark.anyio
async def test_a_replys_timing_is_what_the_metrics_say(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, entries: Callable[[], list[dict[str, Any]]]
) -> None:
    chatgpt.script(Text("No."))
    timing = (await codex.complete("Is 91 prime?")).timing
    (entry,) = entries()
    passed = [value for name, value in entry["phases"].items() if name != "total" and value is not None]
    measured = [timing.spawn, timing.initialize, timing.account, timing.thread]
    measured += [timing.first_event, timing.first_text, timing.completed]
    assert passed == [round(value or 0, 1) for value in measured]
    assert all(earlier <= later for earlier, later in itertools.pairwise([*passed, round(timing.total or 0, 1)]))
