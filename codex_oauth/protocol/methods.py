"""Every message of the protocol that this package takes part in, by name.

A `Method` ties a request's name to the types of its params and its result, so that one dispatcher serves them all
without losing types:

    async def request(self, method: Method[P, R], params: P) -> R: ...
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from codex_oauth.protocol._generated_shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_oauth.protocol import _generated as wire
    from codex_oauth.protocol.shapes import Shape

__all__ = (
    "ACCOUNT_LOGIN_CANCEL",
    "ACCOUNT_LOGIN_START",
    "ACCOUNT_LOGOUT",
    "ACCOUNT_RATE_LIMITS_READ",
    "ACCOUNT_READ",
    "APPLY_PATCH_APPROVAL",
    "ATTESTATION_GENERATE",
    "CHATGPT_AUTH_TOKENS_REFRESH",
    "COMMAND_EXECUTION_APPROVAL",
    "CONFIG_BATCH_WRITE",
    "CURRENT_TIME_READ",
    "EXEC_COMMAND_APPROVAL",
    "FILE_CHANGE_APPROVAL",
    "HOOKS_LIST",
    "INITIALIZE",
    "INITIALIZED",
    "MCP_ELICITATION",
    "METHODS",
    "MODEL_LIST",
    "NOTIFICATIONS",
    "PERMISSIONS_APPROVAL",
    "SERVER_REQUESTS",
    "THREAD_INJECT_ITEMS",
    "THREAD_START",
    "THREAD_UNSUBSCRIBE",
    "TOOL_CALL",
    "TOOL_USER_INPUT",
    "TURN_INTERRUPT",
    "TURN_START",
    "Method",
    "ServerRequest",
)

P = TypeVar("P")
R = TypeVar("R")


class Method(NamedTuple, Generic[P, R]):
    """A request to the app-server: takes `P`, or None for no params at all, and is answered with `R`."""

    name: str
    result: Shape
    """What the answer has to be."""


class ServerRequest(NamedTuple, Generic[P, R]):
    """A request from the app-server: comes with `P` and wants `R`."""

    name: str
    params: Shape
    """What it has to come with."""


def _answered(name: str, result: str) -> Method[Any, Any]:
    return Method(name, SHAPES[result])


def _asked(name: str, params: str) -> ServerRequest[Any, Any]:
    return ServerRequest(name, SHAPES[params])


ACCOUNT_LOGIN_CANCEL: Final[Method[wire.CancelLoginAccountParams, wire.CancelLoginAccountResponse]] = _answered(
    "account/login/cancel", "CancelLoginAccountResponse"
)
ACCOUNT_LOGIN_START: Final[Method[wire.LoginAccountParams, wire.LoginAccountResponse]] = _answered(
    "account/login/start", "LoginAccountResponse"
)
ACCOUNT_LOGOUT: Final[Method[None, wire.LogoutAccountResponse]] = _answered("account/logout", "LogoutAccountResponse")
ACCOUNT_RATE_LIMITS_READ: Final[Method[None, wire.GetAccountRateLimitsResponse]] = _answered(
    "account/rateLimits/read", "GetAccountRateLimitsResponse"
)
ACCOUNT_READ: Final[Method[wire.GetAccountParams, wire.GetAccountResponse]] = _answered(
    "account/read", "GetAccountResponse"
)
CONFIG_BATCH_WRITE: Final[Method[wire.ConfigBatchWriteParams, wire.ConfigWriteResponse]] = _answered(
    "config/batchWrite", "ConfigWriteResponse"
)
HOOKS_LIST: Final[Method[wire.HooksListParams, wire.HooksListResponse]] = _answered("hooks/list", "HooksListResponse")
INITIALIZE: Final[Method[wire.InitializeParams, wire.InitializeResponse]] = _answered(
    "initialize", "InitializeResponse"
)
MODEL_LIST: Final[Method[wire.ModelListParams, wire.ModelListResponse]] = _answered("model/list", "ModelListResponse")
THREAD_INJECT_ITEMS: Final[Method[wire.ThreadInjectItemsParams, wire.ThreadInjectItemsResponse]] = _answered(
    "thread/inject_items", "ThreadInjectItemsResponse"
)
THREAD_START: Final[Method[wire.ThreadStartParams, wire.ThreadStartResponse]] = _answered(
    "thread/start", "ThreadStartResponse"
)
THREAD_UNSUBSCRIBE: Final[Method[wire.ThreadUnsubscribeParams, wire.ThreadUnsubscribeResponse]] = _answered(
    "thread/unsubscribe", "ThreadUnsubscribeResponse"
)
TURN_INTERRUPT: Final[Method[wire.TurnInterruptParams, wire.TurnInterruptResponse]] = _answered(
    "turn/interrupt", "TurnInterruptResponse"
)
TURN_START: Final[Method[wire.TurnStartParams, wire.TurnStartResponse]] = _answered("turn/start", "TurnStartResponse")

INITIALIZED: Final = "initialized"
"""The one notification that is sent."""

# What no caller can approve: these are declined, and their result types hold nothing but refusals.
APPLY_PATCH_APPROVAL: Final[ServerRequest[wire.ApplyPatchApprovalParams, wire.ApplyPatchApprovalResponse]] = _asked(
    "applyPatchApproval", "ApplyPatchApprovalParams"
)
COMMAND_EXECUTION_APPROVAL: Final[
    ServerRequest[wire.CommandExecutionRequestApprovalParams, wire.CommandExecutionRequestApprovalResponse]
] = _asked("item/commandExecution/requestApproval", "CommandExecutionRequestApprovalParams")
EXEC_COMMAND_APPROVAL: Final[ServerRequest[wire.ExecCommandApprovalParams, wire.ExecCommandApprovalResponse]] = _asked(
    "execCommandApproval", "ExecCommandApprovalParams"
)
FILE_CHANGE_APPROVAL: Final[
    ServerRequest[wire.FileChangeRequestApprovalParams, wire.FileChangeRequestApprovalResponse]
] = _asked("item/fileChange/requestApproval", "FileChangeRequestApprovalParams")
MCP_ELICITATION: Final[
    ServerRequest[wire.McpServerElicitationRequestParams, wire.McpServerElicitationRequestResponse]
] = _asked("mcpServer/elicitation/request", "McpServerElicitationRequestParams")
PERMISSIONS_APPROVAL: Final[
    ServerRequest[wire.PermissionsRequestApprovalParams, wire.PermissionsRequestApprovalResponse]
] = _asked("item/permissions/requestApproval", "PermissionsRequestApprovalParams")
TOOL_USER_INPUT: Final[ServerRequest[wire.ToolRequestUserInputParams, wire.ToolRequestUserInputResponse]] = _asked(
    "item/tool/requestUserInput", "ToolRequestUserInputParams"
)

# What has an answer.
ATTESTATION_GENERATE: Final[ServerRequest[wire.AttestationGenerateParams, wire.AttestationGenerateResponse]] = _asked(
    "attestation/generate", "AttestationGenerateParams"
)
CHATGPT_AUTH_TOKENS_REFRESH: Final[
    ServerRequest[wire.ChatgptAuthTokensRefreshParams, wire.ChatgptAuthTokensRefreshResponse]
] = _asked("account/chatgptAuthTokens/refresh", "ChatgptAuthTokensRefreshParams")
CURRENT_TIME_READ: Final[ServerRequest[wire.CurrentTimeReadParams, wire.CurrentTimeReadResponse]] = _asked(
    "currentTime/read", "CurrentTimeReadParams"
)
TOOL_CALL: Final[ServerRequest[wire.DynamicToolCallParams, wire.DynamicToolCallResponse]] = _asked(
    "item/tool/call", "DynamicToolCallParams"
)

METHODS: Final[Mapping[str, Method[Any, Any]]] = MappingProxyType(
    {
        method.name: method
        for method in (
            ACCOUNT_LOGIN_CANCEL,
            ACCOUNT_LOGIN_START,
            ACCOUNT_LOGOUT,
            ACCOUNT_RATE_LIMITS_READ,
            ACCOUNT_READ,
            CONFIG_BATCH_WRITE,
            HOOKS_LIST,
            INITIALIZE,
            MODEL_LIST,
            THREAD_INJECT_ITEMS,
            THREAD_START,
            THREAD_UNSUBSCRIBE,
            TURN_INTERRUPT,
            TURN_START,
        )
    }
)

SERVER_REQUESTS: Final[Mapping[str, ServerRequest[Any, Any]]] = MappingProxyType(
    {
        request.name: request
        for request in (
            APPLY_PATCH_APPROVAL,
            ATTESTATION_GENERATE,
            CHATGPT_AUTH_TOKENS_REFRESH,
            COMMAND_EXECUTION_APPROVAL,
            CURRENT_TIME_READ,
            EXEC_COMMAND_APPROVAL,
            FILE_CHANGE_APPROVAL,
            MCP_ELICITATION,
            PERMISSIONS_APPROVAL,
            TOOL_CALL,
            TOOL_USER_INPUT,
        )
    }
)

NOTIFICATIONS: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "account/login/completed": SHAPES["AccountLoginCompletedNotification"],
        "account/rateLimits/updated": SHAPES["AccountRateLimitsUpdatedNotification"],
        "account/updated": SHAPES["AccountUpdatedNotification"],
        "configWarning": SHAPES["ConfigWarningNotification"],
        "deprecationNotice": SHAPES["DeprecationNoticeNotification"],
        "error": SHAPES["ErrorNotification"],
        "item/agentMessage/delta": SHAPES["AgentMessageDeltaNotification"],
        "item/completed": SHAPES["ItemCompletedNotification"],
        "item/reasoning/summaryTextDelta": SHAPES["ReasoningSummaryTextDeltaNotification"],
        "item/reasoning/textDelta": SHAPES["ReasoningTextDeltaNotification"],
        "item/started": SHAPES["ItemStartedNotification"],
        "model/rerouted": SHAPES["ModelReroutedNotification"],
        "rawResponse/completed": SHAPES["RawResponseCompletedNotification"],
        "rawResponseItem/completed": SHAPES["RawResponseItemCompletedNotification"],
        "thread/closed": SHAPES["ThreadClosedNotification"],
        "thread/started": SHAPES["ThreadStartedNotification"],
        "thread/status/changed": SHAPES["ThreadStatusChangedNotification"],
        "thread/tokenUsage/updated": SHAPES["ThreadTokenUsageUpdatedNotification"],
        "turn/completed": SHAPES["TurnCompletedNotification"],
        "turn/started": SHAPES["TurnStartedNotification"],
        "warning": SHAPES["WarningNotification"],
    }
)
"""The params of the notifications that are read. One with another name is no fault: it passes unchecked."""
