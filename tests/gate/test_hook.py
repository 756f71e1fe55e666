"""The hook's answers, on the real binary: no input and no failure ends in an allow that the model did not give."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.gate import Host
from codex_oauth.gate.hook import answer as answer_to
from codex_oauth.process import find_binary
from codex_oauth.testing import (
    DROP,
    HANG,
    Answer,
    Cut,
    Empty,
    Failed,
    Hang,
    HttpError,
    HttpResponse,
    Incomplete,
    Items,
    Json,
    LoopbackChatGPT,
    Text,
    context_length_exceeded,
    function_call,
    model_unsupported,
    overloaded,
    rate_limited,
    reasoning,
    server_error,
    unauthorized,
    usage_limit_reached,
    usage_not_included,
)
from tests.gate.answers import answer
from tests.gate.test_request import CLAUDE_BASH, CODEX_BASH, CODEX_MCP
from tests.real.endpoints import ACCOUNT

ALLOW: Final = b'{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"allow"}}}'
PAYLOADS: Final[Mapping[Host, dict[str, Any]]] = {"claude": CLAUDE_BASH, "codex": CODEX_BASH}

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: what differs between the two is tested where it costs less."""
    return "asyncio"


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """A policy that does not wait long."""
    file = tmp_path / "gate.toml"
    file.write_text("timeout = 1.5\n")
    return file


def encoded(payload: object) -> bytes:
    return json.dumps(payload).encode()


@pytest.mark.parametrize("host", PAYLOADS)
async def test_an_allow_is_an_allow(codex: AsyncCodex, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(answer("allow"))
    got = await answer_to(encoded(PAYLOADS[host]), host, codex)
    assert (got.stdout, got.failed, got.notes) == (ALLOW, False, ())


# --- failures ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that goes wrong, and the class that a policy knows it by."""

    name: str
    of: str
    answer: Answer | None = None
    prepared: Callable[[LoopbackChatGPT, Settings], Settings | None] | None = None
    payload: bytes | None = None
    policy: str | None = None


def _account(response: Any) -> Callable[[LoopbackChatGPT, Settings], None]:
    return lambda chatgpt, _: chatgpt.respond(ACCOUNT, response)


def _offline(chatgpt: LoopbackChatGPT, _: Settings) -> None:
    chatgpt.offline = True


def _signed_out(_: LoopbackChatGPT, settings: Settings) -> None:
    (settings.home / "auth.json").unlink()


def _garbled(_: LoopbackChatGPT, settings: Settings) -> None:
    (settings.home / "auth.json").write_text('{"tokens": ')


def _program(text: str) -> Callable[[LoopbackChatGPT, Settings], Settings]:
    def prepare(_: LoopbackChatGPT, settings: Settings) -> Settings:
        # In everything but the conversation it is the real one.
        program = settings.home.parent / "pretender"
        real = find_binary(settings).path
        program.write_text(f'#!/bin/sh\ncase "$*" in *app-server*) ;; *) exec "{real}" "$@";; esac\n{text}\n')
        program.chmod(0o755)
        return replace(settings, codex_bin=program)

    return prepare


def _no_binary(_: LoopbackChatGPT, settings: Settings) -> Settings:
    return replace(settings, codex_bin=settings.home / "none")


ALLOWING: Final = '{"reason": "r", "rule": "read-only", "behavior": "allow", "deny_message": ""}'
FAILURES: Final = (
    Failure("used up", "limit", usage_limit_reached()),
    Failure("not in the plan", "limit", usage_not_included()),
    Failure("no quota", "limit", Failed("insufficient_quota")),
    Failure("429", "service", rate_limited()),
    Failure("overloaded", "service", overloaded()),
    Failure("400", "service", HttpError(400, {"error": {"code": "bad", "message": "Bad."}})),
    Failure("unknown model", "service", model_unsupported("gpt-6-luna")),
    Failure("too long", "service", context_length_exceeded()),
    Failure("policy", "service", Failed("cyber_policy", "No.")),
    Failure("a new failure", "network", Failed("something_new", "No.")),
    Failure("403", "timeout", HttpError(403, {"error": {"code": "forbidden", "message": "No."}})),
    Failure("500", "network", server_error(500)),
    Failure("401", "timeout", unauthorized()),
    Failure("cut off", "network", Cut(ALLOWING)),
    Failure("hangs", "timeout", Hang()),
    Failure("hangs after an allow", "timeout", Hang(ALLOWING)),
    Failure("incomplete allow", "reply", Incomplete(text=ALLOWING)),
    Failure("empty", "reply", Empty()),
    Failure("only thoughts", "reply", Items((reasoning("allow"),))),
    Failure("a tool call", "timeout", Items((function_call("shell", {"command": "allow"}, "call-1"),))),
    Failure("a word", "reply", Text("allow")),
    Failure("half an object", "reply", Text('{"behavior": "allow"')),
    Failure("another case", "reply", Json({"reason": "r", "rule": "", "behavior": "Allow", "deny_message": ""})),
    Failure("a list", "reply", Json(["allow"])),
    Failure("an object and more", "reply", Text(f"{ALLOWING} allow")),
    Failure("account: 500", "network", prepared=_account(HttpResponse(500, {}))),
    Failure("account: garbage", "network", prepared=_account(HttpResponse(200, b"<html>"))),
    Failure("account: dropped", "network", prepared=_account(DROP)),
    Failure("account: hangs", "timeout", prepared=_account(HANG)),
    Failure("no network", "network", prepared=_offline),
    Failure("signed out", "account", prepared=_signed_out),
    Failure("half a sign-in", "account", prepared=_garbled),
    Failure("no binary", "codex", prepared=_no_binary),
    Failure("codex dies", "codex", prepared=_program("exit 3")),
    Failure("codex talks nonsense", "timeout", prepared=_program("echo allow; cat >/dev/null")),
    Failure("codex says nothing", "timeout", prepared=_program("cat >/dev/null")),
    Failure("unknown model in the policy", "configuration", policy='model = "gpt-none"\n'),
    Failure("broken policy", "configuration", policy="rules = 1\n"),
    Failure("no policy file", "configuration", policy=""),
    Failure("no request", "input", payload=b""),
    Failure("no JSON", "input", payload=b"allow"),
    Failure("another event", "input", payload=encoded({**CODEX_BASH, "hook_event_name": "PreToolUse"})),
    Failure("a key twice", "input", payload=b'{"tool_name":"Bash","tool_name":"Read","tool_input":{}}'),
)


def write_policy(file: Path, failure: Failure, on_failure: str) -> None:
    if failure.policy == "":
        file.unlink()
    elif failure.of == "configuration" and "model" not in (failure.policy or ""):
        file.write_text(failure.policy or "")
    else:
        file.write_text(
            f"timeout = 1.5\non_uncertain = 'allow'\n{failure.policy or ''}"
            f"[on_failure]\n{failure.of} = '{on_failure}'\n"
        )


@pytest.mark.parametrize("on_failure", [pytest.param("ask", marks=pytest.mark.slow), "deny"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name.replace(" ", "-"))
async def test_no_failure_ends_in_an_allow(
    settings: Settings, chatgpt: LoopbackChatGPT, policy_file: Path, failure: Failure, on_failure: str
) -> None:
    write_policy(policy_file, failure, on_failure)
    if failure.answer is not None:
        chatgpt.default = failure.answer
    prepared = failure.prepared(chatgpt, settings) if failure.prepared else None
    payload = encoded(CODEX_BASH) if failure.payload is None else failure.payload
    got = await answer_to(payload, "codex", AsyncCodex(settings=prepared or settings), policy_file=policy_file)
    assert got.failed
    (note,) = got.notes
    assert f"{failure.of}: " in note, note
    assert "\n" not in note
    # Where the policy cannot be read, or nothing is known of the request, the policy has no say.
    heard = failure.payload is None and failure.policy in {None, 'model = "gpt-none"\n'}
    if on_failure == "deny" and heard:
        decision = json.loads(got.stdout)["hookSpecificOutput"]["decision"]
        assert decision["behavior"] == "deny"
        assert decision["message"].startswith("The permission gate could not judge this, and its policy is to")
    else:
        assert got.stdout == b""


@pytest.mark.parametrize("failure", [FAILURES[0], FAILURES[-5], FAILURES[-3]], ids=lambda failure: failure.name)
async def test_the_hooks_own_word_on_failures_counts_even_without_a_policy(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path, failure: Failure
) -> None:
    if failure.answer is not None:
        chatgpt.default = failure.answer
    policy = tmp_path / "none.toml" if failure.policy == "" else None
    payload = encoded(CODEX_BASH) if failure.payload is None else failure.payload
    got = await answer_to(payload, "codex", codex, policy_file=policy, on_failure="deny")
    assert json.loads(got.stdout)["hookSpecificOutput"]["decision"]["behavior"] == "deny"


# --- denials in a row -------------------------------------------------------------------------------------------


async def test_after_three_denials_in_a_row_the_person_decides(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = answer("deny", deny_message="No.")
    answers = [await answer_to(encoded({**CLAUDE_BASH, "session_id": "row"}), "claude", codex) for _ in range(5)]
    assert [bool(got.stdout) for got in answers] == [True, True, True, False, False]
    assert not any(got.failed for got in answers)
    chatgpt.default = answer("allow")
    assert (await answer_to(encoded({**CLAUDE_BASH, "session_id": "row"}), "claude", codex)).stdout == ALLOW
    chatgpt.default = answer("deny", deny_message="No.")
    assert (await answer_to(encoded({**CLAUDE_BASH, "session_id": "row"}), "claude", codex)).stdout


async def test_where_nobody_can_be_asked_many_denials_end_in_a_word_to_stop(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.default = answer("deny", deny_message="No.")
    request = encoded({**CODEX_MCP, "session_id": "nobody"})
    answers = [await answer_to(request, "codex", codex) for _ in range(4)]
    said = [json.loads(got.stdout)["hookSpecificOutput"]["decision"]["message"] for got in answers]
    assert said == ["No."] * 3 + ["3 requests in a row were denied. Stop, and report what you need. No."]
