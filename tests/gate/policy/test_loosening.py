"""A repository's file that nobody trusted: it counts as long as it loosens nothing, and not at all otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.context import GitContext
from codex_oauth.gate.policy import Policy, Rule
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.policy.file import parse_policy
from codex_oauth.gate.policy.layers import LoadedPolicy, load_policy, loosened_by
from codex_oauth.gate.policy.loosening import reckless
from codex_oauth.gate.policy.trust import TrustedFiles
from tests.gate.policy.policies import User, git, write

USER = """\
when_nobody = "ask"
transcript = false
environment = ["Production is one hop away."]
[[append_rules]]
id = "push"
deny = "Pushes."
[[append_rules]]
id = "look"
allow = "Looks."
[on_failure]
default = "deny"
network = "ask"
[host.codex]
on_uncertain = "deny"
[[mode.plan.append_rules]]
id = "planned"
ask = "Plans."
"""


@pytest.fixture
def user(tmp_path: Path) -> User:
    made = User(tmp_path)
    write(made.policy, USER)
    return made


def load(user: User, mode: str | None = "default") -> LoadedPolicy:
    return load_policy(user.settings, host="claude", mode=mode, git=user.context)


LOOSER = {
    "no rules": ("rules = []", "line 1: replaces all rules of earlier layers"),
    "other rules": ("\n[[rules]]\nid = 'a'\ndeny = 'x'", "line 2: replaces all rules of earlier layers"),
    "rules of a mode": ("[mode.plan]\nrules = []", "line 2: replaces all rules of earlier layers in [mode.plan]"),
    "a built-in denial": ("disable = ['destroy']", "line 1: switches off 'destroy' (deny)"),
    "a built-in question": ("disable = ['outward']", "line 1: switches off 'outward' (ask)"),
    "the plan mode's": (
        "disable = ['plan-changes-nothing']",
        "line 1: switches off 'plan-changes-nothing' (deny)",
    ),
    "in one mode": (
        "[mode.acceptEdits]\ndisable = ['push']",
        "line 2: switches off 'push' (deny) in [mode.acceptEdits]",
    ),
    "an allowance": (
        "[[append_rules]]\nid = 'push'\nallow = 'Pushes.'",
        "line 2: replaces 'push' (deny) by an allow rule",
    ),
    "a question": ("[[append_rules]]\nid = 'push'\nask = 'Pushes.'", "line 2: replaces 'push' (deny) by an ask rule"),
    "other words": ("[[append_rules]]\nid = 'push'\ndeny = 'Never.'", "line 2: replaces 'push' (deny) by another one"),
    "other words to a denial": (
        "[[append_rules]]\nid = 'outward'\ndeny = 'Never.'",
        "line 2: replaces 'outward' (ask) by a deny rule with other words",
    ),
    "other words of an allowance": (
        "[[append_rules]]\nid = 'look'\nallow = 'Everything.'",
        "line 2: replaces 'look' (allow) by another one",
    ),
    "an allowance that is kept": (
        "[[append_rules]]\nid = 'look'\nallow = 'Looks.'\nremember = 'local'",
        "line 2: replaces 'look' (allow) by another one",
    ),
    "the second rule, on one host": (
        "[[host.codex.append_rules]]\nid = 'a'\ndeny = 'x'\n[[host.codex.append_rules]]\nid = 'push'\nallow = 'x'",
        "line 5: replaces 'push' (deny) by an allow rule with other words in [host.codex]",
    ),
    "a rule that is in a mode": (
        "[[mode.plan.append_rules]]\nid = 'planned'\nallow = 'Plans.'",
        "line 2: replaces 'planned' (ask) by an allow rule in [mode.plan]",
    ),
    "allowing the rest": ("on_uncertain = 'allow'", "line 1: on_uncertain = \"allow\" instead of \"ask\""),
    "asking on one host": (
        "[host.codex]\non_uncertain = 'ask'",
        "line 2: on_uncertain = \"ask\" instead of \"deny\" in [host.codex]",
    ),
    "asking in a mode": (
        "[mode.plan]\non_uncertain = 'ask'",
        "line 2: on_uncertain = \"ask\" instead of \"deny\" in [mode.plan]",
    ),
    "allowing with nobody": ("when_nobody = 'allow'", "line 1: when_nobody = \"allow\" instead of \"ask\""),
    "asking after failures": (
        "on_failure.default = 'ask'",
        "line 1: on_failure.default = \"ask\" instead of \"deny\"",
    ),
    "asking after one": (
        "[mode.plan.on_failure]\ntimeout = 'ask'",
        "line 2: on_failure.timeout = \"ask\" instead of \"deny\" in [mode.plan]",
    ),
    "the transcript": ("transcript = true", "line 1: transcript = true instead of false"),
    "no permissions": ("host_permissions = false", "line 1: host_permissions = false instead of true"),
    "no notes": ("environment = []", "line 1: replaces environment notes of other layers"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOSER)
def test_one_that_loosens_anything_is_passed_over_whole_and_told_by_line_and_mend(user: User, name: str) -> None:
    text, told = LOOSER[name]
    without = load(user)
    write(user.project, f"{text}\n")
    loaded = load(user)
    assert loaded.policy == without.policy
    source = loaded.sources[-1]
    assert (source.state, source.why) == (
        "passed over",
        f"you have not trusted it, and it loosens what other layers say ({told})",
    )
    assert source.mend == f"codex-oauth gate trust {user.project}"
    assert loaded.notes == (f"a policy file is passed over, since {source.why}: {source.mend}",)
    assert [f"line {problem.line}: {problem.message}" for problem in source.problems] == [told]
    assert source.problems == loosened_by(user.settings, parse_policy(user.project.read_bytes())[0])
    TrustedFiles(user.settings).add(user.project, user.project.read_bytes())
    trusted = load(user).sources[-1]
    assert (trusted.state, trusted.problems) == ("counted", ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model = 'm'\neffort = 'e'\ntimeout = 1\nappend_environment = ['Here.']",
        "on_uncertain = 'deny'\nwhen_nobody = 'deny'\non_failure.network = 'deny'",
        "on_uncertain = 'ask'\nwhen_nobody = 'ask'\ntranscript = false\nhost_permissions = true",
        "environment = ['Production is one hop away.', 'More.']",
        "on_failure.timeout = 'deny'\n[host.codex]\non_uncertain = 'deny'",
        "disable = ['read-only', 'look']",
        "disable = ['own']\n[[append_rules]]\nid = 'own'\ndeny = 'x'",
        "[[append_rules]]\nid = 'new'\nallow = 'Is new.'\n[[append_rules]]\nid = 'push'\ndeny = 'Pushes.'",
        "[[append_rules]]\nid = 'look'\nask = 'Something else.'",
        "[[mode.plan.append_rules]]\nid = 'planned'\ndeny = 'Plans.'",
        # The user's own section for the mode stands over it.
        "[[append_rules]]\nid = 'planned'\nallow = 'Something.'\n[[mode.plan.append_rules]]\nid = 'more'\nask = 'x'",
    ],
    ids=range(12),
)
def test_one_that_loosens_nothing_counts(user: User, text: str) -> None:
    write(user.project, f"{text}\n")
    assert load(user, "plan").sources[-1].why == "git does not track it"
    assert load(user, "plan").sources[-1].state == "counted"


def test_what_loosens_is_told_in_short_and_listed_whole(user: User) -> None:
    write(
        user.project, "on_uncertain = 'allow'\nwhen_nobody = 'allow'\ndisable = ['destroy', 'exfiltrate']\nrules = []\n"
    )
    source = load(user).sources[-1]
    assert [problem.line for problem in source.problems] == [1, 2, 3, 3, 4]
    assert source.why.endswith("line 3: switches off 'destroy' (deny); and 2 more)")


def test_a_file_that_is_wrong_is_an_error_and_not_passed_over(user: User) -> None:
    write(user.project, "rules = []\nmodell = 'x'\n")
    with pytest.raises(ConfigurationError, match=r"gate\.toml:2: unknown key"):
        load(user)


def test_in_a_linked_work_tree_neither_file_loosens_the_other(user: User, tmp_path: Path) -> None:
    git(user.repository, "commit", "-q", "--allow-empty", "-m", "first")
    linked = tmp_path / "linked"
    git(user.repository, "worktree", "add", "-q", str(linked))
    context = GitContext(root=str(linked), branch="linked", main_worktree=str(user.repository))
    file = linked / ".codex-oauth/gate.toml"

    def states(mode: str = "default") -> list[str]:
        loaded = load_policy(user.settings, host="claude", mode=mode, git=context)
        return [source.state for source in loaded.sources[2:]]

    write(user.project, "[[append_rules]]\nid = 'main'\ndeny = 'Does it.'\n")
    write(file, "disable = ['main']\n")
    assert states() == ["counted", "passed over"]
    write(file, "[[append_rules]]\nid = 'linked'\ndeny = 'Does that.'\n")
    assert states() == ["counted", "counted"]
    # What is trusted stands, even where an earlier layer's section for the mode would beat it.
    write(user.project, "[[mode.plan.append_rules]]\nid = 'linked'\nallow = 'Does that.'\n")
    assert states() == ["counted", "counted"]
    TrustedFiles(user.settings).add(file, file.read_bytes())
    assert states("plan") == ["passed over", "counted"]


def test_where_files_are_required_one_that_does_not_count_is_an_error(user: User) -> None:
    write(user.policy, f'project_policies = "required"\n{USER}')
    assert load(user).sources[-1].state == "absent"
    user.trusts("[[append_rules]]\nid = 'team'\ndeny = 'Does it.'\n")
    assert load(user).policy.rule("team")
    write(user.project, "# touched\n")
    with pytest.raises(ConfigurationError) as caught:
        load(user)
    assert caught.value.message == (
        f'{user.project}: your own file says project_policies = "required", and you have not trusted it since it '
        f"changed: codex-oauth gate trust {user.project}"
    )
    user.project.unlink()
    with pytest.raises(ConfigurationError, match="the file that you trusted is gone"):
        load(user)


def test_a_policy_that_permits_more_than_few_would_want_is_told() -> None:
    assert reckless(BUILTIN_POLICY) == ()
    rules = (Rule(id="a", kind="ask", text="x"),)
    told = reckless(Policy(rules=rules, on_uncertain="allow", when_nobody="allow"))
    assert [words.split(":")[0] for words in told] == [
        "no rule denies anything",
        'on_uncertain = "allow"',
        'when_nobody = "allow"',
    ]
