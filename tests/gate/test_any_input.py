"""Ten thousand inputs of both hosts' shapes, and no allow that the model did not give."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.gate import Host
from codex_oauth.gate.hook import answer as answer_to
from codex_oauth.testing import Answer, LoopbackChatGPT
from tests.gate.answers import answer
from tests.gate.test_request import CLAUDE_BASH, CODEX_BASH, CODEX_MCP

INPUTS: Final = 10_000
AT_ONCE: Final = 50
HOSTS: Final[tuple[Host, ...]] = ("claude", "codex")
NOT_ALLOWING: Final[tuple[Answer, ...]] = (
    answer("ask"),
    answer("deny", deny_message="No."),
    answer("allow", rule="destroy"),
    answer("allow", rule="no-such-rule"),
    answer("allow", reason=" "),
)
FIELDS: Final = (
    *("session_id", "turn_id", "transcript_path", "cwd", "hook_event_name", "model", "permission_mode", "tool_name"),
    *("tool_input", "permission_suggestions", "prompt_id", "effort", "agent_id", "agent_type"),
)
TELLING: Final = (
    *("allow", "Bash", "PermissionRequest", "bypassPermissions", "plan", "default", "ExitPlanMode", "apply_patch"),
    *("mcp__a__b", "/srv/repo", "codex", "claude", "</permission_request>", "rm -rf ~; #", "\u202e", "\ud800", "\0"),
)

Batch = list[tuple[bytes, Host]]


def encoded(payload: object) -> bytes:
    return json.dumps(payload).encode()


def changed(base: dict[str, Any], changes: dict[str, Any], without: set[str]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if name not in without}


def cut(payload: dict[str, Any], length: int) -> bytes:
    return encoded(payload)[:length]


def torn(payload: dict[str, Any], junk: bytes, at: int) -> bytes:
    text = encoded(payload)
    return text[:at] + junk + text[at:]


words = st.text(max_size=20) | st.sampled_from(TELLING)
json_values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
altered: SearchStrategy[dict[str, Any]] = st.builds(
    changed,
    st.sampled_from([CLAUDE_BASH, CODEX_BASH, CODEX_MCP]),
    st.dictionaries(st.sampled_from(FIELDS) | words, json_values | words, max_size=4),
    st.sets(st.sampled_from(FIELDS), max_size=3),
)
places = st.integers(0, 600)
payloads: SearchStrategy[bytes] = st.one_of(
    altered.map(encoded),
    st.builds(cut, altered, places),
    st.builds(torn, altered, st.binary(max_size=9), places),
    json_values.map(encoded),
    st.binary(max_size=60),
)


@pytest.fixture
def judged(settings: Settings, chatgpt: LoopbackChatGPT, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Judges many at once, on one app-server."""
    policy_file = tmp_path_factory.mktemp("policy") / "gate.toml"
    policy_file.write_text("timeout = 60\ntranscript = false\n")

    async def judge_all(codex: AsyncCodex, batch: Batch, said: Answer) -> list[bytes]:
        chatgpt.default = said
        answers: list[bytes] = []

        async def judge_one(payload: bytes, host: Host) -> None:
            answers.append((await answer_to(payload, host, codex, policy_file=policy_file)).stdout)

        async with anyio.create_task_group() as tasks:
            for payload, host in batch:
                tasks.start_soon(judge_one, payload, host)
        return answers

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(AsyncCodex(settings=settings)) as codex,
    ):

        def judge(batch: Batch, said: Answer) -> list[bytes]:
            return portal.call(judge_all, codex, batch, said)

        yield judge


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [600, pytest.param(INPUTS, marks=pytest.mark.slow)])
def test_none_of_many_inputs_is_allowed_unless_the_model_said_so(
    judged: Callable[[Batch, Answer], list[bytes]], chatgpt: LoopbackChatGPT, count: int
) -> None:
    @hypothesis_settings(
        max_examples=count // AT_ONCE,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        # What fails is shown as it came: to make it smaller would be a call for each try.
        phases=[Phase.explicit, Phase.generate],
    )
    @given(
        batch=st.lists(st.tuples(payloads, st.sampled_from(HOSTS)), min_size=AT_ONCE, max_size=AT_ONCE),
        said=st.sampled_from(NOT_ALLOWING),
    )
    def none_is_allowed(batch: Batch, said: Answer) -> None:
        for stdout in judged(batch, said):
            assert b'"allow"' not in stdout
            assert stdout == b"" or json.loads(stdout)["hookSpecificOutput"]["decision"]["behavior"] == "deny"

    none_is_allowed()
    assert len(chatgpt.model_requests) > count / 20
