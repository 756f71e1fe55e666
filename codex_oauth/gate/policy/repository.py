"""A repository's own policy file: whether it may count at all.

Whoever can make the user's machine check out a commit could otherwise write the rules that the commit's own scripts are
judged by. So a file that came with the repository counts only once the user has looked at it. One that did not come
with it may be the work of the very agent that is judged: it counts, but loosens nothing.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from codex_oauth.gate.policy.file import MAX_BYTES, ProjectPolicies
from codex_oauth.gate.policy.trust import TrustedFiles
from codex_oauth.records import record

__all__ = (
    "PROJECT_FILE",
    "PROJECT_FOLDER",
    "Content",
    "Standing",
    "policy_path",
    "read_content",
    "standing",
    "trust_command",
)

PROJECT_FOLDER: Final = ".codex-oauth"
PROJECT_FILE: Final = "gate.toml"

_PATIENCE: Final = 2.0
"""Seconds for git to list one folder's entries of its index."""

_GIT_LINK: Final = b"160000"


@record()
class Content:
    """A file as it was read.

    Attributes:
        data: Its bytes, at most one more than `MAX_BYTES`.
        foreign: Why it may be somebody else's words, whoever made the folder; None for a file of this user's own.
    """

    data: bytes
    foreign: str | None


@record()
class Standing:
    """Whether a repository's file counts.

    Attributes:
        content: What to judge by; None where it does not count.
        why: Why, or why not.
        mend: The command that makes it count; empty where none does.
        trusted: Whether the user has looked at it. What was not looked at may make a policy stricter, and no looser.
    """

    content: bytes | None
    why: str
    mend: str = ""
    trusted: bool = False


def policy_path(root: str) -> Path:
    """Where a repository has its policy file, by its work tree's root."""
    return Path(root, PROJECT_FOLDER, PROJECT_FILE)


def read_content(path: str | os.PathLike[str], *, follow: bool) -> Content:
    """Read a policy file. It neither waits, as for a pipe, nor reads without end.

    Args:
        path: The file.
        follow: Whether it may be a symbolic link.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
    flags |= getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    foreign = None
    if sys.platform != "win32":
        if status.st_uid != os.geteuid():
            foreign = "it belongs to another user"
        elif status.st_mode & stat.S_IWOTH:
            foreign = "every user of this machine can write it"
    return Content(data, foreign)


def trust_command(path: Path) -> str:
    """The command by which the user trusts a file."""
    import shlex

    return f"codex-oauth gate trust {shlex.quote(str(path))}"


def standing(
    root: str,
    *,
    policies: ProjectPolicies,
    trusted: TrustedFiles,
    environ: Mapping[str, str],
    main: str | None = None,
) -> Standing | None:
    """Whether the policy file of a work tree counts.

    Args:
        root: The work tree's root.
        policies: What the user lets count.
        trusted: What the user has looked at.
        environ: What git may see of the environment.
        main: The root of the main work tree, for a linked one. What is trusted there is trusted here, as it is there.

    Returns:
        None where there is no such file: nothing has been done then but to look. With `required`, a file that was
        trusted and is gone is one that does not count.
    """
    path = policy_path(root)
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if policies == "required" and trusted.of(path):
            return Standing(None, "the file that you trusted is gone", f"{trust_command(path)} --revoke")
        return None
    except OSError as error:
        return Standing(None, f"it cannot be read: {error.strerror}")
    if policies == "off":
        return Standing(None, 'your own file says project_policies = "off"')
    try:
        # A link could make a file count that was written for another purpose, or in another place.
        if stat.S_ISLNK(mode) or stat.S_ISLNK(path.parent.lstat().st_mode):
            return Standing(None, "it is behind a symbolic link; a copy in its place can count")
        content = read_content(path, follow=False)
    except OSError as error:
        return Standing(None, f"it cannot be read: {error.strerror}")
    if trusted.trusts(path, content.data):
        return Standing(content.data, "you trusted it as it is", trusted=True)
    before = trusted.of(path) is not None
    if main is not None:
        there = policy_path(main)
        if trusted.trusts(there, content.data):
            return Standing(content.data, "you trusted the same one in the main work tree", trusted=True)
        before = before or trusted.of(there) is not None
    untrusted = f"you have not trusted it{' since it changed' if before else ''}"
    reason = (content.foreign or _tracked(root, environ)) if policies == "untracked" else None
    if policies == "untracked" and reason is None:
        return Standing(content.data, "git does not track it")
    return Standing(None, f"{reason}, and {untrusted}" if reason else untrusted, trust_command(path))


def _tracked(root: str, environ: Mapping[str, str]) -> str | None:
    """Why the file has to be taken for one that came with the repository; None for one that did not."""
    import shutil
    import subprocess

    if os.path.lexists(os.path.join(root, PROJECT_FOLDER, ".git")):
        return "its folder is a repository of its own"
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None or not os.path.isabs(git):
        return "there is no git to say whether it tracks it"
    above = str(Path(os.path.realpath(root)).parent)
    if os.pathsep in above:
        # The variable below could not name it.
        return "git does not say whether it tracks it"
    command = [
        *(git, "--no-pager", "--no-optional-locks"),
        # Nothing that the repository's own configuration names is run, and nothing is fetched.
        *("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never"),
        # Everything below the folder, however the file system takes upper and lower case; and the folder itself, which
        # may be another repository's, with an index of its own.
        *("-C", root, "ls-files", "--stage", "-z", "--", f":(icase){PROJECT_FOLDER}"),
    ]
    own = {
        **environ,
        # A repository that git cannot read must not be taken for a folder of the one around it.
        "GIT_CEILING_DIRECTORIES": above,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            command,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return "git does not say whether it tracks it"
    if done.returncode != 0:
        return "git does not say whether it tracks it"
    file = f"{PROJECT_FOLDER}/{PROJECT_FILE}".encode()
    for entry in done.stdout.split(b"\0")[:-1]:
        about, _, name = entry.partition(b"\t")
        if about.startswith(_GIT_LINK) or name.lower() == file:
            return "git tracks it"
    return None
