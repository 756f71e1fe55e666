"""What a verdict may take into account besides the request: gathered by the hook, and as little trusted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codex_oauth.config import HostHomes, environment, host_homes
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.gate.policy import Policy
    from codex_oauth.gate.request import PermissionRequest

__all__ = ("Context", "GitContext", "HostPermissions", "Transcript", "gather")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitContext:
    """The repository that a request comes from.

    Attributes:
        root: The work tree's root.
        branch: The branch; None where the head is detached.
        main_worktree: The root of the main work tree, where `root` is a linked one; None where it is the main one.
    """

    root: str
    branch: str | None
    main_worktree: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPermissions:
    """The permission rules of the host's own settings, as written there."""

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The end of the conversation, the oldest first.

    Attributes:
        user: What the person said last.
        tools: The calls that the agent made last: the tool's name, and a line of what it was called with.
    """

    user: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All of it; None or empty for what is not known."""

    git: GitContext | None = None
    paths: tuple[str, ...] = ()
    permissions: HostPermissions | None = None
    transcript: Transcript | None = None


def gather(request: PermissionRequest, policy: Policy, *, homes: HostHomes | None = None) -> Context:
    """What is known besides a request. Files are read, some hundred kilobytes at most; nothing is run, nothing waits.

    Everything in it was written by others, and what cannot be read is left out.

    Args:
        request: Names the folder, the host and its files.
        policy: Whether the conversation and the host's rules are wanted.
        homes: Where the hosts keep their settings; by this process's environment if None.
    """
    # Those modules make what is defined here.
    from codex_oauth.gate.git import git_context
    from codex_oauth.gate.paths import referenced_paths

    git = git_context(request.cwd)
    permissions = transcript = None
    if policy.host_permissions and request.host == "claude":
        from codex_oauth.gate.host_settings import host_permissions

        try:
            permissions = host_permissions(request, homes or host_homes(), _project(request, git))
        except ConfigurationError:
            # A user without a home folder has no settings there either.
            permissions = None
    if policy.transcript:
        from codex_oauth.gate.transcript import recent_transcript

        transcript = recent_transcript(request)
    return Context(git=git, paths=referenced_paths(request), permissions=permissions, transcript=transcript)


def _project(request: PermissionRequest, git: GitContext | None) -> str | None:
    """Where Claude Code was started, whose settings count: it may be a folder within the work tree."""
    started, folder = environment().get("CLAUDE_PROJECT_DIR"), request.cwd
    if started and folder and os.path.isabs(started) and (folder == started or folder.startswith(f"{started}{os.sep}")):
        return started
    return git.root if git else folder
