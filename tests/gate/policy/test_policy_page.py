"""The page on policy files, and the template: what they show is what the reader takes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.gate.policy import FAILURE_CLASSES
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES
from codex_oauth.gate.policy.file import MODES, PolicyFile, parse_policy
from codex_oauth.gate.policy.layers import load_policy
from codex_oauth.gate.policy.reader import FILE_KEYS, RULE_KEYS
from codex_oauth.gate.policy.template import policy_template
from tests.gate.policy.policies import User, write

PAGE = (Path(__file__).parents[3] / "docs/gate/policy.md").read_text(encoding="utf-8")
SNIPPETS: list[str] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_each_example_of_the_page_can_be_used_as_it_is(tmp_path: Path, snippet: str) -> None:
    user = User(tmp_path)
    write(user.policy, snippet)
    assert parse_policy(snippet.encode())[1] == ()
    for host in (None, "claude", "codex"):
        for mode in MODES:
            assert load_policy(user.settings, host=host, mode=mode, git=None).policy.rules


def test_the_complete_example_does_what_it_says(tmp_path: Path) -> None:
    user = User(tmp_path)
    write(user.policy, SNIPPETS[0])
    policy = load_policy(user.settings, host="codex", mode="acceptEdits", git=None).policy
    assert [rule.id for rule in policy.rules] == [
        *(rule.id for rule in BUILTIN_POLICY.rules if rule.id != "privilege"),
        *("staging", "formatters", "no-new-dependencies"),
    ]
    assert policy.environment[-1] == "Codex runs without a network here."


def test_the_page_names_every_key_mode_and_class() -> None:
    shown = {name for code in re.findall(r"`([^`\n]+)`", PAGE) for name in re.findall(r"\w+", code)}
    assert {*FILE_KEYS, *RULE_KEYS, *MODES, *FAILURE_CLASSES} - shown == set()


def test_the_page_shows_the_built_in_rules_in_their_own_words() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (allow|deny|ask) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(rule.id, rule.kind, rule.text) for rule in (*BUILTIN_POLICY.rules, *PLAN_RULES)]


def test_both_the_page_and_the_template_recommend_that_files_are_trusted_first() -> None:
    line = 'project_policies = "trusted"'
    assert SNIPPETS[0].startswith(line)
    template = policy_template(project=False)
    keys = [taken for taken in template.splitlines() if re.match(r"#[a-z\[]", taken)]
    assert keys[0] == f"#{line}"


def test_the_error_that_the_page_shows_is_the_one_that_is_told() -> None:
    (problem,) = parse_policy(b"#\n#\non_uncertian = 'ask'\n")[1]
    assert problem.at("~/.config/codex-oauth/gate.toml") in PAGE


@pytest.mark.parametrize("project", [False, True])
def test_the_template_says_nothing_yet(project: bool) -> None:
    assert parse_policy(policy_template(project=project).encode()) == (PolicyFile(), ())


def test_the_template_names_every_key_and_every_built_in_rule() -> None:
    template = policy_template(project=False)
    assert {*FILE_KEYS, *RULE_KEYS, *MODES, *FAILURE_CLASSES} - set(re.findall(r"\w+", template)) == set()
    for rule in (*BUILTIN_POLICY.rules, *PLAN_RULES):
        assert f"#   {rule.id} [{rule.kind}]\n" in template
        assert rule.text in " ".join(template.replace("\n#", " ").split())
    assert "project_policies =" not in policy_template(project=True)


@pytest.mark.parametrize("project", [False, True])
def test_each_line_of_the_template_without_a_space_can_be_made_ones_own(tmp_path: Path, project: bool) -> None:
    user = User(tmp_path)
    lines = policy_template(project=project).splitlines()
    taken = "\n".join(line[1:] if re.match(r"#[a-z\[]", line) else line for line in lines)
    write(user.policy if not project else user.project, taken)
    policy = load_policy(user.settings, host="claude", mode="plan", git=user.context).policy
    assert [rule.id for rule in policy.rules] == [
        *(rule.id for rule in BUILTIN_POLICY.rules),
        *("staging", "formatters", PLAN_RULES[0].id, "plan-no-network"),
    ]
    # Defaults are what they are said to be; the rest are examples.
    kept = replace(policy, rules=BUILTIN_POLICY.rules, environment=(), model=None, effort=None, timeout=None)
    assert kept == BUILTIN_POLICY
    assert all(len(line) <= 120 for line in lines)
