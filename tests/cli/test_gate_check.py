"""`codex-oauth gate check`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.policy.file import MODES
from tests.cli.terminal import run_in_terminal
from tests.gate.policy.policies import User, git, write

POLICY = """\
timeout = 12
model = "gpt-6-luna"
disable = ["outward"]
append_environment = ["This machine is a throw-away container that is built anew every night, so nothing here is dear.", "No Docker."]
[on_failure]
limit = "deny"
[[append_rules]]
id = "staging"
deny = "Touches the staging database in any way, even to read it, from whatever program it may be done."
deny_message = "Use the local database."
[[host.claude.append_rules]]
id = "formatters"
allow = "Runs a formatter."
remember = "session"
"""  # noqa: E501 - wrapped by the command


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_without_files_it_shows_the_built_in_policy(user: User) -> None:
    done = user.run("check")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:7] == [
        "policy for any host, mode default",
        "",
        "layers",
        "  built-in       counted",
        f"  user           not there  {user.policy}",
        f"  project        not there  {user.project}",
        "",
    ]
    assert f"rules ({len(BUILTIN_POLICY.rules)})" in lines
    assert [line for line in lines if line.startswith(("  allow  ", "  deny   ", "  ask    "))] == [
        f"  {rule.kind:<5}  {rule.id}  (built-in)" for rule in BUILTIN_POLICY.rules
    ]
    assert lines[-1] == f"fingerprint  {BUILTIN_POLICY.fingerprint}"
    assert "  model               the first of the small tier" in lines
    assert "  timeout             30" in lines


def test_it_shows_what_the_layers_make_and_where_each_thing_comes_from(user: User) -> None:
    write(user.policy, POLICY)
    write(user.project, "timeout = 99\n")
    git(user.repository, "add", ".")
    done = user.run("check", "--host", "claude", "--mode", "plan")
    assert done.returncode == 0
    assert done.stdout.startswith("policy for claude, mode plan (not the default one)\n")
    for part in (
        f"  user           counted  {user.policy}\n  project        passed over  {user.project}\n",
        f"{' ' * 17}git tracks it, and you have not trusted it\n{' ' * 17}→ codex-oauth gate trust {user.project}\n",
        "  deny   staging  (user)\n         Touches the staging database in any way",
        "         deny_message: Use the local database.\n",
        "  allow  formatters  (user [host.claude])\n         Runs a formatter.\n         remember: session\n",
        "  deny   plan-changes-nothing  (built-in [mode.plan])\n",
        "switched off\n  outward  (user)\n",
        "  on_failure          deny for limit; ask for all others\n",
        "  model               gpt-6-luna\n",
        "  timeout             12\n",
        "  transcript          yes\n",
        "                      No Docker.\n",
    ):
        assert part in done.stdout


def test_as_json_it_says_the_same(user: User) -> None:
    write(user.policy, POLICY)
    write(user.project, "timeout = 99\n")
    git(user.repository, "add", ".")
    done = user.run("check", "--host", "claude", "--json")
    checked = json.loads(done.stdout)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert {name: checked[name] for name in ("ok", "host", "mode")} == {"ok": True, "host": "claude", "mode": "default"}
    assert checked["layers"][-1] == {
        "layer": "project",
        "path": str(user.project),
        "state": "passed over",
        "why": "git tracks it, and you have not trusted it",
        "mend": f"codex-oauth gate trust {user.project}",
        "problems": [],
        "also": [],
    }
    policy = checked["policy"]
    assert policy["rules"][-1] == {
        "id": "formatters",
        "kind": "allow",
        "text": "Runs a formatter.",
        "deny_message": None,
        "remember": "session",
        "from": "user [host.claude]",
        "in_place_of": None,
    }
    assert policy["warnings"] == []
    assert policy["switched_off"] == [{"id": "outward", "by": "user"}]
    assert policy["settings"]["timeout"] == 12
    assert policy["settings"]["on_failure"] == {"limit": "deny"}
    assert re.fullmatch(r"[0-9a-f]{12}", policy["fingerprint"])


def test_all_that_is_wrong_is_told_and_the_status_is_2(user: User) -> None:
    write(user.policy, "modell = 'x'\ntimeout = 0\n")
    write(user.project, "[[rules]]\nid = 'a'\n")
    done = user.run("check")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"codex-oauth: {user.policy}:1: unknown key 'modell'; did you mean 'model'?",
        f"codex-oauth: {user.policy}:2: 'timeout' must be seconds, more than 0 and at most 86400",
        f"codex-oauth: {user.project}:1: rule 'a' must have exactly one of 'allow', 'deny' and 'ask', and has none",
    ]
    assert f"  user           broken  {user.policy}\n" in done.stdout
    # What the rest makes is nothing that anything is judged by.
    assert "rules" not in done.stdout
    as_json = user.run("check", "--json")
    checked = json.loads(as_json.stdout)
    assert (as_json.returncode, checked["ok"], checked["policy"]) == (2, False, None)
    assert [problem["line"] for layer in checked["layers"] for problem in layer["problems"]] == [1, 2, 1]


def test_a_file_can_be_checked_by_itself(user: User, tmp_path: Path) -> None:
    write(user.policy, "this is broken")
    named = write(tmp_path / "other.toml", "timeout = 7\n")
    done = user.run("check", str(named))
    assert done.returncode == 0
    assert "  user " not in done.stdout
    assert f"  file           counted  {named}\n" in done.stdout
    missing = user.run("check", "missing.toml")
    assert (missing.returncode, missing.stderr) == (2, "codex-oauth: missing.toml: no such policy file\n")


def test_the_named_file_may_be_an_option_too(user: User, tmp_path: Path) -> None:
    named = write(tmp_path / "other.toml", "timeout = 7\n")
    assert user.run("check", "--policy", str(named)).stdout == user.run("check", str(named)).stdout
    both = user.run("check", str(named), "--policy", str(named))
    assert (both.returncode, "give one of them" in both.stderr) == (2, True)


def test_it_marks_each_rule_in_place_of_an_earlier_layers(user: User) -> None:
    write(user.policy, "[[append_rules]]\nid = 'push'\nask = 'Pushes.'\n[[append_rules]]\nid = 'outward'\ndeny = 'x'\n")
    write(user.project, "[[append_rules]]\nid = 'push'\ndeny = 'Pushes.'\n")
    shown = user.run("check").stdout
    assert "  deny   push  (project, in place of user's ask)\n" in shown
    assert "  deny   outward  (user, in place of built-in's ask)\n" in shown
    rules = json.loads(user.run("check", "--json").stdout)["policy"]["rules"]
    assert rules[-1]["in_place_of"] == {"layer": "user", "kind": "ask", "text": "Pushes."}


def test_it_names_the_sections_that_it_does_not_show(user: User) -> None:
    write(user.policy, f"{POLICY}[host.codex]\ntimeout = 3\n[mode.plan]\ntimeout = 4\n[mode.dontAsk]\n")
    line = f"{user.policy}\n{' ' * 17}also: {{}}; see --host, --mode\n"
    assert line.format("[host.claude], [host.codex], [mode.plan]") in user.run("check").stdout
    assert line.format("[host.claude]") in user.run("check", "--host", "codex", "--mode", "plan").stdout
    checked = json.loads(user.run("check", "--json").stdout)
    assert checked["layers"][1]["also"] == ["[host.claude]", "[host.codex]", "[mode.plan]"]


def test_it_warns_of_what_permits_more_than_few_would_want(user: User) -> None:
    assert not re.search("^!", user.run("check").stdout, re.MULTILINE)
    write(user.policy, "rules = []\non_uncertain = 'allow'\nwhen_nobody = 'allow'\n")
    done = user.run("check")
    assert (done.returncode, done.stderr) == (0, "")
    warnings = [line.removeprefix("! ") for line in done.stdout.splitlines() if line.startswith("! ")]
    assert [warning.split(":")[0] for warning in warnings] == [
        "no rule denies anything",
        'on_uncertain = "allow"',
        'when_nobody = "allow"',
    ]
    assert json.loads(user.run("check", "--json").stdout)["policy"]["warnings"] == warnings


def test_a_file_that_loosens_is_shown_with_what_and_the_mend(user: User) -> None:
    write(user.project, "rules = []\n")
    shown = user.run("check").stdout
    assert (
        f"{' ' * 17}you have not trusted it, and it loosens what other layers say "
        f"(line 1: replaces all rules of earlier layers)\n{' ' * 17}→ codex-oauth gate trust {user.project}\n"
    ) in shown
    layer = json.loads(user.run("check", "--json").stdout)["layers"][-1]
    assert layer["problems"] == [{"line": 1, "message": "replaces all rules of earlier layers"}]


def test_a_file_that_is_required_and_does_not_count_is_wrong(user: User) -> None:
    write(user.policy, 'project_policies = "required"\n')
    write(user.project, "timeout = 3\n")
    done = user.run("check")
    assert done.returncode == 2
    assert done.stderr == (
        f'codex-oauth: {user.project}: your own file says project_policies = "required", and you have not trusted it: '
        f"codex-oauth gate trust {user.project}\n"
    )
    assert user.run("trust", "-y").returncode == 0
    assert user.run("check").returncode == 0


def test_in_a_terminal_of_80_columns_nothing_but_paths_is_wider(user: User) -> None:
    write(user.policy, POLICY)
    write(user.project, "timeout = 99\n")
    git(user.repository, "add", ".")
    shown = run_in_terminal(user.environ, user.repository, "gate", "check", "--host", "claude", "--mode", "plan")
    assert shown.returncode == 0
    assert [line for line in shown.plain.splitlines() if len(line) > 80 and str(user.folder) not in line] == []
    assert "\x1b[32m" in shown.text
    assert "\x1b[" not in user.run("check").stdout


def test_outside_a_repository_only_the_users_file_is_looked_at(user: User, tmp_path: Path) -> None:
    user.repository = tmp_path
    done = user.run("check")
    assert done.returncode == 0
    assert "  project" not in done.stdout


def test_what_an_option_takes_is_what_a_file_takes() -> None:
    import click

    from codex_oauth.cli.gate.check import command

    (mode,) = (option for option in command.params if option.name == "mode")
    assert isinstance(mode.type, click.Choice)
    assert tuple(mode.type.choices) == MODES
