"""Groups 1 to 6: what the model says, to the exact bytes that the host is answered with."""

from __future__ import annotations

import pytest

from codex_oauth.gate import Host
from codex_oauth.testing import Answer, Json, LoopbackChatGPT
from tests.gate.answers import answer
from tests.gate.blackbox.host import (
    ALLOW,
    DEFAULT_DENIAL,
    NOTHING,
    Seen,
    both_hosts,
    denial,
    in_turn,
    no_verdict,
)
from tests.gate.blackbox.machine import Machine


@both_hosts
def test_1_an_allow_is_one_object_without_a_message(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(answer("allow", "It only looks.", deny_message="Not said."))
    assert machine.ask(host) == Seen(0, ALLOW, "")
    assert machine.verdicts() == [("allow", "model", False, "read-only")]
    assert len(chatgpt.model_requests) == 1


@both_hosts
def test_2_a_denial_has_the_models_words_for_the_agent(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(answer("deny", "It deletes.", 'Use "git rm" instead.\nOr ask — nicely. 🙂'))
    seen = machine.ask(host)
    assert seen == Seen(0, denial('Use "git rm" instead.\nOr ask — nicely. 🙂'), "")
    assert seen.stdout.isascii()
    assert machine.verdicts() == [("deny", "model", False, "destroy")]
    assert len(chatgpt.model_requests) == 1


@pytest.mark.parametrize("words", ["", " \n\t"], ids=["empty", "blank"])
def test_3_a_denial_without_words_gets_the_default_ones(machine: Machine, chatgpt: LoopbackChatGPT, words: str) -> None:
    chatgpt.script(answer("deny", deny_message=words))
    assert machine.ask("codex") == Seen(0, denial(DEFAULT_DENIAL), "")


def test_3_a_rule_with_words_for_the_agent_lends_them(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    machine.policy('[[append_rules]]\nid = "no-npx"\ndeny = "Runs npx."\ndeny_message = "Use the scripts."\n')
    chatgpt.script(answer("deny", rule="no-npx"), answer("deny", rule="no-npx", deny_message="Use npm run."))
    assert machine.ask("claude").stdout == denial("Use the scripts.")
    assert machine.ask("claude").stdout == denial("Use npm run.")


def test_3_long_words_are_cut(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("deny", deny_message="é" * 200_000))
    assert machine.ask("claude") == Seen(0, denial("é" * 899 + "…"), "")


@both_hosts
def test_4_an_ask_is_no_answer_at_all(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.script(answer("ask", deny_message="Not said."), answer("ask", rule="outward"))
    assert machine.ask(host) == Seen(0, NOTHING, "")
    assert machine.ask(host) == Seen(0, NOTHING, "")
    assert machine.verdicts() == [("ask", "model", False, None), ("ask", "model", False, "outward")]
    assert len(chatgpt.model_requests) == 2


@both_hosts
@pytest.mark.parametrize("wanted", ["allow", "deny"])
def test_5_an_ask_that_rests_on_no_rule_becomes_what_the_policy_says(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, wanted: str
) -> None:
    machine.policy(f'on_uncertain = "{wanted}"\n')
    chatgpt.script(answer("ask", "I cannot tell."))
    assert machine.ask(host) == Seen(0, ALLOW if wanted == "allow" else denial("I cannot tell."), "")
    assert machine.verdicts() == [(wanted, "uncertain", True, None)]
    assert len(chatgpt.model_requests) == 1


@pytest.mark.parametrize("wanted", ["allow", "deny"])
def test_5_an_ask_that_rests_on_a_rule_stays_one(machine: Machine, chatgpt: LoopbackChatGPT, wanted: str) -> None:
    machine.policy(f'on_uncertain = "{wanted}"\n')
    chatgpt.script(answer("ask", rule="outward"))
    assert machine.ask("codex") == Seen(0, NOTHING, "")
    assert machine.verdicts() == [("ask", "model", False, "outward")]


@pytest.mark.parametrize(("host", "behavior"), in_turn(["fallthrough", "", "Allow", "approve", None]))
def test_6_a_word_that_is_no_verdict_is_no_verdict(
    machine: Machine, chatgpt: LoopbackChatGPT, host: Host, behavior: str | None
) -> None:
    machine.policy('on_uncertain = "allow"\n')
    chatgpt.default = Json({"reason": "r", "rule": "read-only", "behavior": behavior, "deny_message": ""})
    assert no_verdict(machine.ask(host)) == "reply"
    assert machine.verdicts() == [("ask", "failure", True, None)]
    # The reply, and the one that mends it, which does not fit either.
    assert len(chatgpt.model_requests) == 2


def test_6_a_word_that_is_no_verdict_can_be_mended_once(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(
        Json({"reason": "r", "rule": "read-only", "behavior": "approve", "deny_message": ""}),
        answer("allow"),
    )
    assert machine.ask("claude") == Seen(0, ALLOW, "")
    assert machine.entry()["repaired"]
    assert len(chatgpt.model_requests) == 2


@pytest.mark.parametrize(
    "said",
    [
        answer("allow", rule="no-such-rule"),
        answer("allow", rule="destroy"),
        answer("allow", rule="outward"),
        answer("allow", rule=""),
        answer("allow", reason=" "),
        answer("deny", rule="read-only"),
        answer("deny", rule=""),
        answer("ask", rule="no-such-rule"),
    ],
    ids=[
        *("allow by no such rule", "allow by a deny rule", "allow by an ask rule", "allow by none"),
        *("allow without reason", "deny by an allow rule", "deny by none", "ask by no such rule"),
    ],
)
def test_6_a_verdict_that_does_not_go_with_its_rule_is_an_ask(
    machine: Machine, chatgpt: LoopbackChatGPT, said: Answer
) -> None:
    machine.policy('on_uncertain = "allow"\n')
    chatgpt.script(said)
    assert machine.ask("claude") == Seen(0, NOTHING, "")
    ((verdict, source, forced, _),) = machine.verdicts()
    assert (verdict, source, forced) == ("ask", "contradiction", True)
    assert len(chatgpt.model_requests) == 1


@both_hosts
def test_the_fourth_denial_in_a_row_goes_to_the_person(machine: Machine, chatgpt: LoopbackChatGPT, host: Host) -> None:
    chatgpt.default = answer("deny", deny_message="No.")
    request = machine.payload(host)
    assert [machine.ask(host, request).stdout for _ in range(4)] == [*[denial("No.")] * 3, NOTHING]
    assert machine.verdicts()[3] == ("ask", "escalated", True, "destroy")
