"""What a verdict may take into account besides the request: gathered by the hook, and as little trusted."""

from __future__ import annotations

from codex_oauth.records import record

__all__ = ("Context", "GitContext", "HostPermissions", "Transcript")


@record(kw_only=True)
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


@record(kw_only=True)
class HostPermissions:
    """The permission rules of the host's own settings, as written there."""

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@record(kw_only=True)
class Transcript:
    """The end of the conversation, the oldest first.

    Attributes:
        user: What the person said last.
        tools: The calls that the agent made last: the tool's name, and a line of what it was called with.
    """

    user: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


@record(kw_only=True)
class Context:
    """All of it; None or empty for what is not known."""

    git: GitContext | None = None
    paths: tuple[str, ...] = ()
    permissions: HostPermissions | None = None
    transcript: Transcript | None = None
