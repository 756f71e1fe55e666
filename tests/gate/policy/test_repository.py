"""Whether a repository's own policy file counts: never one that came with it and that nobody has looked at."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from codex_oauth.gate.policy.file import MAX_BYTES, ProjectPolicies
from codex_oauth.gate.policy.repository import Standing, standing
from codex_oauth.gate.policy.trust import TrustedFiles
from tests.gate.policy.policies import User, git, write

RULES = "timeout = 9\n"


@pytest.fixture
def user(tmp_path: Path) -> User:
    made = User(tmp_path)
    write(made.project, RULES)
    return made


def judged(
    user: User,
    policies: ProjectPolicies = "untracked",
    *,
    root: Path | None = None,
    path: str | None = None,
    main: str | None = None,
) -> Standing:
    """What becomes of the repository's file."""
    environ = dict(user.settings.inherited)
    if path is not None:
        environ["PATH"] = path
    found = standing(
        str(root or user.repository),
        policies=policies,
        trusted=TrustedFiles(user.settings),
        environ=environ,
        main=main,
    )
    assert found is not None
    return found


def trust(user: User) -> None:
    TrustedFiles(user.settings).add(user.project, user.project.read_bytes())


def git_program(folder: Path, script: str) -> str:
    """A PATH with a git of this kind."""
    program = write(folder / "programs" / "git", f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{program.parent}:/usr/bin:/bin"


def test_one_that_git_does_not_track_counts(user: User) -> None:
    assert judged(user) == Standing(RULES.encode(), "git does not track it")


def test_one_that_git_ignores_counts(user: User) -> None:
    write(user.repository / ".git/info/exclude", ".codex-oauth/\n")
    assert judged(user).content is not None


def test_others_in_the_folder_may_be_tracked(user: User) -> None:
    write(user.repository / ".codex-oauth/README.md", "x")
    git(user.repository, "add", ".codex-oauth/README.md")
    assert judged(user).content is not None


def test_one_that_git_tracks_counts_only_as_it_was_trusted(user: User) -> None:
    git(user.repository, "add", ".")
    command = f"codex-oauth gate trust {user.project}"
    assert judged(user) == Standing(None, "git tracks it, and you have not trusted it", command)
    trust(user)
    assert judged(user) == Standing(RULES.encode(), "you trusted it as it is", trusted=True)
    write(user.project, "timeout = 10\n")
    assert judged(user) == Standing(None, "git tracks it, and you have not trusted it since it changed", command)


def test_it_is_tracked_in_every_state_of_the_index(user: User) -> None:
    git(user.repository, "add", ".")
    git(user.repository, "commit", "-qm", "first")
    for option in ("assume-unchanged", "skip-worktree"):
        git(user.repository, "update-index", f"--{option}", ".codex-oauth/gate.toml")
        assert judged(user).content is None
        git(user.repository, "update-index", f"--no-{option}", ".codex-oauth/gate.toml")
    git(user.repository, "rm", "-q", "--cached", ".codex-oauth/gate.toml")
    assert judged(user).content is not None
    git(user.repository, "add", "--intent-to-add", ".codex-oauth/gate.toml")
    assert judged(user).content is None


def test_one_that_is_in_conflict_is_tracked(user: User) -> None:
    (user.repository / "a").touch()
    git(user.repository, "add", "a")
    git(user.repository, "commit", "-qm", "first")
    for branch in ("one", "two"):
        git(
            user.repository,
            "checkout",
            "-q",
            "-b",
            branch,
            "--",
        )
        write(user.project, f"# {branch}\n")
        git(user.repository, "add", ".")
        git(user.repository, "commit", "-qm", branch)
        if branch == "one":
            git(user.repository, "checkout", "-q", "-")
    with pytest.raises(Exception, match="non-zero exit status 1"):
        git(user.repository, "merge", "-q", "one")
    assert b"<<<<<<<" in user.project.read_bytes()
    assert judged(user).content is None


def test_upper_and_lower_case_do_not_hide_that_it_is_tracked(user: User) -> None:
    # On a file system that does not tell them apart, this is the same file.
    write(user.repository / ".Codex-OAuth/Gate.toml", RULES)
    git(user.repository, "add", ".Codex-OAuth")
    assert judged(user).why == "git tracks it, and you have not trusted it"


def test_one_in_a_repository_inside_this_one_is_not_taken_for_untracked(user: User, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    write(inner / "gate.toml", RULES)
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "first")
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(inner), ".codex-oauth")
    assert (outer / ".codex-oauth/gate.toml").read_text() == RULES
    assert judged(user, root=outer).content is None
    # As a clone makes it, and as a mere clone inside.
    (outer / ".codex-oauth/.git").unlink()
    assert judged(user, root=outer).why == "git tracks it, and you have not trusted it"
    git(user.repository / ".codex-oauth", "init", "-q")
    assert judged(user).why == "its folder is a repository of its own, and you have not trusted it"


@pytest.mark.parametrize("inside", ["link to a file", "link to a folder", "link out of it", "link to nowhere"])
def test_nothing_behind_a_symbolic_link_counts_even_if_it_was_trusted(user: User, tmp_path: Path, inside: str) -> None:
    trust(user)
    if inside == "link to a folder":
        user.project.parent.rename(user.repository / "elsewhere")
        user.project.parent.symlink_to("elsewhere")
    else:
        target = {"link out of it": tmp_path / "out.toml", "link to nowhere": tmp_path / "nowhere"}
        real = target.get(inside, user.repository / "in.toml")
        user.project.rename(real)
        user.project.symlink_to(real)
        if inside == "link to nowhere":
            real.unlink()
    assert judged(user) == Standing(None, "it is behind a symbolic link; a copy in its place can count")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among the files")
def test_what_is_no_file_is_passed_over_without_waiting(user: User) -> None:
    user.project.unlink()
    os.mkfifo(user.project)
    assert judged(user) == Standing(None, "it cannot be read: not a regular file")
    user.project.unlink()
    user.project.mkdir()
    assert judged(user) == Standing(None, "it cannot be read: not a regular file")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
def test_one_that_every_user_can_write_has_to_be_trusted(user: User) -> None:
    user.project.chmod(0o666)
    assert judged(user).why == "every user of this machine can write it, and you have not trusted it"
    trust(user)
    assert judged(user).content is not None


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")
def test_one_of_another_user_has_to_be_trusted(user: User) -> None:
    os.chown(user.project, 12345, -1)
    assert judged(user).why == "it belongs to another user, and you have not trusted it"
    trust(user)
    assert judged(user).content is not None


def test_the_user_can_ask_for_trust_in_every_case_or_have_none_count(user: User) -> None:
    assert judged(user, "trusted").why == "you have not trusted it"
    assert judged(user, "trusted", path="").why == "you have not trusted it"
    trust(user)
    assert judged(user, "trusted").why == "you trusted it as it is"
    assert judged(user, "off") == Standing(None, 'your own file says project_policies = "off"')


@pytest.mark.parametrize("policies", ["untracked", "trusted", "required"])
def test_what_is_trusted_in_the_main_work_tree_is_in_a_linked_one_as_long_as_it_is_the_same(
    user: User, tmp_path: Path, policies: ProjectPolicies
) -> None:
    git(user.repository, "add", ".")
    git(user.repository, "commit", "-qm", "first")
    linked = tmp_path / "linked"
    git(user.repository, "worktree", "add", "-q", str(linked))
    main = str(user.repository)
    assert judged(user, policies, root=linked, main=main).content is None
    trust(user)
    same = Standing(RULES.encode(), "you trusted the same one in the main work tree", trusted=True)
    assert judged(user, policies, root=linked, main=main) == same
    # A folder whose main work tree is another one, or none, shows nothing.
    assert judged(user, policies, root=linked).content is None
    assert judged(user, policies, root=linked, main=str(tmp_path)).content is None
    write(linked / ".codex-oauth/gate.toml", "timeout = 10\n")
    changed = judged(user, policies, root=linked, main=main)
    assert (changed.content, changed.why.endswith("since it changed")) == (None, True)


def test_where_a_file_is_required_one_that_was_trusted_may_not_be_gone(user: User) -> None:
    trust(user)
    user.project.unlink()
    command = f"codex-oauth gate trust {user.project} --revoke"
    assert judged(user, "required") == Standing(None, "the file that you trusted is gone", command)
    trusted = TrustedFiles(user.settings)
    assert standing(str(user.repository), policies="trusted", trusted=trusted, environ={}) is None
    trusted.remove(user.project)
    assert standing(str(user.repository), policies="required", trusted=trusted, environ={}) is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "there is no git to say whether it tracks it"),
        ("exit 1", "git does not say whether it tracks it"),
        ("exit 128", "git does not say whether it tracks it"),
        ("kill -9 $$", "git does not say whether it tracks it"),
        ("exec tail -f /dev/null", "git does not say whether it tracks it"),
    ],
)
def test_a_git_that_does_not_answer_counts_as_one_that_tracks_it(
    user: User, tmp_path: Path, script: str | None, why: str
) -> None:
    path = git_program(tmp_path, script) if script else str(tmp_path / "empty")
    assert judged(user, path=path).why == f"{why}, and you have not trusted it"


def test_a_folder_that_git_does_not_take_for_a_repository_is_not_part_of_the_one_around_it(user: User) -> None:
    inside = user.repository / "inside"
    write(inside / ".codex-oauth/gate.toml", RULES)
    write(inside / ".git", "gitdir: nowhere\n")
    assert judged(user, root=inside).content is None
    (inside / ".git").unlink()
    assert judged(user, root=inside).content is None


def test_git_sees_no_variables_of_its_own_and_runs_nothing_of_the_repositorys(user: User, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = write(tmp_path / "program", f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "diff.external"):
        git(user.repository, "config", key, str(program))
    write(user.repository / ".git/hooks/post-index-change", f"#!/bin/sh\ntouch {ran}\n").chmod(0o755)
    other = User(_made(tmp_path / "other"))
    user.environ |= {"GIT_DIR": str(other.repository / ".git"), "GIT_INDEX_FILE": str(tmp_path / "index")}
    git(user.repository, "add", ".")
    ran.unlink(missing_ok=True)
    assert judged(user).why == "git tracks it, and you have not trusted it"
    assert not ran.exists()
    shown = tmp_path / "shown"
    path = git_program(tmp_path, f'env > {shown}; printf "%s\\n" "$@" >> {shown}')
    assert judged(user, path=path).content is not None
    said = shown.read_text()
    assert "GIT_DIR" not in said
    assert "GIT_INDEX_FILE" not in said
    assert "core.fsmonitor=false" in said


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_one_that_is_too_large_is_read_no_further_than_to_know_it(user: User) -> None:
    user.project.write_bytes(b"#" * (MAX_BYTES * 3))
    content = judged(user).content
    assert content is not None
    assert len(content) == MAX_BYTES + 1


def test_where_there_is_none_nothing_is_asked(user: User) -> None:
    trusted = TrustedFiles(user.settings)
    for root in (user.repository / "nowhere", user.repository / ".codex-oauth/gate.toml"):
        assert standing(str(root), policies="untracked", trusted=trusted, environ={}) is None
