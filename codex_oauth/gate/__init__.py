"""May a coding agent do this? A verdict by a policy in words: allow, deny, or ask the person."""

from typing import TYPE_CHECKING

from codex_oauth.gate.context import Context, GitContext, HostPermissions, Transcript
from codex_oauth.gate.policy import FAILURE_CLASSES, Behavior, FailureClass, Policy, Rule
from codex_oauth.gate.policy.builtin import BUILTIN_POLICY
from codex_oauth.gate.request import Host, PermissionRequest
from codex_oauth.gate.verdict import REPLY_SCHEMA, Verdict

if TYPE_CHECKING:
    from codex_oauth.gate.classifier import classify

__all__ = (
    "BUILTIN_POLICY",
    "FAILURE_CLASSES",
    "REPLY_SCHEMA",
    "Behavior",
    "Context",
    "FailureClass",
    "GitContext",
    "Host",
    "HostPermissions",
    "PermissionRequest",
    "Policy",
    "Rule",
    "Transcript",
    "Verdict",
    "classify",
)


def __getattr__(name: str) -> object:
    # The client that it calls with is what most of the import time goes to, and a hook may not need it.
    if name == "classify":
        from codex_oauth.gate.classifier import classify

        globals()[name] = classify
        return classify
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
