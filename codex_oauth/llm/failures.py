"""What a failure is called where handlers of `ctx.llm` read its text: every error of this package, in few forms."""

from __future__ import annotations

from typing import Final

from codex_oauth.errors import (
    AccountCheckError,
    CodexOAuthError,
    DeadlineExceededError,
    EmptyReplyError,
    ForbiddenItemError,
    IncompleteReplyError,
    NotLoggedInError,
    ProcessError,
    ProtocolError,
    RpcError,
    StepLimitError,
    StreamDisconnectedError,
    TurnError,
    TurnInterruptedError,
)

__all__ = ("BACKEND_URL", "PREFIX", "LlmError", "llm_error")

PREFIX: Final = "ctx.llm: "
"""What each message begins with."""

BACKEND_URL: Final = "https://chatgpt.com/backend-api/codex"
"""Where codex sends what it is asked; the only place that this package lets it send to."""

_MOST: Final = 500
# Characters of another message in one of these.


class LlmError(CodexOAuthError):
    """A call of `ctx.llm` gave no text, or no `ctx.llm` could be made.

    The message has a form that handlers may look at. What it was made of is the `__cause__`, one of the classes in
    `codex_oauth.errors`, with its data.

    Attributes:
        code: The cause's, such as `usage_limit_reached`; `unavailable` and `other_provider` are its own.
        retryable: The cause's.
        exit_status: The cause's.
    """

    def __init__(self, message: str, *, code: str = "llm", retryable: bool = False, exit_status: int = 1) -> None:
        super().__init__(message)
        # Its class has none of its own: they are another error's.
        self.__dict__.update(code=code, retryable=retryable, exit_status=exit_status)


def llm_error(error: CodexOAuthError) -> LlmError:
    """An error of this package in the words of `ctx.llm`, to be raised from it."""
    if isinstance(error, LlmError):
        return error
    return LlmError(PREFIX + _said(error), code=error.code, retryable=error.retryable, exit_status=error.exit_status)


def _said(error: CodexOAuthError) -> str:
    why = error.message if len(error.message) <= _MOST else f"{error.message[:_MOST]}…"
    match error:
        case EmptyReplyError():
            return "Codex backend response contained no output text"
        case IncompleteReplyError():
            return f"Codex backend stream returned response.incomplete: {why}"
        case StreamDisconnectedError() | TurnInterruptedError():
            return f"Codex backend stream closed before response.completed: {why}"
        case ForbiddenItemError() | StepLimitError():
            return why
        case TurnError() if error.http_status is not None:
            return f"{BACKEND_URL}/responses returned {error.http_status}: {why}"
        case TurnError():
            return f"Codex backend stream returned response.failed: {why}"
        case NotLoggedInError():
            return f"Codex backend OAuth credential is missing access token or account id: {why}"
        case DeadlineExceededError() | AccountCheckError() | ProcessError() | ProtocolError() | RpcError():
            return f"request to {BACKEND_URL}/responses failed: {why}"
        case _:
            return why
