"""Which repository a folder belongs to, by reading git's own files.

git itself is never run: the configuration of a repository can name programs for it to start, and the repository may be
hostile. What the environment says (`GIT_DIR`) is about somebody's own git, and is not looked at either.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Final

from codex_oauth.gate.context import GitContext
from codex_oauth.gate.context.files import is_far, read_start

__all__ = ("git_context",)

_LINE: Final = 4096
"""Bytes of a file that holds one line."""
_CONFIGURATION: Final = 65_536
_BRANCH: Final = 250
"""Characters; git's own limit is that of a file's name."""

_OBJECT: Final = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\s*")
_SECTION: Final = re.compile(r"\[\s*([\w.-]+)\s*(\"[^\"]*\")?\s*\]")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})


def git_context(cwd: str | None) -> GitContext | None:
    """The work tree that a folder is in.

    A main work tree is only named where both sides agree on it: the linked one points to it, and it lists the linked
    one. Otherwise a folder could pass itself off as part of a repository that it has nothing to do with.

    Args:
        cwd: An absolute path; links in it are followed.

    Returns:
        None where there is no work tree: outside a repository, in a bare one, or in git's own folder. A work tree that
        the configuration puts elsewhere (`core.worktree`) is not looked for: the root is where `.git` lies.
    """
    if not cwd or not os.path.isabs(cwd) or is_far(cwd):
        return None
    try:
        folder = os.path.realpath(cwd)
        status = os.stat(folder)
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    while True:
        git_folder = _git_folder(folder)
        if git_folder == "":
            return None
        if git_folder is not None:
            return _context(folder, git_folder)
        if _is_git_folder(folder):
            return None
        above = os.path.dirname(folder)
        # Like git, which does not look beyond the file system's edge.
        if above == folder or _device(above) != status.st_dev:
            return None
        folder = above


def _context(root: str, git_folder: str) -> GitContext | None:
    common = _common(git_folder)
    linked = common != git_folder
    if not linked and _is_bare(common):
        return None
    return GitContext(
        root=_text(root), branch=_branch(git_folder), main_worktree=_main(root, git_folder, common) if linked else None
    )


def _git_folder(folder: str) -> str | None:
    """Where the repository of a work tree's root is kept; None if it is no root; empty if its `.git` leads nowhere."""
    path = os.path.join(folder, ".git")
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return path if _is_git_folder(path) else None
    if not stat.S_ISREG(mode):
        return None
    content = _line(path)
    if content is None or not content.startswith("gitdir:"):
        return ""
    target = _joined(folder, content.removeprefix("gitdir:").lstrip(" "))
    return target if _is_git_folder(target) else ""


def _is_git_folder(folder: str) -> bool:
    if is_far(folder) or _head(folder) is None:
        return False
    common = _common(folder)
    return not is_far(common) and all(stat.S_ISDIR(_mode(os.path.join(common, name))) for name in ("objects", "refs"))


def _head(git_folder: str) -> bytes | None:
    """What a repository's HEAD says, if it says anything that git understands."""
    path = os.path.join(git_folder, "HEAD")
    try:
        # What very old repositories have in its place.
        target = os.fsencode(os.readlink(path))
        return b"ref: " + target if target.startswith(b"refs/") else None
    except (OSError, ValueError):
        pass
    head = read_start(path, _LINE)
    if head is None:
        return None
    if head.startswith(b"ref:"):
        return head if head[4:].lstrip().startswith(b"refs/") else None
    return head if _OBJECT.fullmatch(head) else None


def _branch(git_folder: str) -> str | None:
    head = _head(git_folder) or b""
    name = head.removeprefix(b"ref:").strip().removeprefix(b"refs/heads/")
    # Where references are kept in tables, HEAD says `.invalid`: the branch is in the table then.
    if not head.startswith(b"ref:") or name.startswith((b"refs/", b".")) or not name:
        return None
    return name.decode("utf-8", "backslashreplace")[:_BRANCH]


def _common(git_folder: str) -> str:
    """What a linked work tree shares with the main one; the folder itself where it is none."""
    content = _line(os.path.join(git_folder, "commondir"))
    return _joined(git_folder, content) if content else git_folder


def _main(root: str, git_folder: str, common: str) -> str | None:
    try:
        common, git_folder = os.path.realpath(common), os.path.realpath(git_folder)
        back = _line(os.path.join(git_folder, "gitdir"))
        if (
            os.path.basename(common) != ".git"
            or os.path.dirname(git_folder) != os.path.join(common, "worktrees")
            or not back
            or is_far(back)
            or os.path.realpath(_joined(git_folder, back)) != os.path.join(root, ".git")
            or _is_bare(common)
        ):
            return None
    except (OSError, ValueError):
        return None
    return _text(os.path.dirname(common))


def _is_bare(common: str) -> bool:
    settings = _settings(os.path.join(common, "config"))
    if settings.get("extensions.worktreeconfig") in _TRUE:
        settings |= _settings(os.path.join(common, "config.worktree"))
    return settings.get("core.bare") in _TRUE


def _settings(path: str) -> dict[str, str]:
    """The plain settings of a configuration file: no subsections, no includes."""
    found: dict[str, str] = {}
    section = ""
    for line in (read_start(path, _CONFIGURATION) or b"").decode("utf-8", "replace").splitlines():
        rest = line.strip()
        if header := _SECTION.match(rest):
            section = "" if header[2] else header[1].lower()
            rest = rest[header.end() :].strip()
        if section and rest and rest[0] not in "#;":
            name, equals, value = rest.partition("=")
            value = re.split(r"[#;]", value, maxsplit=1)[0].strip().strip('"').lower()
            found[f"{section}.{name.strip().lower()}"] = value if equals else "true"
    return found


def _line(path: str) -> str | None:
    content = read_start(path, _LINE)
    return None if content is None else os.fsdecode(content.rstrip(b"\r\n"))


def _joined(folder: str, path: str) -> str:
    return os.path.join(folder, path) if path else folder


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return 0


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


def _text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
