"""What becomes of the model's word: it holds only together with the rule that it names."""

from __future__ import annotations

from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.gate import BUILTIN_POLICY, Behavior, PermissionRequest, Policy, Rule, classify
from codex_oauth.gate.settling import MAX_DENY_MESSAGE
from codex_oauth.testing import LoopbackChatGPT
from tests.gate.answers import answer

GIT_STATUS = PermissionRequest.from_command("git status", cwd="/srv/repo")
NOBODY = PermissionRequest(
    tool="mcp__probe__poke", tool_input={"target": "x"}, host="codex", mode="bypassPermissions", session="s"
)
LONG = PermissionRequest.from_command("x" * 100_000)

pytestmark = pytest.mark.anyio


def policy(**settings: Any) -> Policy:
    return Policy(rules=BUILTIN_POLICY.rules, **settings)


@pytest.mark.parametrize("rule", ["no-such-rule", "READ-ONLY", "read-only, local-git", "[allow] read-only", "deny"])
@pytest.mark.parametrize("behavior", ["allow", "deny", "ask"])
async def test_a_rule_that_does_not_exist_makes_it_ask(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, behavior: str, rule: str
) -> None:
    chatgpt.script(answer(behavior, rule=rule))
    verdict = await classify(GIT_STATUS, codex=codex)
    assert (verdict.behavior, verdict.source, verdict.rule) == ("ask", "contradiction", None)
    assert verdict.reason == "The model named a rule that does not exist. Because."
    assert verdict.deny_message == ""


@pytest.mark.parametrize(
    ("behavior", "rule"),
    [
        ("allow", "destroy"),
        ("allow", "outward"),
        ("allow", ""),
        ("deny", "read-only"),
        ("deny", "outward"),
        ("deny", ""),
    ],
)
async def test_a_behaviour_that_contradicts_its_rule_makes_it_ask(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, behavior: str, rule: str
) -> None:
    chatgpt.script(answer(behavior, deny_message="Stop.", rule=rule))
    verdict = await classify(GIT_STATUS, codex=codex)
    assert (verdict.behavior, verdict.source, verdict.rule) == ("ask", "contradiction", rule or None)
    assert verdict.deny_message == ""


@pytest.mark.parametrize("rule", ["outward", "destroy", "read-only", ""])
async def test_an_ask_goes_with_any_rule(codex: AsyncCodex, chatgpt: LoopbackChatGPT, rule: str) -> None:
    chatgpt.script(answer("ask", rule=rule))
    verdict = await classify(GIT_STATUS, codex=codex)
    assert (verdict.behavior, verdict.source, verdict.rule) == ("ask", "model", rule or None)


async def test_space_around_a_rules_name_is_no_other_name(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("allow", rule=" read-only\n"))
    assert (await classify(GIT_STATUS, codex=codex)).rule == "read-only"


@pytest.mark.parametrize(("on_uncertain", "expected"), [("ask", "ask"), ("allow", "allow"), ("deny", "deny")])
async def test_what_rests_on_no_rule_is_what_the_policy_says(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, on_uncertain: Behavior, expected: str
) -> None:
    chatgpt.script(answer("ask", "Hard to say."))
    verdict = await classify(GIT_STATUS, codex=codex, policy=policy(on_uncertain=on_uncertain))
    assert verdict.behavior == expected
    assert (verdict.source, verdict.forced) == (("model", False) if expected == "ask" else ("uncertain", True))
    assert verdict.deny_message == ("Hard to say." if expected == "deny" else "")


@pytest.mark.parametrize("rule", ["outward", "destroy", "read-only"])
@pytest.mark.parametrize("on_uncertain", ["allow", "deny"])
async def test_an_ask_that_rests_on_a_rule_is_not_uncertain(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, on_uncertain: Behavior, rule: str
) -> None:
    chatgpt.script(answer("ask", rule=rule))
    assert (await classify(GIT_STATUS, codex=codex, policy=policy(on_uncertain=on_uncertain))).behavior == "ask"


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (GIT_STATUS, answer("allow", rule="no-such-rule")),
        (GIT_STATUS, answer("allow", rule="destroy")),
        (GIT_STATUS, answer("allow", reason=" ")),
        (GIT_STATUS, answer("deny", rule="")),
        (LONG, answer("allow")),
        (LONG, answer("ask")),
    ],
    ids=["no such rule", "another kind", "no reason", "deny without a rule", "cut allow", "cut ask"],
)
async def test_a_policy_that_allows_what_is_uncertain_allows_nothing_that_went_wrong(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, request_: PermissionRequest, reply: Any
) -> None:
    chatgpt.script(reply)
    verdict = await classify(request_, codex=codex, policy=policy(on_uncertain="allow", when_nobody="allow"))
    assert verdict.behavior == "ask"


@pytest.mark.parametrize(("when_nobody", "expected"), [("deny", "deny"), ("ask", "ask"), ("allow", "allow")])
@pytest.mark.parametrize("rule", ["", "outward"])
async def test_where_nobody_can_be_asked_the_policy_says_what_ask_becomes(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, when_nobody: Behavior, expected: str, rule: str
) -> None:
    chatgpt.script(answer("ask", "It reaches out.", rule=rule))
    verdict = await classify(NOBODY, codex=codex, policy=policy(when_nobody=when_nobody))
    assert (verdict.behavior, verdict.source) == (expected, "model" if expected == "ask" else "nobody")
    if expected == "deny":
        assert verdict.deny_message == "This needs a person, and nobody can be asked here. It reaches out."


@pytest.mark.parametrize("reply", [answer("allow", rule="destroy"), answer("allow", rule=""), answer("allow", " ")])
async def test_where_nobody_can_be_asked_what_went_wrong_is_denied(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, reply: Any
) -> None:
    chatgpt.script(reply)
    assert (await classify(NOBODY, codex=codex, policy=policy(when_nobody="allow"))).behavior == "deny"


async def test_a_rules_own_words_stand_in_where_the_model_has_none(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    rules = (Rule(id="push", kind="deny", text="Pushes.", deny_message="Open a pull request instead."),)
    chatgpt.script(answer("deny", rule="push"), answer("deny", deny_message="Not today.", rule="push"))
    said = [(await classify(GIT_STATUS, codex=codex, policy=Policy(rules=rules))).deny_message for _ in range(2)]
    assert said == ["Open a pull request instead.", "Not today."]
    assert "Open a pull request instead." in str(chatgpt.model_requests[0].context)


@pytest.mark.parametrize("length", [MAX_DENY_MESSAGE, MAX_DENY_MESSAGE + 1, 200_000])
async def test_what_the_agent_is_told_has_a_bound(codex: AsyncCodex, chatgpt: LoopbackChatGPT, length: int) -> None:
    chatgpt.script(answer("deny", deny_message="ä" * length))
    message = (await classify(GIT_STATUS, codex=codex)).deny_message
    assert len(message) == MAX_DENY_MESSAGE
    assert message.endswith("ä" if length == MAX_DENY_MESSAGE else "…")


async def test_the_policys_model_and_effort_are_used(codex: AsyncCodex, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(answer("allow"))
    models = [model for model in await codex.models() if not model.hidden]
    wanted, effort = models[-1].id, models[-1].efforts[-1]
    verdict = await classify(GIT_STATUS, codex=codex, policy=policy(model=wanted, effort=effort))
    assert (verdict.model, verdict.effort) == (wanted, effort)


def test_two_policies_with_the_same_content_have_the_same_fingerprint() -> None:
    assert policy().fingerprint == BUILTIN_POLICY.fingerprint
    others = [policy(on_uncertain="deny"), policy(environment=("x",)), Policy(rules=BUILTIN_POLICY.rules[1:])]
    assert len({one.fingerprint for one in [*others, BUILTIN_POLICY]}) == 4
