"""Which class of failure an error belongs to: what a policy's `on_failure` tells apart."""

from __future__ import annotations

from typing import Final

from codex_oauth import errors
from codex_oauth.gate.policy import FailureClass

__all__ = ("failure_class",)

_CLASSES: Final[tuple[tuple[type[BaseException], FailureClass], ...]] = (
    # The first that fits counts, so what is more special stands above.
    (errors.NetworkUnavailableError, "network"),
    (errors.DeadlineExceededError, "timeout"),
    (errors.AccountCheckError, "network"),
    (errors.AccountError, "account"),
    (errors.CredentialRejectedError, "account"),
    (errors.UsageLimitError, "limit"),
    (errors.OutputValidationError, "reply"),
    (errors.EmptyReplyError, "reply"),
    (errors.IncompleteReplyError, "reply"),
    (errors.ForbiddenItemError, "reply"),
    (errors.StreamDisconnectedError, "network"),
    (errors.ProcessError, "codex"),
    (errors.ProtocolError, "codex"),
    (errors.RpcError, "codex"),
    (errors.TurnError, "service"),
    (errors.ConfigurationError, "configuration"),
)


def failure_class(error: BaseException) -> FailureClass:
    """The class of an error; `other` for what this package does not raise on purpose."""
    for kind, name in _CLASSES:
        if isinstance(error, kind):
            return name
    return "other"
