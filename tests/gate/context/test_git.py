"""The repository that a folder belongs to: what git itself says, and what must not be believed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from codex_oauth.gate.context import GitContext
from codex_oauth.gate.context.git import git_context


def git(folder: Path, *arguments: str) -> str:
    """Runs git without anything of the developer's own; an empty answer where it fails."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    person = {f"GIT_{role}_{what}": "x@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *arguments],
        env={**own, **person, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def according_to_git(folder: Path) -> GitContext | None:
    """The same from git's own mouth."""
    root = git(folder, "rev-parse", "--show-toplevel")
    if not root:
        return None
    first = git(folder, "worktree", "list", "--porcelain").partition("\n\n")[0].splitlines()
    own, common = (Path(git(folder, "rev-parse", name)) for name in ("--git-dir", "--git-common-dir"))
    linked = (folder / own).resolve() != (folder / common).resolve() and "bare" not in first
    return GitContext(
        root=root,
        branch=git(folder, "branch", "--show-current") or None,
        main_worktree=first[0].removeprefix("worktree ") if linked else None,
    )


@dataclass(frozen=True)
class Repositories:
    """Every kind of repository, made by git, below one folder."""

    top: Path

    @property
    def main(self) -> Path:
        return self.top / "main"


def build(top: Path) -> Repositories:
    """Makes them."""
    main = top / "main"
    git(top, "init", "-q", "-b", "trunk", "main")
    (main / "sub" / "deep").mkdir(parents=True)
    git(main, "commit", "-q", "--allow-empty", "-m", "first")
    git(main, "branch", "feature/one")
    git(main, "worktree", "add", "-q", "../linked", "feature/one")
    (top / "linked" / "sub").mkdir()
    git(main, "worktree", "add", "-q", "--detach", "inner/detached")
    git(top, "init", "-q", "-b", "nested", "main/sub/nested")
    git(top, "init", "-q", "-b", "other", "library")
    git(top / "library", "commit", "-q", "--allow-empty", "-m", "first")
    git(main, "submodule", "add", "-q", str(top / "library"), "module")
    git(top, "clone", "-q", "--bare", "main", "bare.git")
    git(top / "bare.git", "worktree", "add", "-q", "../of-bare", "trunk")
    git(top, "clone", "-q", "--bare", "main", "hidden-bare/.git")
    git(top / "hidden-bare" / ".git", "worktree", "add", "-q", "../work", "trunk")
    git(top, "init", "-q", "-b", "apart", "--separate-git-dir", str(top / "kept-apart"), "apart")
    git(top, "init", "-q", "-b", "not/yet/born", "unborn")
    (top / "link-to-main").symlink_to(main)
    (top / "link-to-deep").symlink_to(main / "sub" / "deep")
    (top / "no-repository").mkdir()
    (top / "empty-dot-git" / ".git").mkdir(parents=True)
    (main / "sub" / "empty-dot-git" / ".git").mkdir(parents=True)
    return Repositories(top)


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    return build(tmp_path_factory.mktemp("repositories"))


PLACES = (
    "apart",
    "bare.git",
    "bare.git/objects",
    "empty-dot-git",
    "hidden-bare",
    "hidden-bare/work",
    "kept-apart",
    "library",
    "link-to-deep",
    "link-to-main",
    "link-to-main/sub",
    "linked",
    "linked/sub",
    "main",
    "main/.git",
    "main/.git/hooks",
    "main/.git/worktrees/linked",
    "main/inner/detached",
    "main/module",
    "main/sub/deep",
    "main/sub/empty-dot-git",
    "main/sub/nested",
    "no-repository",
    "of-bare",
    "unborn",
)


@pytest.mark.parametrize("place", PLACES)
def test_it_is_what_git_says(repositories: Repositories, place: str) -> None:
    folder = repositories.top / place
    assert folder.is_dir()
    assert git_context(str(folder)) == according_to_git(folder)


def test_the_kinds_of_repository_are_all_there(repositories: Repositories) -> None:
    top, main = repositories.top, str(repositories.main)
    assert git_context(main) == GitContext(root=main, branch="trunk", main_worktree=None)
    linked = str(top / "linked")
    assert git_context(linked) == GitContext(root=linked, branch="feature/one", main_worktree=main)
    detached = str(repositories.main / "inner" / "detached")
    assert git_context(detached) == GitContext(root=detached, branch=None, main_worktree=main)
    module = str(repositories.main / "module")
    assert git_context(module) == GitContext(root=module, branch="other", main_worktree=None)
    of_bare = str(top / "of-bare")
    assert git_context(of_bare) == GitContext(root=of_bare, branch="trunk", main_worktree=None)
    work = str(top / "hidden-bare" / "work")
    assert git_context(work) == GitContext(root=work, branch="trunk", main_worktree=None)
    assert git_context(str(top / "hidden-bare")) is None


def test_a_linked_work_tree_of_a_submodule_has_no_main_one_that_could_be_named(tmp_path: Path) -> None:
    repositories = build(tmp_path)
    linked = tmp_path / "linked-module"
    git(repositories.main / "module", "worktree", "add", "-q", "-b", "side", str(linked))
    assert git_context(str(linked)) == GitContext(root=str(linked), branch="side", main_worktree=None)


def test_a_branch_that_changes_is_seen_to_change(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "one", ".")
    before = git_context(str(tmp_path))
    git(tmp_path, "symbolic-ref", "HEAD", "refs/heads/two")
    after = git_context(str(tmp_path))
    assert (before and before.branch, after and after.branch) == ("one", "two")


def test_what_the_environment_says_of_git_is_about_another_git(
    repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repositories.top / "library" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", "/")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repositories.main))
    context = git_context(str(repositories.main / "sub" / "deep"))
    assert context == GitContext(root=str(repositories.main), branch="trunk", main_worktree=None)


@pytest.mark.parametrize(
    "cwd", [None, "", "relative", ".", "/nowhere/at/all", "/etc/passwd", "/\0", "/\ud800", "/" * 9]
)
def test_a_folder_that_is_none_has_no_repository(cwd: str | None) -> None:
    assert git_context(cwd) is None


def test_a_folder_that_was_removed_has_no_repository(repositories: Repositories) -> None:
    folder = repositories.main / "sub" / "removed"
    folder.mkdir()
    folder.rmdir()
    assert git_context(str(folder)) is None


def test_a_folder_that_would_reach_for_another_machine_is_not_looked_at() -> None:
    assert git_context("/net/example/repository") is None


HEADS = {
    "tables of references": (b"ref: refs/heads/.invalid\n", None),
    "no branch": (b"ref: refs/remotes/origin/main\n", None),
    "sha-256": (b"a" * 64 + b"\n", None),
    "no new line": (b"ref: refs/heads/x", "x"),
    "blanks": (b"ref:\t refs/heads/x \r\n", "x"),
    "no utf-8": (b"ref: refs/heads/\xff\xfe", "\\xff\\xfe"),
    "endless": (b"ref: refs/heads/" + b"y" * 9000, "y" * 250),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_strange_head_names_a_branch_or_none(tmp_path: Path, name: str) -> None:
    content, branch = HEADS[name]
    git(tmp_path, "init", "-q", ".")
    (tmp_path / ".git" / "HEAD").write_bytes(content)
    assert git_context(str(tmp_path)) == GitContext(root=str(tmp_path), branch=branch, main_worktree=None)


def test_a_head_that_is_a_link_names_its_branch(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", ".")
    head = tmp_path / ".git" / "HEAD"
    head.unlink()
    head.symlink_to("refs/heads/old")
    context = git_context(str(tmp_path))
    assert context is not None
    assert (context.branch, git(tmp_path, "branch", "--show-current")) == ("old", "old")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 100, b"ref: /etc/passwd", b"\xff" * 5000, b"../../etc"])
def test_garbage_for_a_head_makes_no_repository(tmp_path: Path, content: bytes) -> None:
    git(tmp_path, "init", "-q", ".")
    (tmp_path / ".git" / "HEAD").write_bytes(content)
    assert git_context(str(tmp_path)) is None
    assert according_to_git(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"gitdir: ",
        b"gitdir: nowhere",
        b"gitdir: .",
        b"gitdir: .git",
        b"gitdir: /etc",
        b"gitdir: /dev/stdin",
        b"gitdir: \0\xff",
        b"gitdir: /net/example/repository",
        b"gitdir: " + b"a/" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_dot_git_file_that_leads_nowhere_makes_no_repository(
    repositories: Repositories, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / ".git").write_bytes(content)
    assert git_context(str(tmp_path)) is None
    inside = repositories.main / "sub" / "deep" / ".git"
    inside.write_bytes(content)
    try:
        # Like git, which then does not take the folder for one of the repository around it.
        assert git_context(str(inside.parent)) is None
    finally:
        inside.unlink()


@pytest.mark.parametrize("name", [".git", ".git/HEAD", ".git/config", ".git/objects", ".git/commondir"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "device", "endless", "process"])
def test_nothing_odd_in_a_repository_is_waited_for(tmp_path: Path, name: str, kind: str) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk", ".")
    path = tmp_path / name
    if path.is_dir():
        path.rename(tmp_path / "moved")
    else:
        path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "process":
        path.symlink_to("/proc/self/environ")
    else:
        path.symlink_to("/dev/tty" if kind == "device" else "/dev/zero")
    context = git_context(str(tmp_path))
    assert context in (None, GitContext(root=str(tmp_path), branch="trunk", main_worktree=None))
    if name in (".git/HEAD", ".git/objects") and not (name == ".git/objects" and kind == "folder"):
        assert context is None


def linked_to(common: Path, at: Path, *, listed: bool) -> Path:
    """A folder that says it is a linked work tree of a repository, and a repository that may or may not agree."""
    entry = common / "worktrees" / "claimed"
    entry.mkdir(parents=True)
    at.mkdir()
    (at / ".git").write_text(f"gitdir: {entry}\n")
    (entry / "HEAD").write_text("ref: refs/heads/claimed\n")
    (entry / "commondir").write_text("../..\n")
    (entry / "gitdir").write_text(f"{at if listed else '/elsewhere'}/.git\n")
    return at


def test_a_work_tree_that_the_repository_does_not_list_is_none_of_its_own(tmp_path: Path) -> None:
    build(tmp_path)
    common = tmp_path / "main" / ".git"
    claimed = linked_to(common, tmp_path / "claimed", listed=False)
    assert git_context(str(claimed)) == GitContext(root=str(claimed), branch="claimed", main_worktree=None)
    (common / "worktrees" / "claimed" / "gitdir").write_text(f"{claimed}/.git\n")
    context = git_context(str(claimed))
    assert context is not None
    assert context.main_worktree == str(tmp_path / "main")


def test_a_folder_cannot_pass_itself_off_as_part_of_another_repository(tmp_path: Path) -> None:
    build(tmp_path)
    # All that a downloaded archive can hold: its own folder for git, which points to a repository of the user's.
    claimed = tmp_path / "claimed"
    own = claimed / "dot-git"
    own.mkdir(parents=True)
    (claimed / ".git").write_text("gitdir: dot-git\n")
    (own / "HEAD").write_text("ref: refs/heads/x\n")
    (own / "commondir").write_text(f"{tmp_path}/main/.git\n")
    (own / "gitdir").write_text(f"{claimed}/.git\n")
    assert git_context(str(claimed)) == GitContext(root=str(claimed), branch="x", main_worktree=None)


def test_a_linked_work_tree_may_say_where_it_belongs_relatively(tmp_path: Path) -> None:
    build(tmp_path)
    linked, entry = tmp_path / "linked", tmp_path / "main" / ".git" / "worktrees" / "linked"
    (linked / ".git").write_text("gitdir: ../main/.git/worktrees/linked\n")
    (entry / "gitdir").write_text("../../../../linked/.git\n")
    context = git_context(str(linked))
    assert context is not None
    assert context.main_worktree == str(tmp_path / "main")


@pytest.mark.parametrize(
    ("configuration", "bare"),
    [
        ("[core]\n\tbare = true\n", True),
        ("[core]\n\tbare\n", True),
        ("[CORE] Bare = Yes ; said so\n", True),
        ("[core]\n\tbare = false\n", False),
        ("[core]\n\tbare = true\n[core]\n\tbare = off\n", False),
        ('[core "x"]\n\tbare = true\n', False),
        ("[other]\n\tbare = true\n", False),
        ("# [core]\n; bare = true\n", False),
    ],
)
def test_a_bare_repository_is_one_that_git_takes_for_bare(tmp_path: Path, configuration: str, bare: bool) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk", ".")
    (tmp_path / ".git" / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n{configuration}")
    assert (git_context(str(tmp_path)) is None) == bare
    assert (according_to_git(tmp_path) is None) == bare


def test_a_configuration_of_garbage_does_no_harm(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk", ".")
    (tmp_path / ".git" / "config").write_bytes(b"\xff\0[[[core]]\n = =\n[core\nbare = true\n" * 10_000)
    assert git_context(str(tmp_path)) is not None


def test_nothing_that_a_repository_names_is_started(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk", ".")
    started = tmp_path / "started"
    (tmp_path / "program").write_text(f"#!/bin/sh\ntouch '{started}'\n")
    (tmp_path / "program").chmod(0o755)
    program = tmp_path / "program"
    (tmp_path / ".git" / "config").write_text(f"[core]\n\tfsmonitor = {program}\n\tsshCommand = {program}\n")
    assert git_context(str(tmp_path)) is not None
    assert not started.exists()
