"""Gathers what is known besides a request."""

from __future__ import annotations

import os

from codex_oauth.config import HostHomes, host_homes
from codex_oauth.errors import ConfigurationError
from codex_oauth.gate.context import Context, GitContext
from codex_oauth.gate.context.paths import referenced_paths
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.request import PermissionRequest

__all__ = ("gather",)


def gather(
    request: PermissionRequest,
    policy: Policy,
    *,
    git: GitContext | None,
    homes: HostHomes | None = None,
    project: str | None = None,
) -> Context:
    """What is known besides a request. Files are read, some hundred kilobytes at most; nothing is run, nothing waits.

    Everything in it was written by others, and what cannot be read is left out.

    Args:
        request: Names the folder, the host and its files.
        policy: Whether the conversation and the host's rules are wanted.
        git: The repository, as `git_context` found it.
        homes: Where the hosts keep their settings; by this process's environment if None.
        project: The folder that the host was started in; None where it did not say.
    """
    permissions = transcript = None
    if policy.host_permissions and request.host == "claude":
        from codex_oauth.gate.context.host_settings import host_permissions

        try:
            permissions = host_permissions(request, homes or host_homes(), _project(request, git, project))
        except ConfigurationError:
            # A user without a home folder has no settings there either.
            permissions = None
    if policy.transcript:
        from codex_oauth.gate.context.transcript import recent_transcript

        transcript = recent_transcript(request)
    return Context(git=git, paths=referenced_paths(request), permissions=permissions, transcript=transcript)


def _project(request: PermissionRequest, git: GitContext | None, started: str | None) -> str | None:
    """Where Claude Code was started, whose settings count: it may be a folder within the work tree."""
    folder = request.cwd
    if started and folder and os.path.isabs(started) and (folder == started or folder.startswith(f"{started}{os.sep}")):
        return started
    return git.root if git else folder
