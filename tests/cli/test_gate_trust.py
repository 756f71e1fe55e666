"""`codex-oauth gate trust`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, plain
from tests.gate.policy.policies import User, git, write

RULES = """\
on_uncertain = "allow"
transcript = false
environment = []
disable = ["outward"]
[[rules]]
id = "all"
allow = "Everything."
remember = "local"
[on_failure]
timeout = "deny"
[mode.plan]
rules = []
"""


@pytest.fixture
def user(tmp_path: Path) -> User:
    made = User(tmp_path)
    write(made.project, RULES)
    git(made.repository, "add", ".")
    return made


def state(user: User) -> str:
    """What becomes of the repository's file."""
    return json.loads(user.run("check", "--json").stdout)["layers"][-1]["state"]


def test_it_shows_everything_that_the_file_says_before_it_asks(user: User) -> None:
    with Terminal(user.environ, user.repository, "gate", "trust") as terminal:
        terminal.wait_for(r"Let it count, as it is now\? \[y/N\]")
        for part in (
            f"{user.project}\n\nloosens what earlier layers say\n",
            '  ! on_uncertain = "allow" instead of "ask"  (line 1)\n',
            "  ! switches off 'outward' (ask)  (line 4)\n",
            "  ! replaces all rules of earlier layers  (line 5)\n",
            "  ! replaces all rules of earlier layers in [mode.plan]  (line 12)\n\nfor every request\n",
            "  on_uncertain        allow\n",
            "  transcript          no\n",
            "  environment         (replaces all notes of earlier layers)\n",
            "  switches off: outward\n  replaces all rules of earlier layers by 1 rule:\n  allow  all\n",
            "  allow  all\n         Everything.\n         remember: local\n",
            "  on_failure          timeout: deny\n",
            "[mode.plan]\n  replaces all rules of earlier layers by none\n",
        ):
            assert part in plain(terminal.text)
        terminal.type("y\n")
        shown = terminal.end()
    assert shown.returncode == 0
    assert f"trusted  {user.project}  (sha256 " in shown.plain
    assert state(user) == "counted"


def test_without_a_yes_nothing_is_trusted(user: User) -> None:
    with Terminal(user.environ, user.repository, "gate", "trust") as terminal:
        terminal.wait_for(r"\[y/N\]")
        terminal.type("\n")
        shown = terminal.end()
    assert (shown.returncode, "nothing was changed" in shown.plain) == (1, True)
    assert state(user) == "passed over"


def test_what_was_shown_is_trusted_and_not_what_the_file_became_meanwhile(user: User) -> None:
    with Terminal(user.environ, user.repository, "gate", "trust") as terminal:
        terminal.wait_for(r"\[y/N\]")
        write(user.project, "on_uncertain = 'allow'\n")
        terminal.type("y\n")
        assert terminal.end().returncode == 0
    assert state(user) == "passed over"
    write(user.project, RULES)
    assert state(user) == "counted"


def test_without_a_terminal_it_takes_a_word(user: User) -> None:
    done = user.run("trust")
    assert done.returncode == 2
    assert done.stderr == (
        "codex-oauth: nothing was trusted, since there is nobody to ask. To trust it: "
        f"codex-oauth gate trust {user.project} --yes\n"
    )
    assert state(user) == "passed over"
    done = user.run("trust", "-y")
    assert (done.returncode, done.stderr) == (0, "")
    assert "for every request\n" in done.stdout
    assert state(user) == "counted"
    again = user.run("trust", "--yes")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == f"trusted already, as it is: {user.project}\n"


def test_it_says_what_is_added_and_nothing_of_what_loosens_nothing(user: User) -> None:
    write(user.project, "[[append_rules]]\nid = 'push'\ndeny = 'Pushes.'\n")
    done = user.run("trust", "--yes")
    assert "for every request\n  adds 1 rule:\n  deny   push\n         Pushes.\n" in done.stdout
    assert "loosens" not in done.stdout
    write(user.project, "[[append_rules]]\nid = 'outward'\nallow = 'Pushes.'\n[[append_rules]]\nid = 'b'\nask = 'x'\n")
    done = user.run("trust", "--yes")
    assert "  ! replaces 'outward' (ask) by an allow rule with other words  (line 2)\n" in done.stdout
    assert "  adds 2 rules:\n" in done.stdout


def test_a_file_of_comments_says_nothing(user: User) -> None:
    write(user.project, "# nothing yet\n")
    done = user.run("trust", "--yes")
    assert done.stdout.startswith(f"{user.project}\n\nIt says nothing.\n\ntrusted  ")


def test_what_was_trusted_and_is_gone_can_be_taken_back(user: User) -> None:
    user.run("trust", "--yes")
    user.project.unlink()
    done = user.run("trust", "--revoke")
    assert (done.returncode, done.stdout) == (0, f"no longer trusted  {user.project}\n")


def test_a_change_ends_it_and_the_next_time_says_so(user: User) -> None:
    user.run("trust", "--yes")
    write(user.project, f"# changed\n{RULES}")
    assert state(user) == "passed over"
    done = user.run("trust", "--yes")
    assert f"{user.project}\nIt has changed since you trusted it (2" in done.stdout
    assert state(user) == "counted"


def test_it_can_be_taken_back(user: User) -> None:
    user.run("trust", "--yes")
    done = user.run("trust", "--revoke")
    assert (done.returncode, done.stdout) == (0, f"no longer trusted  {user.project}\n")
    assert state(user) == "passed over"
    again = user.run("trust", "--revoke")
    assert (again.returncode, again.stderr) == (0, f"nothing was trusted in {user.project}\n")


def test_what_is_trusted_is_listed_with_what_became_of_it(user: User, tmp_path: Path) -> None:
    assert user.run("trust", "--list").stderr == "nothing is trusted\n"
    assert json.loads(user.run("trust", "--list", "--json").stdout) == []
    files = [write(tmp_path / name / ".codex-oauth/gate.toml", "") for name in ("a", "b", "c")]
    for file in files:
        assert user.run("trust", str(file), "--yes").returncode == 0
    write(files[1], "# changed\n")
    files[2].unlink()
    listed = [line.split() for line in user.run("trust", "--list").stdout.splitlines()]
    words = ("unchanged", "changed", "gone")
    assert [(word, path) for word, _, path in listed] == list(zip(words, map(str, files), strict=True))
    as_json = json.loads(user.run("trust", "--list", "--json").stdout)
    assert [row["state"] for row in as_json] == list(words)
    assert {frozenset(row) for row in as_json} == {frozenset({"path", "state", "since", "sha256"})}


def test_a_file_that_is_wrong_is_not_trusted(user: User) -> None:
    write(user.project, "modell = 'x'\ntimeout = 0\n")
    done = user.run("trust", "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [f"{user.project}:1", f"{user.project}:2"]
    assert user.run("trust", "--list").stderr == "nothing is trusted\n"


def test_a_link_is_not_trusted(user: User, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(user.project)
    done = user.run("trust", str(link), "--yes")
    assert done.returncode == 2
    assert "behind a symbolic link, where no policy file ever counts" in done.stderr


def test_a_file_that_nobody_looks_for_is_said_to_be_one(user: User, tmp_path: Path) -> None:
    done = user.run("trust", str(write(tmp_path / "other.toml", "")), "--yes")
    assert done.returncode == 0
    assert "only a .codex-oauth/gate.toml at the root of a work tree is ever looked for" in done.stderr


def test_there_has_to_be_something_to_trust(user: User, tmp_path: Path) -> None:
    user.project.unlink()
    missing = user.run("trust", "--yes")
    assert (missing.returncode, missing.stderr) == (
        2,
        "codex-oauth: this repository has no policy file: codex-oauth gate init --project\n",
    )
    named = user.run("trust", str(user.project), "--yes")
    assert named.stderr == f"codex-oauth: {user.project}: cannot be read: No such file or directory\n"
    user.repository = tmp_path
    outside = user.run("trust")
    assert outside.stderr == "codex-oauth: this folder is in no git repository; name the FILE\n"


@pytest.mark.parametrize("options", [("--list", "--revoke"), ("--list", "file"), ("--yes", "--revoke"), ("--json",)])
def test_options_that_do_not_go_together_are_refused(user: User, options: tuple[str, ...]) -> None:
    done = user.run("trust", *options)
    assert (done.returncode, done.stdout) == (2, "")
