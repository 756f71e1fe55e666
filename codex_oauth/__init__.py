"""Your ChatGPT plan as a safe, fast, structured LLM call, through the official `codex app-server`.

from codex_oauth import Codex

with Codex() as codex:
    reply = codex.complete("Name three primes above 100.", output={"type": "array", "items": {"type": "integer"}})
    print(reply.output, reply.account.plan)
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes as long to import as a question to the warm service
if TYPE_CHECKING:
    from codex_oauth.account import Login
    from codex_oauth.client import AsyncCodex
    from codex_oauth.conversation import Conversation
    from codex_oauth.errors import (
        AccountCheckError,
        AccountError,
        CodexNotFoundError,
        CodexOAuthError,
        ConfigurationError,
        ContextWindowExceededError,
        CredentialRejectedError,
        DeadlineExceededError,
        EmptyReplyError,
        ExternalTokenError,
        ForbiddenItemError,
        ForeignInstructionsError,
        IncompleteReplyError,
        InvalidRequestError,
        LineTooLongError,
        LoginError,
        ModelNotSupportedError,
        NetworkUnavailableError,
        NotLoggedInError,
        OutputSchemaError,
        OutputValidationError,
        OverloadedError,
        PlanNotIncludedError,
        PolicyBlockedError,
        ProcessError,
        ProtocolError,
        QuotaExceededError,
        RateLimitedError,
        ReauthenticationRequired,
        RpcError,
        ServerBusyError,
        ServerCrashedError,
        StepLimitError,
        StreamDisconnectedError,
        TooManyRequestsError,
        TurnError,
        TurnFailedError,
        TurnInterruptedError,
        UnknownModelError,
        UnsupportedCodexError,
        UpstreamHTTPError,
        UpstreamServerError,
        UsageLimitError,
        UsageLimitReachedError,
        WorkspaceCreditsError,
        WrongAccountError,
    )
    from codex_oauth.events import (
        Event,
        ItemCompleted,
        ItemStarted,
        MessageCompleted,
        ModelRerouted,
        PhaseReached,
        ReasoningDelta,
        RepairStarted,
        ResponseCompleted,
        RetryScheduled,
        ServerRetrying,
        TextDelta,
        ToolCallReceived,
        ToolFinished,
        ToolStarted,
        TurnCompleted,
        TurnStarted,
        UnknownEvent,
        UsageUpdated,
        WarningReceived,
    )
    from codex_oauth.gate import PermissionRequest, Verdict, classify
    from codex_oauth.stream import ReplyStream
    from codex_oauth.sync_calls import SyncConversation, SyncReplyStream
    from codex_oauth.sync_client import Codex, SyncLogin
    from codex_oauth.tools import Tool, ToolOutput
    from codex_oauth.types import (
        Account,
        Credits,
        Limits,
        LimitWindow,
        Model,
        ModelResponse,
        Reply,
        Timing,
        ToolCall,
        Usage,
    )

__all__ = (
    "Account",
    "AccountCheckError",
    "AccountError",
    "AsyncCodex",
    "Codex",
    "CodexNotFoundError",
    "CodexOAuthError",
    "ConfigurationError",
    "ContextWindowExceededError",
    "Conversation",
    "CredentialRejectedError",
    "Credits",
    "DeadlineExceededError",
    "EmptyReplyError",
    "Event",
    "ExternalTokenError",
    "ForbiddenItemError",
    "ForeignInstructionsError",
    "IncompleteReplyError",
    "InvalidRequestError",
    "ItemCompleted",
    "ItemStarted",
    "LimitWindow",
    "Limits",
    "LineTooLongError",
    "Login",
    "LoginError",
    "MessageCompleted",
    "Model",
    "ModelNotSupportedError",
    "ModelRerouted",
    "ModelResponse",
    "NetworkUnavailableError",
    "NotLoggedInError",
    "OutputSchemaError",
    "OutputValidationError",
    "OverloadedError",
    "PermissionRequest",
    "PhaseReached",
    "PlanNotIncludedError",
    "PolicyBlockedError",
    "ProcessError",
    "ProtocolError",
    "QuotaExceededError",
    "RateLimitedError",
    "ReasoningDelta",
    "ReauthenticationRequired",
    "RepairStarted",
    "Reply",
    "ReplyStream",
    "ResponseCompleted",
    "RetryScheduled",
    "RpcError",
    "ServerBusyError",
    "ServerCrashedError",
    "ServerRetrying",
    "StepLimitError",
    "StreamDisconnectedError",
    "SyncConversation",
    "SyncLogin",
    "SyncReplyStream",
    "TextDelta",
    "Timing",
    "TooManyRequestsError",
    "Tool",
    "ToolCall",
    "ToolCallReceived",
    "ToolFinished",
    "ToolOutput",
    "ToolStarted",
    "TurnCompleted",
    "TurnError",
    "TurnFailedError",
    "TurnInterruptedError",
    "TurnStarted",
    "UnknownEvent",
    "UnknownModelError",
    "UnsupportedCodexError",
    "UpstreamHTTPError",
    "UpstreamServerError",
    "Usage",
    "UsageLimitError",
    "UsageLimitReachedError",
    "UsageUpdated",
    "Verdict",
    "WarningReceived",
    "WorkspaceCreditsError",
    "WrongAccountError",
    "classify",
)


def _sources() -> dict[str, tuple[str, ...]]:
    # Where each name comes from. Importing this package imports none of them: a program that only wants the errors, or
    # the command line that only prints its help, does not pay for the client.
    return {
        "codex_oauth.account": ("Login",),
        "codex_oauth.client": ("AsyncCodex",),
        "codex_oauth.conversation": ("Conversation",),
        "codex_oauth.events": (
            "Event",
            "ItemCompleted",
            "ItemStarted",
            "MessageCompleted",
            "ModelRerouted",
            "PhaseReached",
            "ReasoningDelta",
            "RepairStarted",
            "ResponseCompleted",
            "RetryScheduled",
            "ServerRetrying",
            "TextDelta",
            "ToolCallReceived",
            "ToolFinished",
            "ToolStarted",
            "TurnCompleted",
            "TurnStarted",
            "UnknownEvent",
            "UsageUpdated",
            "WarningReceived",
        ),
        "codex_oauth.gate": ("PermissionRequest", "Verdict", "classify"),
        "codex_oauth.stream": ("ReplyStream",),
        "codex_oauth.sync_calls": ("SyncConversation", "SyncReplyStream"),
        "codex_oauth.sync_client": ("Codex", "SyncLogin"),
        "codex_oauth.tools": ("Tool", "ToolOutput"),
        "codex_oauth.types": (
            "Account",
            "Credits",
            "LimitWindow",
            "Limits",
            "Model",
            "ModelResponse",
            "Reply",
            "Timing",
            "ToolCall",
            "Usage",
        ),
    }


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # What no other module claims is an error.
    module = next((module for module, names in _sources().items() if name in names), "codex_oauth.errors")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
