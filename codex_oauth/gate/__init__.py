"""May a coding agent do this? A verdict by a policy in words: allow, deny, or ask the person."""

from codex_oauth.gate.classifier import classify
from codex_oauth.gate.policy import BUILTIN_POLICY, Policy, Rule
from codex_oauth.gate.request import Host, PermissionRequest
from codex_oauth.gate.verdict import REPLY_SCHEMA, Behavior, Verdict

__all__ = (
    "BUILTIN_POLICY",
    "REPLY_SCHEMA",
    "Behavior",
    "Host",
    "PermissionRequest",
    "Policy",
    "Rule",
    "Verdict",
    "classify",
)
