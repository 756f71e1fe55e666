"""Groups 7 to 10: no verdict. The person decides, or a denial stands in; nothing that goes wrong ends in an allow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.config import Settings
from codex_oauth.gate import Host
from codex_oauth.gate.policy import FailureClass
from codex_oauth.testing import (
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
    Slow,
    Text,
    message,
    overloaded,
    rate_limited,
    reasoning,
    server_error,
    unauthorized,
    usage_limit_reached,
)
from tests.gate.blackbox.host import ALLOW, NOTHING, Seen, denial, in_turn, no_verdict
from tests.gate.blackbox.machine import Machine
from tests.real.endpoints import ACCOUNT

ALLOWING: Final = '{"reason": "r", "rule": "read-only", "behavior": "allow", "deny_message": ""}'
LENIENT: Final = 'on_uncertain = "allow"\nwhen_nobody = "allow"\n'
"""As lenient as a policy can be."""
TIMEOUT: Final = 1.5
"""Seconds of a policy for what would not end by itself, or not soon."""
BOUND: Final = 12.0
"""Seconds for such a hook, start and end of its process included, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that goes wrong.

    Attributes:
        name: What.
        of: The class that a policy knows it by.
        answer: What the model answers to each request.
        requests: How many model requests there are.
        waits: Whether it ends with the time that the policy gives, since codex tries again or nothing comes. On a
            machine that is very busy, that time is up before the cause is known.
        prepared: What is done to the stand-in or the machine before.
    """

    name: str
    of: FailureClass
    answer: Answer | None = None
    requests: int = 1
    prepared: Callable[[LoopbackChatGPT, Settings], None] | None = None
    waits: bool = False

    @property
    def policy(self) -> str:
        """A policy that waits no longer for it than it has to."""
        return f"{LENIENT}timeout = {TIMEOUT if self.waits else 20}\n"


def _offline(chatgpt: LoopbackChatGPT, _: Settings) -> None:
    chatgpt.offline = True


def _account(response: HttpResponse) -> Callable[[LoopbackChatGPT, Settings], None]:
    return lambda chatgpt, _: chatgpt.respond(ACCOUNT, response)


def _signed_out(_: LoopbackChatGPT, settings: Settings) -> None:
    (settings.home / "auth.json").unlink()


def _half_signed_in(_: LoopbackChatGPT, settings: Settings) -> None:
    (settings.home / "auth.json").write_text('{"tokens": ')


def _api_key(_: LoopbackChatGPT, settings: Settings) -> None:
    (settings.home / "auth.json").write_text(json.dumps({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-somebodys"}))


UNUSABLE: Final = (
    Case("cut at the length", "reply", Incomplete("max_output_tokens", ALLOWING)),
    # codex itself tries this again until the time is up.
    Case("cut by a content filter", "network", Incomplete("content_filter", ALLOWING), waits=True),
    Case("declined", "service", Failed("cyber_policy", "No.")),
    Case("empty", "reply", Empty()),
    Case("blank", "reply", Text(" "), requests=2),
    Case("only thoughts", "reply", Items((reasoning("allow"),))),
    Case("only commentary", "reply", Items((message(ALLOWING, "commentary"),))),
)
MALFORMED: Final = (
    Case("a word", "reply", Text("allow"), requests=2),
    Case("half an object", "reply", Text(ALLOWING[:-1]), requests=2),
    Case("an object and more", "reply", Text(f"{ALLOWING} Done."), requests=2),
    Case("in a fence", "reply", Text(f"```json\n{ALLOWING}\n```"), requests=2),
    Case("a list", "reply", Json([ALLOWING]), requests=2),
    Case("no rule", "reply", Json({"reason": "r", "behavior": "allow", "deny_message": ""}), requests=2),
    Case("half a character", "reply", Text(ALLOWING.replace('"r"', '"\\ud83d"')), requests=2),
    Case("one field more", "reply", Json({**json.loads(ALLOWING), "sure": True}), requests=2),
)
SERVICE: Final = (
    Case("400", "service", HttpError(400, {"error": {"code": "bad", "message": "Bad."}})),
    Case("401", "timeout", unauthorized(), waits=True),
    Case("403", "timeout", HttpError(403, {"error": {"code": "forbidden", "message": "No."}}), waits=True),
    Case("429", "service", rate_limited()),
    Case("used up", "limit", usage_limit_reached()),
    Case("500", "network", server_error(500), waits=True),
    Case("503", "service", overloaded()),
    Case("breaks off", "network", Cut(ALLOWING), waits=True),
    Case("says nothing", "timeout", Hang(), waits=True),
    Case("stops after an allow", "timeout", Hang(ALLOWING), waits=True),
    Case("slow", "timeout", Slow(Text(ALLOWING), 1.0), waits=True),
    Case("no network", "network", prepared=_offline, waits=True),
    Case("account refused", "network", prepared=_account(HttpResponse(500, {})), requests=0),
    Case("account: garbage", "network", prepared=_account(HttpResponse(200, b"<html>")), requests=0),
)
SIGN_IN: Final = (
    Case("signed out", "account", prepared=_signed_out, requests=0),
    Case("half a sign-in", "account", prepared=_half_signed_in, requests=0),
    Case("an API key", "account", prepared=_api_key, requests=0),
)


GROUPS: Final = {7: UNUSABLE, 8: MALFORMED, 9: SERVICE, 10: SIGN_IN}


@pytest.mark.parametrize(
    ("host", "case"),
    in_turn({f"{group}-{case.name}": case for group, cases in GROUPS.items() for case in cases}),
)
def test_what_is_no_verdict_is_the_persons_to_decide(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, host: Host, case: Case
) -> None:
    machine.policy(case.policy)
    if case.answer is not None:
        chatgpt.default = case.answer
    if case.prepared is not None:
        case.prepared(chatgpt, settings)
    began = time.monotonic()
    assert no_verdict(machine.ask(host)) in {case.of, *(["timeout"] if case.waits else [])}
    assert time.monotonic() - began < BOUND
    assert machine.verdicts() == [("ask", "failure", True, None)]
    entry = machine.entry()
    assert (entry["outcome"], entry["gate"]["policy"] is not None) == ("error", True)
    assert entry["error"] not in (None, "other", "unexpected")
    if not case.waits:
        assert len(chatgpt.model_requests) == case.requests


@pytest.mark.slow
def test_7_a_content_filter_is_told_from_the_network_by_who_has_the_time(
    machine: Machine, chatgpt: LoopbackChatGPT
) -> None:
    machine.policy(f"{LENIENT}timeout = 29\n")
    chatgpt.default = Incomplete("content_filter", ALLOWING)
    assert no_verdict(machine.ask("claude")) == "reply"


def test_8_a_reply_that_is_no_json_can_be_mended_once(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("Sure!"), Text(ALLOWING))
    assert machine.ask("codex") == Seen(0, ALLOW, "")
    assert machine.entry()["repaired"]


def test_9_a_refused_connection_ends_in_time(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.policy(f"{LENIENT}timeout = {TIMEOUT}\n")
    for name in ("HTTPS_PROXY", "https_proxy"):
        machine.environ[name] = "http://127.0.0.1:9"
    began = time.monotonic()
    assert no_verdict(machine.ask("codex")) in {"network", "timeout"}
    assert time.monotonic() - began < BOUND
    assert chatgpt.requests == ()


@pytest.mark.parametrize(
    ("policy", "said"),
    [('model = "gpt-none"', "'gpt-none'"), ('effort = "none-such"', "none-such")],
    ids=["model", "effort"],
)
def test_10_a_model_that_there_is_not_is_not_asked(
    machine: Machine, chatgpt: LoopbackChatGPT, policy: str, said: str
) -> None:
    machine.policy(f"{policy}\n")
    seen = machine.ask("claude")
    assert no_verdict(seen) == "configuration"
    assert said in seen.stderr
    assert chatgpt.model_requests == ()
    assert machine.verdicts() == [("ask", "failure", True, None)]


def test_10_without_codex_nothing_is_asked(machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    machine.environ["CODEX_OAUTH_CODEX_BIN"] = str(tmp_path / "none")
    assert no_verdict(machine.ask("codex")) == "codex"
    assert chatgpt.requests == ()
    assert machine.entry()["error"] == "codex_not_found"


# --- what a policy may make of a failure --------------------------------------------------------------------------

CLASSES: Final = (
    Case("account", "account", prepared=_signed_out),
    Case("limit", "limit", usage_limit_reached()),
    Case("network", "network", prepared=_account(HttpResponse(500, {}))),
    Case("reply", "reply", Empty()),
    Case("service", "service", HttpError(400, {"error": {"code": "bad", "message": "Bad."}})),
    Case("timeout", "timeout", Hang(ALLOWING), waits=True),
)


def stand_in(seen: Seen, name: FailureClass) -> bytes:
    """The denial in a verdict's place, with the words that stand on stderr too."""
    words = seen.stderr.strip().partition(f"no verdict, so denied: {name}: ")[2]
    assert words
    return denial(
        f"The permission gate could not judge this, and its policy is to deny then. ({words}) Stop, and report it to "
        "the person, who can run codex-oauth doctor; trying another way leads to the same."
    )


@pytest.mark.parametrize("case", CLASSES, ids=lambda case: case.name)
def test_a_failure_is_a_denial_where_the_policy_says_so(
    machine: Machine, settings: Settings, chatgpt: LoopbackChatGPT, case: Case
) -> None:
    machine.policy(f'{case.policy}[on_failure]\n{case.of} = "deny"\n')
    if case.answer is not None:
        chatgpt.default = case.answer
    if case.prepared is not None:
        case.prepared(chatgpt, settings)
    seen = machine.ask("codex")
    assert (seen.status, seen.stdout) == (0, stand_in(seen, case.of))
    assert seen.stderr.startswith(f"codex-oauth: no verdict, so denied: {case.of}: ")
    assert seen.stderr.count("\n") == 1
    assert machine.verdicts() == [("deny", "failure", True, None)]


def test_a_policy_has_a_word_for_all_classes_and_for_one(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.policy('[on_failure]\ndefault = "deny"\nreply = "ask"\n')
    chatgpt.script(Empty(), HttpError(400, {}))
    assert no_verdict(machine.ask("claude")) == "reply"
    seen = machine.ask("claude")
    assert seen.stdout == stand_in(seen, "service")


def test_no_policy_can_make_an_allow_of_a_failure(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    file = machine.policy('[on_failure]\nnetwork = "allow"\n')
    seen = machine.ask("codex")
    assert no_verdict(seen) == "configuration"
    assert f"{file}:2: " in seen.stderr
    assert chatgpt.requests == ()


@pytest.mark.parametrize("word", ["ask", "deny"])
def test_the_hooks_own_option_has_the_last_word_on_failures(
    machine: Machine, chatgpt: LoopbackChatGPT, word: str
) -> None:
    machine.policy(f'[on_failure]\ndefault = "{"ask" if word == "deny" else "deny"}"\n')
    chatgpt.default = Empty()
    seen = machine.ask("claude", None, "--on-failure", word)
    assert (seen.status, seen.stdout) == ((0, stand_in(seen, "reply")) if word == "deny" else (1, NOTHING))


@pytest.mark.parametrize("broken", ["request", "policy"])
def test_the_option_counts_even_where_nothing_can_be_read(
    machine: Machine, chatgpt: LoopbackChatGPT, broken: str
) -> None:
    machine.policy("rules = 1\n" if broken == "policy" else "")
    seen = machine.ask("codex", b"{" if broken == "request" else None, "--on-failure", "deny")
    assert (seen.status, seen.stdout) == (0, stand_in(seen, "input" if broken == "request" else "configuration"))
    assert chatgpt.requests == ()
    assert machine.verdicts() == [("deny", "failure", True, None)]
