"""The policies for many requests, each read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from codex_oauth.config import Settings
from codex_oauth.gate.context.git import git_context
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY, PLAN_RULES
from codex_oauth.gate.policy.layers import load_policy
from codex_oauth.gate.request import Host, PermissionRequest

__all__ = ("built_in_policy", "policies")


def built_in_policy(request: PermissionRequest) -> Policy:
    """The policy for a request where nobody has written a file."""
    if request.mode != "plan":
        return BUILTIN_POLICY
    return replace(BUILTIN_POLICY, rules=(*BUILTIN_POLICY.rules, *PLAN_RULES))


def policies(
    settings: Settings, *, file: Path | None = None, by_folder: bool = False
) -> Callable[[PermissionRequest], Policy]:
    """What gives the policy for a request, by its host and its mode.

    Args:
        settings: Where the user's own policy file is.
        file: A file to use instead of the user's and the repositories'.
        by_folder: Whether the repository counts that the request comes from, as it is on this machine now.

    Returns:
        A function that raises a ConfigurationError where a policy file that counts is wrong.
    """

    @cache
    def read(host: Host | None, mode: str | None, cwd: str | None) -> Policy:
        return load_policy(settings, host=host, mode=mode, git=git_context(cwd), file=file).policy

    def policy_of(request: PermissionRequest) -> Policy:
        return read(request.host, request.mode, request.cwd if by_folder and file is None else None)

    return policy_of
