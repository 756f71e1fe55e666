"""The gate in the real Claude Code: installed by its own command, asked in SDK mode, judged by the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.gate.policy.builtin import PLAN_RULES
from tests.hosts.real import claude_package
from tests.hosts.real.claude_api import ClaudeAPI, tool_use
from tests.hosts.real.claude_host import Answer, ClaudeHost, Mode, Tool
from tests.hosts.real.gate_model import ALLOW_RULE, DENIED, TASK, Behavior, GateModel
from tests.hosts.real.person import GATE_ACCOUNT, SECRETS, Person
from tests.hosts.real.watch import Watch

TOOLS: Final[tuple[Tool, ...]] = ("Bash", "Write", "mcp__probe__poke")

every_tool = pytest.mark.parametrize("tool", TOOLS)

StartClaude = Callable[[Mode], ClaudeHost]


@pytest.fixture(scope="module")
def program() -> Path:
    """Claude Code, where it was fetched."""
    found = claude_package.find()
    if found is None:
        pytest.skip(f"Claude Code {claude_package.VERSION} is not there; scripts/test_hosts.sh fetches it with npm")
    return found


@pytest.fixture(scope="module")
def api(program: Path) -> Iterator[ClaudeAPI]:
    """What Claude Code's own model says."""
    with ClaudeAPI() as service:
        yield service


@pytest.fixture(scope="module")
def installed(program: Path, person: Person) -> None:
    """A Claude Code with the hook in it."""
    person.install("claude")


@pytest.fixture
def start(installed: None, program: Path, person: Person, api: ClaudeAPI, service: GateModel) -> Iterator[StartClaude]:
    """Starts Claude Code in a permission mode; it leaves nothing behind."""
    service.reset()
    api.reset()
    hosts: list[ClaudeHost] = []
    left: list[str] = []

    def begin(mode: Mode) -> ClaudeHost:
        hosts.append(ClaudeHost(program, person, api, mode=mode))
        return hosts[-1]

    try:
        yield begin
    finally:
        for host in hosts:
            left += host.process.close()
    assert left == []
    assert not service.chatgpt.refused


@pytest.fixture
def claude(start: StartClaude) -> ClaudeHost:
    """A Claude Code that asks for what its settings do not allow."""
    return start("default")


@every_tool
def test_what_the_gate_allows_is_done_and_the_question_is_taken_back(
    claude: ClaudeHost, service: GateModel, tool: Tool
) -> None:
    service.judge("allow")
    action = claude.action(tool)
    turn = claude.turn([action.call])
    assert action.done()
    assert (turn.asked, turn.withdrawn) == ([tool], 1)
    (request,) = service.judged
    assert tool in request.text
    assert action.target.name in request.text


@every_tool
def test_what_the_gate_denies_is_not_done_and_the_model_is_told_why(
    claude: ClaudeHost, service: GateModel, tool: Tool
) -> None:
    service.judge("deny")
    action = claude.action(tool)
    turn = claude.turn([action.call])
    assert not action.done()
    assert (turn.asked, turn.withdrawn) == ([tool], 1)
    assert turn.told[action.call["id"]] == DENIED


@every_tool
@pytest.mark.parametrize("answer", ["allow", "deny"])
def test_what_the_gate_leaves_open_stays_asked_and_the_person_decides(
    claude: ClaudeHost, service: GateModel, tool: Tool, answer: Answer
) -> None:
    service.judge("ask")
    action = claude.action(tool)
    turn = claude.turn([action.call], person=answer)
    assert action.done() == (answer == "allow")
    assert (turn.asked, turn.withdrawn) == ([tool], 0)
    assert [(run["exit_code"], run["stdout"]) for run in turn.hooks] == [(0, "")]
    assert len(service.judged) == 1


@pytest.mark.parametrize(
    ("tool", "mode"), [("AskUserQuestion", "default"), ("AskUserQuestion", "plan"), ("ExitPlanMode", "plan")]
)
def test_a_question_to_the_person_is_left_to_them_and_no_model_is_asked(
    start: StartClaude, service: GateModel, tool: str, mode: Mode
) -> None:
    service.judge("deny")
    claude = start(mode)
    options = [{"label": label, "description": label} for label in ("tea", "coffee")]
    question = {"question": "Which?", "header": "Drink", "multiSelect": False, "options": options}
    asked = {"questions": [question]} if tool == "AskUserQuestion" else {"plan": "1. Drink tea."}
    turn = claude.turn([tool_use(tool, "toolu_question", **asked)])
    assert (turn.asked, turn.withdrawn) == ([tool], 0)
    assert [(run["exit_code"], run["stdout"]) for run in turn.hooks] == [(0, "")]
    assert service.judged == []


def test_several_calls_are_judged_one_after_the_other(claude: ClaudeHost, service: GateModel) -> None:
    service.judge("allow")
    actions = [claude.action(tool) for tool in TOOLS]
    turn = claude.turn([action.call for action in actions])
    assert all(action.done() for action in actions)
    assert (turn.asked, turn.withdrawn) == (list(TOOLS), 3)


def test_a_person_who_answers_first_is_not_overruled(claude: ClaudeHost, service: GateModel) -> None:
    service.judge("deny")
    service.chatgpt.latency = 0.5
    try:
        action = claude.action("Bash")
        turn = claude.turn([action.call], person="allow", at_once=True)
        service.chatgpt.wait_for_model_requests(1)
    finally:
        service.chatgpt.latency = 0.0
    assert action.done()
    assert turn.withdrawn == 0


def test_the_gate_reads_what_the_person_has_said_in_claude_codes_own_transcript(
    claude: ClaudeHost, service: GateModel
) -> None:
    service.judge("allow")
    claude.turn([claude.action("Bash").call])
    (request,) = service.judged
    assert TASK in request.text


@pytest.mark.parametrize("mode", ["default", "plan"])
def test_plan_mode_has_a_rule_of_its_own(start: StartClaude, service: GateModel, mode: Mode) -> None:
    service.judge("deny")
    claude = start(mode)
    claude.turn([claude.action("Bash").call])
    (request,) = service.judged
    # As the model's instructions or as a message before the request: which of them is the model's own affair.
    rules = f"{request.body.get('instructions')} {request.context}"
    assert (PLAN_RULES[0].id in rules) == (mode == "plan")


@pytest.fixture
def remembers(person: Person) -> Iterator[None]:
    """A policy by which the person is not bothered twice with the same."""
    policy = person.settings.config_dir / "gate.toml"
    policy.parent.mkdir(parents=True, exist_ok=True)
    rule = f'[[append_rules]]\nid = "{ALLOW_RULE}"\nallow = "Works on the project."\nremember = "session"\n'
    policy.write_text(rule, encoding="utf-8")
    yield
    policy.unlink()


def test_what_a_rule_has_remembered_is_not_asked_again(remembers: None, claude: ClaudeHost, service: GateModel) -> None:
    service.judge("allow")
    action = claude.action("Bash")
    first = claude.turn([action.call])
    action.target.unlink()
    second = claude.turn([{**action.call, "id": "toolu_again"}])
    assert action.done()
    assert (len(first.hooks), second.hooks, second.asked) == (1, [], [])
    assert len(service.judged) == 1


def test_an_agent_that_is_denied_again_and_again_is_brought_before_the_person(
    claude: ClaudeHost, service: GateModel
) -> None:
    service.judge("deny")
    actions = [claude.action("Bash") for _ in range(4)]
    turn = claude.turn([action.call for action in actions])
    assert not any(action.done() for action in actions)
    assert (len(turn.asked), turn.withdrawn) == (4, 3)


@pytest.fixture
def signed_out(installed: None, person: Person) -> Iterator[None]:
    """A gate that cannot judge."""
    person.sign_out_gate()
    yield
    person.sign_in_gate()


@every_tool
def test_a_gate_that_cannot_judge_leaves_it_to_the_person(
    signed_out: None, claude: ClaudeHost, service: GateModel, tool: Tool
) -> None:
    action = claude.action(tool)
    turn = claude.turn([action.call], person="allow")
    assert action.done()
    assert (turn.asked, turn.withdrawn) == ([tool], 0)
    assert [(run["exit_code"], run["stdout"]) for run in turn.hooks] == [(1, "")]
    assert service.judged == []


@pytest.fixture
def denies_failures(installed: None, person: Person) -> Iterator[None]:
    """A hook that denies what it cannot judge."""
    person.install("claude", "--on-failure", "deny")
    yield
    person.install("claude")


@every_tool
def test_a_gate_that_cannot_judge_denies_where_it_is_told_to(
    denies_failures: None, signed_out: None, claude: ClaudeHost, service: GateModel, tool: Tool
) -> None:
    action = claude.action(tool)
    turn = claude.turn([action.call], person="allow")
    assert not action.done()
    assert (turn.asked, turn.withdrawn) == ([tool], 1)
    assert "could not judge" in turn.told[action.call["id"]]
    assert service.judged == []


def test_the_gate_pays_with_its_own_account_and_its_app_server_sees_no_key(
    claude: ClaudeHost, person: Person, service: GateModel
) -> None:
    service.while_judging = watch = Watch(person.settings.home, claude.process)
    service.judge("allow")
    claude.turn([claude.action("Bash").call])
    watch.assert_that_keys_stay_with_the_hook(SECRETS)
    assert {request.request.headers["chatgpt-account-id"] for request in service.judged} == {GATE_ACCOUNT}


@pytest.mark.parametrize("behavior", ["allow", "deny", "ask"])
def test_the_hook_leaves_no_process(claude: ClaudeHost, person: Person, service: GateModel, behavior: Behavior) -> None:
    service.while_judging = watch = Watch(person.settings.home, claude.process)
    service.judge(behavior)
    claude.turn([claude.action("Bash").call])
    assert watch.hooks
    assert watch.app_servers
    assert watch.nothing_left()


def test_without_the_hook_claude_code_asks_as_ever(
    installed: None, person: Person, start: StartClaude, service: GateModel
) -> None:
    service.judge("allow")
    person.uninstall("claude")
    try:
        claude = start("default")
        action = claude.action("Bash")
        turn = claude.turn([action.call], at_once=True)
    finally:
        person.install("claude")
    assert not action.done()
    assert (turn.asked, turn.withdrawn, turn.hooks) == (["Bash"], 0, [])
    assert service.judged == []
