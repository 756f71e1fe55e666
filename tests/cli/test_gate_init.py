"""`codex-oauth gate init`."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.policy.template import policy_template
from tests.gate.policy.policies import User, git, write


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_it_writes_the_users_own_file_and_says_what_to_do_next(user: User) -> None:
    done = user.run("init")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"written  {user.policy}\n\nIt says nothing yet. Edit it, then see what counts:\n  codex-oauth gate check\n"
    )
    assert user.policy.read_text() == policy_template(project=False)
    assert user.policy.stat().st_mode & 0o777 == 0o600
    assert user.policy.parent.stat().st_mode & 0o777 == 0o700
    assert not user.project.exists()


@pytest.mark.parametrize("place", ["--user", "--project"])
def test_what_it_writes_passes_the_check_and_changes_nothing(user: User, place: str) -> None:
    assert user.run("init", place).returncode == 0
    done = user.run("check", "--json")
    checked = json.loads(done.stdout)
    assert (done.returncode, checked["ok"]) == (0, True)
    assert checked["policy"]["fingerprint"] == BUILTIN_POLICY.fingerprint
    assert {layer["layer"]: layer["state"] for layer in checked["layers"]} == {
        "built-in": "counted",
        "user": "counted" if place == "--user" else "absent",
        "project": "counted" if place == "--project" else "absent",
    }


def test_it_writes_the_repositorys_file_at_its_root_and_says_how_to_keep_it_untracked(user: User) -> None:
    inside = user.repository / "src"
    inside.mkdir()
    user.repository = inside
    done = user.run("init", "--project")
    user.repository = inside.parent
    assert done.returncode == 0
    assert user.project.read_text() == policy_template(project=True)
    assert user.project.stat().st_mode & 0o777 == 0o644
    assert not user.policy.exists()
    (command,) = (line.strip() for line in done.stdout.splitlines() if "info/exclude" in line)
    subprocess.run(["sh", "-c", command], cwd=user.repository, check=True, timeout=30)
    git(user.repository, "add", ".")
    assert git(user.repository, "ls-files") == ""
    assert shlex.split(command)[:2] == ["echo", "/.codex-oauth/"]


def test_it_never_overwrites_by_itself(user: User) -> None:
    write(user.policy, "timeout = 3\n")
    done = user.run("init")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"codex-oauth: {user.policy}: there is one already. codex-oauth gate check shows what it says; --force writes "
        "a new one, and keeps this one beside it\n"
    )
    assert user.policy.read_text() == "timeout = 3\n"


def test_force_keeps_each_one_that_was_there(user: User) -> None:
    write(user.policy, "timeout = 1\n")
    first = user.run("init", "--force")
    assert f"kept     {user.policy}.bak\n" in first.stdout
    write(user.policy, "timeout = 2\n")
    second = user.run("init", "--force")
    assert f"kept     {user.policy}.bak2\n" in second.stdout
    kept = {path.name: path.read_text() for path in user.policy.parent.iterdir() if path != user.policy}
    assert kept == {"gate.toml.bak": "timeout = 1\n", "gate.toml.bak2": "timeout = 2\n"}
    assert user.policy.read_text() == policy_template(project=False)


def test_force_with_nothing_there_keeps_nothing(user: User) -> None:
    done = user.run("init", "--force")
    assert (done.returncode, "kept" in done.stdout) == (0, False)


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_it_writes_through_no_link(user: User, tmp_path: Path, force: tuple[str, ...]) -> None:
    target = write(tmp_path / "target", "mine\n")
    user.policy.parent.mkdir(parents=True)
    user.policy.symlink_to(target)
    done = user.run("init", *force)
    assert done.returncode == (0 if force else 2)
    assert target.read_text() == "mine\n"
    assert user.policy.is_symlink() != bool(force)


def test_a_link_that_leads_nowhere_is_there_too(user: User, tmp_path: Path) -> None:
    user.policy.parent.mkdir(parents=True)
    user.policy.symlink_to(tmp_path / "nowhere")
    assert user.run("init").returncode == 2
    assert not (tmp_path / "nowhere").exists()


def test_in_a_repository_a_linked_folder_is_refused(user: User, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    user.project.parent.symlink_to(tmp_path / "elsewhere")
    done = user.run("init", "--project")
    assert done.returncode == 2
    assert "a symbolic link, and what is behind one never counts" in done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_one_call_writes_one_file(user: User) -> None:
    done = user.run("init", "--user", "--project")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--user and --project exclude each other" in done.stderr
    assert not user.policy.exists()
    assert not user.project.exists()


def test_outside_a_repository_there_is_no_project(user: User, tmp_path: Path) -> None:
    user.repository = tmp_path
    done = user.run("init", "--project")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("codex-oauth: this folder is in no git repository")


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(user: User) -> None:
    write(user.project.parent, "a file")
    done = user.run("init", "--project")
    assert done.returncode == 2
    assert done.stderr == (
        f"codex-oauth: {user.project.parent}: in the place of the folder that the policy file would be in\n"
    )
    user.environ["XDG_CONFIG_HOME"] = "/dev/null/nowhere"
    done = user.run("init")
    assert done.returncode == 2
    assert "/dev/null/nowhere" in done.stderr
