"""What a verdict may take into account besides the request: gathered by the hook, and as little trusted."""

from codex_oauth.gate.context.record import Context, GitContext, HostPermissions, Transcript

__all__ = ("Context", "GitContext", "HostPermissions", "Transcript")
