"""The layers, one over the other: what wins, what adds, and what is told of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.context import GitContext
from codex_oauth.gate.policy import Policy, Rule
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES
from codex_oauth.gate.policy.layers import LoadedPolicy, load_policy, read_layers
from codex_oauth.gate.request import Host
from codex_oauth.records import names
from tests.gate.policy.policies import User, git, write

BUILT_IN = [rule.id for rule in BUILTIN_POLICY.rules]
PLAN = [rule.id for rule in PLAN_RULES]
NONE_ELSE = 'rules = [{ id = "only", ask = "Everything." }]\n'


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def load(
    user: User, *, host: Host | None = None, mode: str | None = "default", file: Path | None = None
) -> LoadedPolicy:
    return load_policy(user.settings, host=host, mode=mode, git=user.context, file=file)


def ids(rules: Sequence[Rule]) -> list[str]:
    return [rule.id for rule in rules]


def states(loaded: LoadedPolicy) -> list[tuple[str, str]]:
    return [(source.layer, source.state) for source in loaded.sources]


def test_without_any_file_the_built_in_rules_count(user: User) -> None:
    loaded = load(user)
    assert loaded.policy == BUILTIN_POLICY
    assert loaded.policy.fingerprint == BUILTIN_POLICY.fingerprint
    assert states(loaded) == [("built-in", "counted"), ("user", "absent"), ("project", "absent")]
    assert [source.path for source in loaded.sources] == [None, user.policy, user.project]
    assert loaded.notes == ()
    assert set(loaded.origins.values()) == {"built-in"}


def test_without_a_repository_only_the_user_is_asked(user: User) -> None:
    loaded = load_policy(user.settings, host=None, mode=None, git=None)
    assert states(loaded) == [("built-in", "counted"), ("user", "absent")]


@pytest.mark.parametrize("host", [None, "claude", "codex"])
def test_plan_mode_adds_its_rule(user: User, host: Host | None) -> None:
    loaded = load(user, host=host, mode="plan")
    assert ids(loaded.policy.rules) == [*BUILT_IN, *PLAN]
    assert loaded.origins[PLAN[0]] == "built-in [mode.plan]"


def test_no_rules_for_every_mode_throw_away_the_rule_of_plan_mode(user: User) -> None:
    write(user.policy, NONE_ELSE)
    user.trusts(f"{NONE_ELSE}[[host.claude.rules]]\nid = 'claude'\nask = 'x'\n")
    assert ids(load(user, host="claude", mode="plan").policy.rules) == ["claude", *PLAN]
    assert ids(load(user, mode="plan").policy.rules) == ["only", *PLAN]


def test_only_rules_for_plan_mode_take_its_rule_away(user: User) -> None:
    write(user.policy, "[mode.plan]\nrules = [{ id = 'mine', deny = 'Everything.' }]\n")
    assert ids(load(user, mode="plan").policy.rules) == ["mine"]
    assert ids(load(user).policy.rules) == BUILT_IN


def test_a_later_layer_wins(user: User) -> None:
    write(user.policy, "on_uncertain = 'deny'\nwhen_nobody = 'ask'\ntimeout = 5\nmodel = 'user'\ntranscript = false\n")
    user.trusts("on_uncertain = 'allow'\neffort = 'high'\nmodel = 'project'\nhost_permissions = false\n")
    assert load(user).policy == replace(
        BUILTIN_POLICY,
        on_uncertain="allow",
        when_nobody="ask",
        timeout=5,
        model="project",
        effort="high",
        transcript=False,
        host_permissions=False,
    )


def test_the_specific_beats_the_general_and_then_the_later_the_earlier(user: User) -> None:
    write(
        user.policy,
        "model = 'user'\neffort = 'user'\ntimeout = 1\n[host.claude]\nmodel = 'user-claude'\neffort = 'user-claude'\n"
        "[mode.plan]\nmodel = 'user-plan'\n",
    )
    write(
        user.project,
        "model = 'project'\ntimeout = 2\n[host.claude]\neffort = 'project-claude'\n[host.codex]\ntimeout = 3\n",
    )

    def chosen(host: Host | None, mode: str | None) -> tuple[str | None, str | None, float | None]:
        policy = load(user, host=host, mode=mode).policy
        return policy.model, policy.effort, policy.timeout

    assert chosen(None, "default") == ("project", "user", 2)
    assert chosen("claude", "default") == ("user-claude", "project-claude", 2)
    assert chosen("claude", "plan") == ("user-plan", "project-claude", 2)
    assert chosen("codex", "plan") == ("user-plan", "user", 3)
    assert chosen("codex", "a mode that comes later") == ("project", "user", 3)
    assert chosen("codex", None) == ("project", "user", 3)


def test_rules_replace_and_appended_ones_take_the_place_of_their_namesakes(user: User) -> None:
    write(
        user.policy,
        "[[append_rules]]\nid = 'outward'\ndeny = 'Pushes.'\n[[append_rules]]\nid = 'new'\nask = 'Is new.'\n"
        "[[host.claude.append_rules]]\nid = 'new'\nallow = 'Is new, on Claude Code.'\n",
    )
    loaded = load(user, host="claude")
    assert ids(loaded.policy.rules) == [*BUILT_IN, "new"]
    assert loaded.policy.rule("outward") == Rule(id="outward", kind="deny", text="Pushes.")
    assert loaded.policy.rule("new") == Rule(id="new", kind="allow", text="Is new, on Claude Code.")
    assert (loaded.origins["outward"], loaded.origins["new"]) == ("user", "user [host.claude]")
    user.trusts(NONE_ELSE)
    assert ids(load(user).policy.rules) == ["only"]
    user.trusts(f"{NONE_ELSE}append_rules = [{{ id = 'more', ask = 'x' }}]\n")
    assert ids(load(user).policy.rules) == ["only", "more"]


def test_an_empty_list_of_rules_clears(user: User) -> None:
    write(user.policy, "rules = []\n")
    loaded = load(user)
    assert (loaded.policy.rules, loaded.origins) == ((), {})


def test_notes_replace_or_add(user: User) -> None:
    write(
        user.policy,
        "environment = ['One.']\nappend_environment = ['Two.']\n[host.codex]\nappend_environment = ['Three.']\n",
    )
    assert load(user).policy.environment == ("One.", "Two.")
    user.trusts("append_environment = ['Four.']\n")
    assert load(user, host="codex").policy.environment == ("One.", "Two.", "Four.", "Three.")
    user.trusts("environment = []\n")
    assert load(user, host="codex").policy.environment == ("Three.",)


def test_a_rule_that_is_switched_off_stays_off(user: User) -> None:
    write(user.policy, "disable = ['outward', 'privilege']\n[mode.plan]\ndisable = ['plan-changes-nothing']\n")
    user.trusts("disable = ['destroy', 'outward']\n[[append_rules]]\nid = 'outward'\nallow = 'Pushes.'\n")
    loaded = load(user)
    assert ids(loaded.policy.rules) == [name for name in BUILT_IN if name not in ("outward", "privilege", "destroy")]
    assert loaded.switched_off == {"outward": "user", "privilege": "user", "destroy": "project"}
    assert "outward" not in loaded.origins
    planned = load(user, mode="plan")
    assert not set(PLAN) & set(ids(planned.policy.rules))
    assert planned.switched_off[PLAN[0]] == "user [mode.plan]"


def test_every_id_of_this_file_and_of_earlier_layers_can_be_switched_off_in_any_section(user: User) -> None:
    write(user.policy, "rules = []\n[[host.codex.rules]]\nid = 'mine'\nask = 'x'\n")
    user.trusts(
        "disable = ['mine', 'outward', 'plan-changes-nothing', 'theirs']\n[mode.dontAsk]\ndisable = ['mine']\n"
        "[[mode.plan.append_rules]]\nid = 'theirs'\nask = 'x'\n",
    )
    assert load(user, host="codex", mode="plan").policy.rules == ()


def test_switching_off_what_does_not_exist_is_an_error_with_the_nearest_name(user: User) -> None:
    write(user.policy, "# first\n[mode.plan]\n\ndisable = [\n  'reed-only',\n]\n")
    with pytest.raises(ConfigurationError) as caught:
        load(user)
    assert caught.value.message == (
        f"{user.policy}:4: 'disable' names 'reed-only', and no rule of this file or of an earlier layer has that id; "
        "did you mean 'read-only'?"
    )
    # A later layer is not an earlier one.
    write(user.policy, "disable = ['zzz']\n")
    write(user.project, "[[append_rules]]\nid = 'zzz'\nask = 'x'\n")
    with pytest.raises(ConfigurationError, match="or of an earlier layer has that id; known are destroy, "):
        load(user)


def test_what_becomes_of_failures_is_taken_together(user: User) -> None:
    write(user.policy, "[on_failure]\ntimeout = 'deny'\nlimit = 'ask'\n")
    assert load(user).policy.on_failure == {"timeout": "deny"}
    user.trusts(
        "on_failure.default = 'deny'\non_failure.other = 'ask'\n[host.codex.on_failure]\ntimeout = 'ask'\n",
    )
    denied = {"account", "codex", "configuration", "input", "network", "reply", "service"}
    assert set(load(user).policy.on_failure) == {*denied, "timeout"}
    assert load(user, host="codex").policy.on_failure == dict.fromkeys(sorted(denied), "deny")


def test_saying_what_holds_anyway_changes_no_fingerprint(user: User) -> None:
    write(
        user.policy,
        "on_uncertain = 'ask'\nwhen_nobody = 'deny'\ntranscript = true\nhost_permissions = true\nenvironment = []\n"
        "disable = []\n[on_failure]\ndefault = 'ask'\ntimeout = 'ask'\n",
    )
    assert load(user).policy.fingerprint == BUILTIN_POLICY.fingerprint


def test_a_file_that_is_named_stands_for_all_others(user: User, tmp_path: Path) -> None:
    write(user.policy, "this is broken")
    write(user.project, "this too")
    named = write(tmp_path / "named.toml", "timeout = 7\nproject_policies = 'off'\n")
    loaded = load(user, file=named)
    assert loaded.policy == replace(BUILTIN_POLICY, timeout=7)
    assert states(loaded) == [("built-in", "counted"), ("file", "counted")]
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: no such policy file"):
        load(user, file=tmp_path / "nowhere.toml")
    with pytest.raises(ConfigurationError, match="cannot be read: not a regular file"):
        load(user, file=tmp_path)


def test_the_file_of_the_main_work_tree_lies_between(user: User, tmp_path: Path) -> None:
    (user.repository / "a").touch()
    git(user.repository, "add", "a")
    git(user.repository, "commit", "-qm", "first")
    linked = tmp_path / "linked"
    git(user.repository, "worktree", "add", "-q", str(linked))
    write(user.policy, "timeout = 1\nmodel = 'user'\neffort = 'user'\n")
    write(user.project, "timeout = 2\nmodel = 'main'\n")
    write(linked / ".codex-oauth/gate.toml", "timeout = 3\n")
    context = GitContext(root=str(linked), branch="linked", main_worktree=str(user.repository))
    loaded = load_policy(user.settings, host=None, mode=None, git=context)
    assert (loaded.policy.timeout, loaded.policy.model, loaded.policy.effort) == (3, "main", "user")
    assert [(source.layer, source.path) for source in loaded.sources[1:]] == [
        ("user", user.policy),
        ("main worktree", user.project),
        ("project", linked / ".codex-oauth/gate.toml"),
    ]
    assert [source.why for source in loaded.sources[2:]] == ["git does not track it"] * 2
    # From the main work tree itself, its file is the project's.
    assert load(user).policy.timeout == 2


def test_a_file_that_is_passed_over_is_noted_and_changes_nothing(user: User) -> None:
    write(user.project, "this is broken")
    git(user.repository, "add", ".")
    loaded = load(user)
    assert loaded.policy == BUILTIN_POLICY
    assert states(loaded)[-1] == ("project", "passed over")
    command = f"codex-oauth gate trust {user.project}"
    assert loaded.notes == (
        f"a policy file is passed over, since git tracks it, and you have not trusted it: {command}",
    )


def test_a_broken_file_that_counts_is_an_error_with_its_line(user: User) -> None:
    write(user.project, "timeout = 3\nmodell = 'x'\nrules = 3\n")
    with pytest.raises(ConfigurationError) as caught:
        load(user)
    assert caught.value.message == (
        f"{user.project}:2: unknown key 'modell'; did you mean 'model'? (and 1 more: codex-oauth gate check lists them)"
    )
    looked = read_layers(user.settings, host=None, mode=None, git=user.context)
    assert [(problem.line, problem.message[:7]) for problem in looked.sources[-1].problems] == [
        (2, "unknown"),
        (3, "'rules'"),
    ]


def test_what_is_wrong_in_all_layers_is_found_at_once(user: User) -> None:
    write(user.policy, "modell = 'x'\n[[append_rules]]\nid = 'mine'\nask = 'x'\n")
    write(user.project, "disable = ['mine']\ntimeout = 0\n")
    looked = read_layers(user.settings, host=None, mode=None, git=user.context)
    assert [(source.layer, len(source.problems)) for source in looked.sources] == [
        ("built-in", 0),
        ("user", 1),
        ("project", 1),
    ]


def test_a_repository_has_no_say_in_what_is_trusted(user: User) -> None:
    write(user.project, "\nproject_policies = 'untracked'\n")
    with pytest.raises(ConfigurationError, match=r"gate\.toml:2: 'project_policies' is for your own file"):
        load(user)
    # Named by hand, it is still a repository's.
    with pytest.raises(ConfigurationError, match=r"gate\.toml:2: 'project_policies' is for your own file"):
        load(user, file=user.project)


def test_rules_of_the_user_that_are_there_and_cannot_be_read_stop_everything(user: User) -> None:
    user.policy.parent.mkdir(parents=True)
    user.policy.symlink_to(user.policy)
    with pytest.raises(ConfigurationError, match=r"gate\.toml: cannot be read: Too many levels"):
        load(user)


def test_the_users_own_file_may_be_behind_a_link_and_is_no_pipe(user: User, tmp_path: Path) -> None:
    user.policy.parent.mkdir(parents=True)
    user.policy.symlink_to(write(tmp_path / "dotfiles.toml", "timeout = 9\n"))
    assert load(user).policy.timeout == 9
    user.policy.unlink()
    os.mkfifo(user.policy)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        load(user)


def test_every_key_reaches_the_policy(user: User) -> None:
    values = {
        "on_uncertain": "deny",
        "when_nobody": "allow",
        "model": "m",
        "effort": "e",
        "timeout": 1.5,
        "cache": 600.0,
        "transcript": False,
        "host_permissions": False,
        "environment": ("E.",),
        "rules": (Rule(id="r", kind="allow", text="R.", remember="local"),),
        "on_failure": {"other": "deny"},
    }
    write(
        user.policy,
        "on_uncertain = 'deny'\nwhen_nobody = 'allow'\nmodel = 'm'\neffort = 'e'\ntimeout = 1.5\ncache = '10m'\n"
        "transcript = false\nhost_permissions = false\nenvironment = ['E.']\non_failure.other = 'deny'\n"
        "rules = [{ id = 'r', allow = 'R.', remember = 'local' }]\n",
    )
    policy = load(user).policy
    assert {name: getattr(policy, name) for name in names(Policy)} == values


def test_without_files_nothing_is_parsed_and_nothing_is_run(user: User) -> None:
    program = (
        "import sys\n"
        "from codex_oauth.config import load_settings\n"
        "from codex_oauth.gate.context import GitContext\n"
        "from codex_oauth.gate.policy.layers import load_policy\n"
        "before = set(sys.modules)\n"
        "git = GitContext(root=sys.argv[1], branch=None, main_worktree=None)\n"
        "load_policy(load_settings(), host='claude', mode='plan', git=git)\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(user.repository)],
        env=user.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.split() == []
