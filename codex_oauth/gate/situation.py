"""What a request is judged by and with: the policy that counts where it comes from, and what is known besides."""

from __future__ import annotations

from pathlib import Path

from codex_oauth.config import Settings, host_homes
from codex_oauth.gate.context import Context
from codex_oauth.gate.context.gathering import gather
from codex_oauth.gate.context.git import git_context
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.policy.layers import load_policy
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.records import record, replace
from codex_oauth.redaction import redact_value

__all__ = ("Situation", "situation_of")


@record()
class Situation:
    """A policy and a context.

    Attributes:
        policy: The policy for this request's host, mode and repository.
        context: What is known besides the request.
        notes: Policy files that do not count, and why.
    """

    policy: Policy
    context: Context
    notes: tuple[str, ...]


def situation_of(request: PermissionRequest, settings: Settings, *, policy_file: Path | None = None) -> Situation:
    """Look at everything that a verdict on `request` rests on.

    Args:
        request: The request.
        settings: Where the user's own policy file is.
        policy_file: A file to use instead of the user's and the repository's.

    Raises:
        ConfigurationError: A policy file that counts is wrong.
    """
    git = git_context(request.cwd)
    loaded = load_policy(settings, host=request.host, mode=request.mode, git=git, file=policy_file)
    # Paths are picked out of it, and a secret with a slash in it looks like one when nothing stands beside it any more.
    shown = replace(request, tool_input=redact_value(dict(request.tool_input))[0])
    context = gather(shown, loaded.policy, git=git, homes=host_homes(), project=settings.project)
    return Situation(loaded.policy, context, tuple(loaded.notes))
