"""What may be done: rules in words, the files that they come from, and what follows where they do not decide."""

from codex_oauth.gate.policy.rules import FAILURE_CLASSES, Behavior, FailureClass, OnFailure, Policy, Rule

__all__ = ("FAILURE_CLASSES", "Behavior", "FailureClass", "OnFailure", "Policy", "Rule")
