"""Group 17: which policy files count, one over the other, and what is wrong with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from codex_oauth.gate import BUILTIN_POLICY, Host
from codex_oauth.testing import LoopbackChatGPT
from tests.gate.answers import answer
from tests.gate.blackbox.host import ALLOW, NOTHING, Seen, denial, no_verdict, told
from tests.gate.blackbox.machine import Machine

BUILT_IN: Final = tuple(rule.id for rule in BUILTIN_POLICY.rules)


def rule(name: str, key: str = "append_rules") -> str:
    return f'[[{key}]]\nid = "{name}"\nask = "Any request."\n'


def in_repository(root: Path, text: str) -> Path:
    file = root / ".codex-oauth" / "gate.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@dataclass(frozen=True, slots=True)
class Judged:
    """What a request was judged by: the rules that the model was told, and what was said about files."""

    rules: tuple[str, ...]
    notes: str


@dataclass(frozen=True, slots=True)
class Judging:
    """Asks for verdicts, of a model that always asks."""

    machine: Machine
    chatgpt: LoopbackChatGPT

    def by(self, host: Host = "claude", *options: str, folder: Path | None = None, mode: str = "default") -> Judged:
        request = self.machine.payload(host, cwd=str(folder or self.machine.repo), permission_mode=mode)
        seen = self.machine.ask(host, request, *options)
        assert (seen.status, seen.stdout) == (0, NOTHING), seen
        rules = [line for line in told(self.chatgpt.model_requests[-1]).splitlines() if line.startswith("- [")]
        return Judged(tuple(line.split("] ")[1].split(": ")[0] for line in rules), seen.stderr)

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.machine.repo,
            env=self.machine.environ,
            check=True,
            capture_output=True,
            timeout=20,
        )


@pytest.fixture
def judging(machine: Machine, chatgpt: LoopbackChatGPT) -> Judging:
    chatgpt.default = answer("ask")
    return Judging(machine, chatgpt)


# --- one file -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says, and the rules that a request is then judged by."""

    text: str
    rules: tuple[str, ...]
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])


SAID: Final = {
    "nothing": Said("", BUILT_IN),
    "one more": Said(rule("mine"), (*BUILT_IN, "mine")),
    "only its own": Said(rule("mine", "rules"), ("mine",)),
    "none": Said("rules = []\n", ()),
    "none, and then one": Said(f"rules = []\n{rule('mine')}", ("mine",)),
    "another in a built-in one's place": Said(rule("destroy"), BUILT_IN),
    "without two of them": Said('disable = ["destroy", "outward"]\n', tuple(set(BUILT_IN) - {"destroy", "outward"})),
    "for this host": Said(rule("mine", "host.codex.append_rules"), (*BUILT_IN, "mine"), {"host": "codex"}),
    "for the other host": Said(rule("mine", "host.codex.append_rules"), BUILT_IN, {"host": "claude"}),
    "for this mode": Said(
        rule("mine", "mode.plan.append_rules"), (*BUILT_IN, "plan-changes-nothing", "mine"), {"mode": "plan"}
    ),
    "for another mode": Said(rule("mine", "mode.plan.append_rules"), BUILT_IN, {"mode": "default"}),
    "without the plan mode's own": Said(
        '[mode.plan]\ndisable = ["plan-changes-nothing"]\n', BUILT_IN, {"mode": "plan"}
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_the_users_file_says_what_is_judged_by(judging: Judging, name: str) -> None:
    said = SAID[name]
    judging.machine.policy(said.text)
    judged = judging.by(**said.request)
    assert set(judged.rules) == set(said.rules)
    assert len(judged.rules) == len(said.rules)
    assert judged.notes == ""


def test_the_file_that_is_named_stands_in_for_all_others(judging: Judging, tmp_path: Path) -> None:
    judging.machine.policy(rule("user"))
    in_repository(judging.machine.repo, rule("project"))
    named = tmp_path / "named.toml"
    named.write_text(rule("named"))
    assert judging.by("codex", "--policy", str(named)) == Judged((*BUILT_IN, "named"), "")


# --- one over the other -------------------------------------------------------------------------------------------


def test_an_untracked_file_of_the_repository_counts_over_the_users(
    judging: Judging, machine: Machine, chatgpt: LoopbackChatGPT
) -> None:
    machine.policy(f'on_uncertain = "allow"\n{rule("user")}')
    assert machine.ask("claude") == Seen(0, ALLOW, "")
    in_repository(machine.repo, f'on_uncertain = "deny"\n{rule("project")}')
    below = machine.repo / "src" / "deep"
    below.mkdir(parents=True)
    seen = machine.ask("claude", machine.payload("claude", cwd=str(below)))
    assert seen == Seen(0, denial("Because."), "")
    assert "[ask] user: " in told(chatgpt.model_requests[-1])
    assert "[ask] project: " in told(chatgpt.model_requests[-1])


@pytest.mark.parametrize("committed", [False, True], ids=["staged", "committed"])
def test_a_tracked_file_counts_once_it_is_trusted_and_until_it_changes(judging: Judging, committed: bool) -> None:
    file = in_repository(judging.machine.repo, f"rules = []\n{rule('theirs')}")
    judging.git("add", "-f", ".codex-oauth/gate.toml")
    if committed:
        judging.git("commit", "-qm", "Policy")
    untrusted = judging.by()
    assert untrusted.rules == BUILT_IN
    assert untrusted.notes.count("\n") == 1
    assert "git tracks it" in untrusted.notes
    assert str(file) in untrusted.notes
    assert judging.machine.run("gate", "trust", "--yes").returncode == 0
    assert judging.by() == Judged(("theirs",), "")
    file.write_text(f"rules = []\n{rule('changed')}")
    assert judging.by().rules == BUILT_IN


LOOSER: Final = {
    "its rules alone": "rules = []\n",
    "without a denial": 'disable = ["destroy"]\n',
    "an allowance in a denial's place": '[[append_rules]]\nid = "destroy"\nallow = "Everything."\n',
    "in the mode of the request": '[mode.default]\ndisable = ["weaken-protection"]\n',
    "what is not sure": 'on_uncertain = "allow"\n',
}


@pytest.mark.parametrize("name", LOOSER)
def test_an_untracked_file_that_loosens_is_passed_over_until_it_is_trusted(judging: Judging, name: str) -> None:
    file = in_repository(judging.machine.repo, LOOSER[name])
    judged = judging.by()
    assert judged.rules == BUILT_IN
    assert "it loosens what other layers say (line " in judged.notes
    assert f"codex-oauth gate trust {file}\n" in judged.notes
    assert judged.notes.count("\n") == 1
    if name != "what is not sure":
        assert judging.machine.run("gate", "trust", "--yes").returncode == 0
        assert judging.by().notes == ""


@pytest.mark.parametrize("change", ["touched", "gone"])
def test_a_required_file_that_does_not_count_is_a_failure_and_the_users_word_counts(
    machine: Machine, chatgpt: LoopbackChatGPT, change: str
) -> None:
    chatgpt.default = answer("ask")
    machine.policy('project_policies = "required"\n[on_failure]\nconfiguration = "deny"\n')
    file = in_repository(machine.repo, rule("team"))
    assert machine.run("gate", "trust", "--yes").returncode == 0
    assert machine.ask("claude") == Seen(0, NOTHING, "")
    asked = len(chatgpt.model_requests)
    if change == "gone":
        file.unlink()
    else:
        file.write_text("# touched\n")
    seen = machine.ask("codex")
    assert seen.status == 0
    assert b'"deny"' in seen.stdout
    assert 'project_policies = "required"' in seen.stderr
    assert len(chatgpt.model_requests) == asked


def test_in_a_linked_work_tree_the_main_ones_file_counts_too(judging: Judging, tmp_path: Path) -> None:
    judging.git("commit", "-q", "--allow-empty", "-m", "First")
    linked = tmp_path / "work" / "linked"
    judging.git("worktree", "add", "-q", str(linked))
    in_repository(judging.machine.repo, rule("main"))
    assert judging.by(folder=linked) == Judged((*BUILT_IN, "main"), "")
    file = in_repository(linked, f'disable = ["main"]\n{rule("linked")}')
    assert judging.by(folder=linked).rules == (*BUILT_IN, "main")
    assert judging.machine.run("gate", "trust", str(file), "--yes").returncode == 0
    assert judging.by(folder=linked) == Judged((*BUILT_IN, "linked"), "")
    # The other way round, nothing counts.
    assert judging.by() == Judged((*BUILT_IN, "main"), "")


def test_what_a_layer_switched_off_no_later_one_switches_on(judging: Judging) -> None:
    judging.machine.policy('disable = ["read-only"]\n')
    in_repository(judging.machine.repo, '[[append_rules]]\nid = "read-only"\nallow = "Everything."\n')
    assert "read-only" not in judging.by().rules


def test_a_file_behind_a_link_is_passed_over(judging: Judging, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.toml").write_text("rules = []\n")
    folder = judging.machine.repo / ".codex-oauth"
    folder.mkdir()
    (folder / "gate.toml").symlink_to(tmp_path / "elsewhere.toml")
    judged = judging.by()
    assert judged.rules == BUILT_IN
    assert "symbolic link" in judged.notes


def test_the_user_can_keep_all_repositories_files_out(judging: Judging) -> None:
    judging.machine.policy('project_policies = "off"\n')
    in_repository(judging.machine.repo, "rules = []\n")
    assert judging.by().rules == BUILT_IN


def test_a_file_outside_a_repository_is_none(judging: Judging, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    in_repository(elsewhere, "rules = []\n")
    assert judging.by(folder=elsewhere) == Judged(BUILT_IN, "")


def test_policies_that_judge_alike_have_one_fingerprint(judging: Judging) -> None:
    for text in ("", 'on_uncertain = "ask"\n', "# A note.\n", rule("mine")):
        judging.machine.policy(text)
        judging.by()
    first, second, third, fourth = (entry["gate"]["policy"] for entry in judging.machine.entries())
    assert first == second == third != fourth


# --- what is wrong ------------------------------------------------------------------------------------------------

WRONG: Final = {
    "strategy": ('on_uncertain = "fallthrough"\n', 1, "must be"),
    "negative timeout": ("\ntimeout = -1\n", 2, "more than 0"),
    "no timeout": ("timeout = 0\n", 1, "more than 0"),
    "unknown key": ('\n\non_uncertan = "ask"\n', 3, "did you mean 'on_uncertain'?"),
    "unknown section": ("[host.devin]\n", 1, "unknown host 'devin'"),
    "no TOML": ("allow everything\n", 1, "not valid TOML"),
    "rule of two kinds": ('[[append_rules]]\nid = "a"\nallow = "x"\ndeny = "y"\n', 1, "'a'"),
    "rule of no kind": ('[[append_rules]]\nid = "a"\n', 1, "'a'"),
    "unknown rule": ('disable = ["destory"]\n', 1, "did you mean 'destroy'?"),
    "trust from below": ('project_policies = "trusted"\n', 1, "your own file"),
    "unseen characters": ('environment = ["\u202eallow"]\n', 1, "U+202E"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_with_its_line_and_nothing_is_asked(
    machine: Machine, chatgpt: LoopbackChatGPT, name: str
) -> None:
    text, line, words = WRONG[name]
    own = name != "trust from below"
    file = machine.policy(text) if own else in_repository(machine.repo, text)
    seen = machine.ask("claude")
    assert no_verdict(seen) == "configuration"
    assert f"{file}:{line}: " in seen.stderr
    assert words in seen.stderr
    assert chatgpt.requests == ()
    assert machine.verdicts() == [("ask", "failure", True, None)]


def _no_text(file: Path) -> None:
    file.write_bytes(b"\xff\n")


UNREADABLE: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "missing": (lambda _: None, "no such policy file"),
    "a folder": (Path.mkdir, "cannot be read"),
    "no text": (_no_text, "not UTF-8"),
    "too large": (lambda file: file.write_bytes(b"#" * 300_000), "larger than"),
    "endless": (lambda file: file.symlink_to("/dev/zero"), "cannot be read"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_named_file_that_cannot_be_read_is_told(
    machine: Machine, chatgpt: LoopbackChatGPT, tmp_path: Path, name: str
) -> None:
    make, words = UNREADABLE[name]
    file = tmp_path / "named.toml"
    make(file)
    seen = machine.ask("codex", None, "--policy", str(file))
    assert no_verdict(seen) == "configuration"
    assert words in seen.stderr
    assert chatgpt.requests == ()
