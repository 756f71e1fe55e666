"""Recorded requests judged again on the real binary: what would differ, and what cannot be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import ConfigurationError
from codex_oauth.gate import BUILTIN_POLICY, PermissionRequest, Policy, classify
from codex_oauth.gate.evaluation.replaying import Recorded, Replay, Replayed, read_recorded, replay
from codex_oauth.metrics import GateFields, MetricsEntry, append, read
from codex_oauth.testing import Empty, LoopbackChatGPT
from tests.gate.answers import answer

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: what differs between the two is tested where it costs less."""
    return "asyncio"


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A metrics file."""
    return tmp_path / "records.jsonl"


def record(path: Path, command: str, verdict: str = "allow", *, time: datetime = NOW, **fields: Any) -> None:
    """Write a line, as the gate does."""
    values: dict[str, Any] = {
        "session": "s",
        "tool": "Bash",
        "host": "claude",
        "mode": "default",
        "verdict": verdict,
        "source": "model",
        "rule": {"allow": "read-only", "deny": "destroy", "ask": None, "error": None}[verdict],
        "policy": BUILTIN_POLICY.fingerprint,
        "input": {"command": command},
        "cwd": "/home/dev/shop",
        **fields,
    }
    entry = MetricsEntry(command="hook", package_version="0", outcome="ok", gate=GateFields(**values), time=time)
    assert append(path, entry)


def built_in(_: PermissionRequest) -> Policy:
    return BUILTIN_POLICY


async def replayed(codex: AsyncCodex, requests: Any, **options: Any) -> Replay:
    """The replay of these requests, one after the other."""
    found: list[Replayed] = []
    options = {"policy_of": built_in, "concurrency": 1, **options}
    async with codex:
        await replay(requests, codex=codex, done=found.append, **options)
    return Replay(found, len(requests))


def test_the_same_request_counts_once_with_its_last_verdict(records: Path) -> None:
    record(records, "ls", "ask", time=NOW - timedelta(hours=2))
    record(records, "git push", "ask")
    record(records, "ls", "allow", session="another")
    record(records, "ls", "deny", cwd="/elsewhere")
    record(records, "ls", "deny", host="codex")
    record(records, "ls", "deny", mode="plan")
    record(records, "ls", "deny", tool="mcp__x__y")
    recording = read_recorded(records)
    assert recording.recorded == 7
    assert len(recording.requests) == 6
    ls = recording.requests[-2]
    assert (ls.request.tool_input, ls.behavior, ls.rule, ls.times) == ({"command": "ls"}, "allow", "read-only", 2)
    assert [one.request.tool_input["command"] for one in recording.requests] == ["ls"] * 5 + ["git push"]


def test_what_no_model_judged_is_left_out_and_counted(records: Path) -> None:
    record(records, "ls", "ask", source="rule", tool="ExitPlanMode")
    record(records, "ls", "ask", source="failure")
    record(records, "ls", "error", source="failure")
    record(records, "ls", input=None)
    record(records, "ls", input="[…left out: too long…]")
    record(records, "ls", time=NOW - timedelta(days=9))
    with records.open("ab") as file:
        file.write(b'{"time": "yesterday", "gate": {}}\n{"gate": 7}\nnonsense\n')
    append(records, MetricsEntry(command="complete", package_version="0", outcome="ok"))
    recording = read_recorded(records, since=NOW - timedelta(days=1))
    assert recording.requests == ()
    assert recording.recorded == 5
    assert recording.skipped == {
        "no model was asked": 1,
        "there was no verdict": 2,
        "the input was not recorded": 2,
    }


def test_a_folder_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_recorded(tmp_path)


def test_what_was_cut_or_redacted_is_known(records: Path) -> None:
    record(records, "echo " + "x" * 9_000)
    record(records, "curl -H 'authorization: [secret: token]' https://example.com")
    record(records, "ls […]")
    plain, redacted, cut = read_recorded(records).requests
    assert (cut.cut, cut.redacted) == (True, False)
    assert (redacted.cut, redacted.redacted) == (False, True)
    assert (plain.cut, plain.redacted) == (False, False)


async def test_what_the_gate_recorded_can_be_judged_again(
    settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    request = PermissionRequest.from_hook(
        '{"tool_name": "Write", "tool_input": {"file_path": "/r/a", "content": "größe"}, "cwd": "/r", '
        '"permission_mode": "acceptEdits", "session_id": "s"}'
    )
    chatgpt.script(answer("ask", rule="outward"))
    await classify(request, codex=AsyncCodex(settings=settings))
    assert settings.metrics is not None
    (recorded,) = read_recorded(settings.metrics).requests
    assert recorded.request == replace(request, session=None)
    assert (recorded.behavior, recorded.rule, recorded.policy) == ("ask", "outward", BUILTIN_POLICY.fingerprint)
    before = list(read(settings.metrics))
    chatgpt.script(answer("deny"))
    (change,) = (await replayed(AsyncCodex(settings=settings), [recorded])).changes
    assert change.step == "ask>deny"
    assert change.same_policy
    assert change.models_own
    assert not replace(change, recorded=replace(recorded, source="escalated")).models_own
    assert list(read(settings.metrics)) == before, "a replay is no new request"


async def test_what_would_get_through_now_comes_first(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, records: Path
) -> None:
    steps = ("ask>deny", "deny>ask", "allow>ask", "allow>deny", "ask>allow", "deny>allow", "allow>allow", "deny>deny")
    for number, step in enumerate(steps):
        record(records, f"command {number}", step.partition(">")[0])
    requests = tuple(reversed(read_recorded(records).requests))
    chatgpt.script(*(answer(step.partition(">")[2]) for step in steps))
    result = await replayed(codex, requests)
    assert [one.step for one in result.changes] == [
        "deny>allow",
        "ask>allow",
        "allow>deny",
        "allow>ask",
        "deny>ask",
        "ask>deny",
    ]
    told = result.to_json()
    assert (told["unchanged"], told["other_rule"], told["complete"]) == (2, 0, True)
    assert (told["changed"][0]["old_rule"], told["changed"][0]["new_rule"]) == ("destroy", "read-only")


async def test_the_same_verdict_by_another_rule_is_counted(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, records: Path
) -> None:
    record(records, "npm test")
    chatgpt.script(answer("allow", rule="local-development"))
    result = await replayed(codex, read_recorded(records).requests)
    assert result.changes == []
    assert result.to_json()["other_rule"] == 1


async def test_the_present_policy_is_what_judges(codex: AsyncCodex, chatgpt: LoopbackChatGPT, records: Path) -> None:
    record(records, "make deploy")

    def strict(_: PermissionRequest) -> Policy:
        return replace(BUILTIN_POLICY, environment=("Nothing may be deployed from here.",))

    chatgpt.script(answer("deny"))
    result = await replayed(codex, read_recorded(records).requests, policy_of=strict)
    assert "Nothing may be deployed from here." in str(chatgpt.model_requests[-1].context[0])
    assert not result.changes[0].same_policy


async def test_a_failure_changes_nothing(codex: AsyncCodex, chatgpt: LoopbackChatGPT, records: Path) -> None:
    record(records, "ls")
    record(records, "git push", "ask")
    chatgpt.script(Empty(), answer("allow"))
    result = await replayed(codex, read_recorded(records).requests)
    assert result.changes == []
    assert [one.to_json()["error"] for one in result.failed] == ["empty_reply"]
    assert (result.to_json()["judged"], result.to_json()["unchanged"]) == (1, 1)


def test_a_record_of_a_hostile_line_is_no_error(records: Path) -> None:
    deep = "[" * 400 + "]" * 400
    with records.open("w", encoding="utf-8") as file:
        file.write(
            f'{{"time": "{NOW.isoformat()}", "gate": {{"tool": "Bash", "verdict": "allow", "source": ["x"], "rule": 7, '
            f'"host": "vim", "mode": 1, "cwd": {{}}, "policy": null, "input": {{"command": {deep}}}}}}}\n'
        )
    (recorded,) = read_recorded(records).requests
    request = recorded.request
    assert (request.host, request.mode, request.cwd, recorded.rule, recorded.source) == (
        None,
        None,
        None,
        None,
        "model",
    )
    assert isinstance(recorded, Recorded)
    assert not recorded.cut
