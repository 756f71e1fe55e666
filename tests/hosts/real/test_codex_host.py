"""The gate in the real Codex: installed by its own command, asked by the real app-server, judged by the stand-in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.process import find_binary
from codex_oauth.testing import Items, function_call
from tests.hosts.real.codex_host import PROMPTS, Answer, CodexHost, Tool, prepare_codex_home
from tests.hosts.real.gate_model import DENIED, TASK, Behavior, GateModel
from tests.hosts.real.person import GATE_ACCOUNT, HOST_ACCOUNT, SECRETS, Person
from tests.hosts.real.watch import Watch

TOOLS: Final[tuple[Tool, ...]] = ("Bash", "apply_patch", "mcp__probe__poke")
MCP: Final[Tool] = "mcp__probe__poke"

every_tool = pytest.mark.parametrize("tool", TOOLS)


@pytest.fixture(scope="module")
def binary(person: Person) -> Path:
    """The codex that is the host; HOST_CODEX_BIN names another than the bundled one, which the gate goes on to use."""
    named = os.environ.get("HOST_CODEX_BIN")
    return Path(named) if named else find_binary(person.settings).path


@pytest.fixture(scope="module")
def installed(binary: Path, person: Person, service: GateModel) -> None:
    """A Codex that has been used before, with the hook in it."""
    prepare_codex_home(person, binary)
    service.chatgpt.sign_in(person.codex_home, account_id=HOST_ACCOUNT)
    person.install("codex")


@pytest.fixture
def codex(installed: None, binary: Path, person: Person, service: GateModel) -> Iterator[CodexHost]:
    """A Codex that runs, and leaves nothing behind."""
    service.reset()
    host = CodexHost(binary, person, service)
    try:
        yield host
    finally:
        left = host.process.close()
    assert left == []
    assert not service.chatgpt.refused


def test_the_installed_hook_is_there_once_and_trusted(codex: CodexHost) -> None:
    assert codex.trust_of_hooks() == ["trusted"]


@every_tool
def test_what_the_gate_allows_is_done_and_nobody_is_asked(codex: CodexHost, service: GateModel, tool: Tool) -> None:
    service.judge("allow")
    action = codex.action(tool)
    turn = codex.turn(action.replies)
    assert action.done()
    assert turn.asked == []
    assert turn.statuses == ["completed"]
    (request,) = service.judged
    assert tool in request.text
    assert action.target.name in request.text


@every_tool
def test_what_the_gate_denies_is_not_done_and_the_model_is_told_why(
    codex: CodexHost, service: GateModel, tool: Tool
) -> None:
    service.judge("deny")
    action = codex.action(tool)
    turn = codex.turn(action.replies)
    assert not action.done()
    assert turn.asked == []
    assert turn.statuses == ["blocked"]
    assert turn.feedback == [DENIED]
    assert DENIED in turn.told[action.call_id]


@every_tool
@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_what_the_gate_leaves_open_is_asked_and_the_person_decides(
    codex: CodexHost, service: GateModel, tool: Tool, answer: Answer
) -> None:
    service.judge("ask")
    action = codex.action(tool)
    turn = codex.turn(action.replies, person=answer)
    assert turn.asked == [PROMPTS[tool]]
    assert action.done() == (answer == "accept")
    assert turn.statuses == ["completed"]
    assert len(service.judged) == 1


def test_with_approvals_off_an_mcp_tool_runs_because_the_gate_allows_it(codex: CodexHost, service: GateModel) -> None:
    service.judge("allow")
    action = codex.action(MCP)
    turn = codex.turn(action.replies, approval="never")
    assert action.done()
    assert turn.asked == []
    assert len(service.judged) == 1


def test_with_approvals_off_an_mcp_tool_is_denied_like_any_other(codex: CodexHost, service: GateModel) -> None:
    service.judge("deny")
    action = codex.action(MCP)
    turn = codex.turn(action.replies, approval="never")
    assert not action.done()
    assert turn.asked == []
    assert DENIED in turn.told[action.call_id]


def test_with_approvals_off_what_the_person_should_decide_is_denied(codex: CodexHost, service: GateModel) -> None:
    service.judge("ask")
    action = codex.action(MCP)
    turn = codex.turn(action.replies, approval="never")
    assert not action.done()
    assert turn.asked == []
    assert turn.statuses == ["blocked"]
    assert "nobody can be asked" in turn.told[action.call_id]


@pytest.mark.parametrize(
    ("tool", "words"), [("Bash", "approval policy is Never"), ("apply_patch", "rejected by user approval settings")]
)
def test_with_approvals_off_codex_refuses_the_rest_by_itself(
    codex: CodexHost, service: GateModel, tool: Tool, words: str
) -> None:
    service.judge("allow")
    action = codex.action(tool)
    turn = codex.turn(action.replies, approval="never")
    assert not action.done()
    assert turn.hooks == []
    assert service.judged == []
    assert words in turn.told[action.call_id]


def test_a_command_that_stays_in_the_sandbox_is_nobodys_question(codex: CodexHost, service: GateModel) -> None:
    service.judge("deny")
    turn = codex.turn([Items([function_call("exec_command", {"cmd": "ls"}, "call")])])
    assert turn.asked == []
    assert turn.hooks == []
    assert service.judged == []


def test_two_calls_at_once_are_judged_side_by_side(codex: CodexHost, service: GateModel) -> None:
    service.judge("allow")
    one, other = codex.action("Bash", "one"), codex.action("Bash", "other")
    turn = codex.turn([Items([*one.calls, *other.calls])])
    assert one.done()
    assert other.done()
    assert turn.asked == []
    assert len(service.judged) == 2


def test_the_gate_reads_what_the_person_has_said_in_codexs_own_transcript(codex: CodexHost, service: GateModel) -> None:
    service.judge("allow")
    codex.turn(codex.action("Bash").replies, ephemeral=False)
    (request,) = service.judged
    assert TASK in request.text


def test_an_agent_that_is_denied_again_and_again_is_brought_before_the_person(
    codex: CodexHost, service: GateModel
) -> None:
    service.judge("deny")
    actions = [codex.action("Bash", str(number)) for number in range(4)]
    turn = codex.turn([Items(action.calls) for action in actions], person="decline")
    assert turn.statuses == ["blocked", "blocked", "blocked", "completed"]
    assert turn.asked == [PROMPTS["Bash"]]
    assert not any(action.done() for action in actions)


def test_with_approvals_off_such_an_agent_is_told_to_stop(codex: CodexHost, service: GateModel) -> None:
    service.judge("deny")
    actions = [codex.action(MCP, str(number)) for number in range(4)]
    replies = [*actions[0].replies, *(Items(action.calls) for action in actions[1:])]
    turn = codex.turn(replies, approval="never")
    assert turn.statuses == ["blocked"] * 4
    assert turn.asked == []
    assert not any(action.done() for action in actions)
    assert "Stop, and report" in turn.told[actions[-1].call_id]


@pytest.fixture
def signed_out(installed: None, person: Person) -> Iterator[None]:
    """A gate that cannot judge."""
    person.sign_out_gate()
    yield
    person.sign_in_gate()


@every_tool
def test_a_gate_that_cannot_judge_leaves_it_to_the_person(
    signed_out: None, codex: CodexHost, service: GateModel, tool: Tool
) -> None:
    action = codex.action(tool)
    turn = codex.turn(action.replies, person="accept")
    assert turn.statuses == ["failed"]
    assert turn.asked == [PROMPTS[tool]]
    assert action.done()
    assert service.judged == []


def test_a_gate_that_cannot_judge_lets_nothing_through_where_nobody_can_be_asked(
    signed_out: None, codex: CodexHost
) -> None:
    action = codex.action(MCP)
    turn = codex.turn(action.replies, approval="never")
    assert not action.done()
    assert turn.asked == []
    assert turn.statuses == ["failed"]


@pytest.fixture
def denies_failures(installed: None, person: Person) -> Iterator[None]:
    """A hook that denies what it cannot judge."""
    person.install("codex", "--on-failure", "deny")
    yield
    person.install("codex")


@pytest.mark.parametrize("approval", ["on-request", "never"])
def test_a_gate_that_cannot_judge_denies_where_it_is_told_to(
    denies_failures: None, signed_out: None, codex: CodexHost, service: GateModel, approval: str
) -> None:
    action = codex.action(MCP)
    turn = codex.turn(action.replies, approval="never" if approval == "never" else "on-request", person="accept")
    assert not action.done()
    assert turn.asked == []
    assert turn.statuses == ["blocked"]
    assert "could not judge" in turn.told[action.call_id]
    assert service.judged == []


def test_the_gate_pays_with_its_own_account_and_its_app_server_sees_no_key(
    codex: CodexHost, person: Person, service: GateModel
) -> None:
    service.while_judging = watch = Watch(person.settings.home, codex.process)
    service.judge("allow")
    codex.turn(codex.action("Bash").replies)
    watch.assert_that_keys_stay_with_the_hook(SECRETS)
    assert {request.request.headers["chatgpt-account-id"] for request in service.judged} == {GATE_ACCOUNT}
    assert {request.request.headers["chatgpt-account-id"] for request in service.of_host} == {HOST_ACCOUNT}


@pytest.mark.parametrize("behavior", ["allow", "deny", "ask"])
def test_the_hook_leaves_no_process(codex: CodexHost, person: Person, service: GateModel, behavior: Behavior) -> None:
    service.while_judging = watch = Watch(person.settings.home, codex.process)
    service.judge(behavior)
    codex.turn(codex.action("Bash").replies)
    assert watch.hooks
    assert watch.app_servers
    assert watch.nothing_left()


@pytest.fixture
def modified(installed: None, person: Person) -> Iterator[None]:
    """A hook that has changed since it was trusted."""
    person.run("install", "codex", "--yes", "--no-trust", "--timeout", "45")
    yield
    person.install("codex")


def test_codex_passes_over_a_hook_that_it_does_not_trust_and_says_nothing(
    modified: None, codex: CodexHost, service: GateModel
) -> None:
    service.judge("allow")
    turn = codex.turn(codex.action("Bash").replies)
    assert codex.trust_of_hooks() == ["modified"]
    assert turn.asked == [PROMPTS["Bash"]]
    assert turn.hooks == []
    assert service.judged == []


def test_without_the_hook_codex_asks_as_ever(codex: CodexHost, person: Person, service: GateModel) -> None:
    service.judge("allow")
    person.uninstall("codex")
    try:
        action = codex.action("Bash")
        turn = codex.turn(action.replies)
    finally:
        person.install("codex")
    assert turn.asked == [PROMPTS["Bash"]]
    assert turn.hooks == []
    assert service.judged == []
