"""Every exception that this package raises on purpose.

    CodexOAuthError                      code · retryable · exit_status
    ├── ConfigurationError               a setting, an argument or an input file is wrong
    │   ├── OutputSchemaError            the output type cannot be asked of the model
    │   ├── UnknownModelError            model: the catalogue does not have it
    │   └── ForeignInstructionsError     sources: something else would be added to the prompt
    ├── ProcessError                     exit_code · stderr_tail
    │   ├── CodexNotFoundError           no codex binary where one was looked for
    │   ├── UnsupportedCodexError        a binary that cannot serve as app-server
    │   └── ServerCrashedError           the app-server ended, or closed its output, in mid-conversation
    ├── ProtocolError                    a message that is not what the protocol promises
    │   └── LineTooLongError             a message without an end
    ├── RpcError                         rpc_code · data: a request that the app-server answered with an error
    │   └── ServerBusyError              -32001: too many requests in flight
    ├── AccountError                     the wallet is missing, wrong or worn out
    │   ├── NotLoggedInError
    │   ├── WrongAccountError            account
    │   ├── ReauthenticationRequired     reason: expired · reused · revoked · other; refused
    │   ├── ExternalTokenError           the environment's token, or `token_command`
    │   ├── LoginError                   reason: a sign-in did not come about
    │   └── AccountCheckError            whose wallet it is could not be found out
    ├── TurnError                        codex_error_info · http_status
    │   ├── UsageLimitError              resets_at · plan · window: never retried
    │   │   ├── UsageLimitReachedError
    │   │   ├── PlanNotIncludedError
    │   │   ├── QuotaExceededError
    │   │   └── WorkspaceCreditsError
    │   ├── RateLimitedError
    │   │   └── TooManyRequestsError     429 until the app-server's own retries were used up
    │   ├── OverloadedError              the model is at capacity
    │   ├── UpstreamServerError          500
    │   ├── UpstreamHTTPError            any other status, in http_status
    │   │   └── CredentialRejectedError  401 although the token had just been refreshed
    │   ├── StreamDisconnectedError
    │   ├── ModelNotSupportedError       model
    │   ├── InvalidRequestError          400
    │   ├── ContextWindowExceededError
    │   ├── PolicyBlockedError
    │   ├── IncompleteReplyError         reason
    │   ├── EmptyReplyError
    │   ├── ForbiddenItemError           item_type: the turn did something other than answer
    │   ├── TurnInterruptedError
    │   ├── StepLimitError           steps: a conversation's tools were called too often
    │   └── TurnFailedError              a failure with a name that this version does not know
    ├── OutputValidationError            reply · errors
    └── DeadlineExceededError            also a TimeoutError; phase
        └── NetworkUnavailableError      the deadline passed while the app-server waited for a network

The classes from `UsageLimitReachedError` to `EmptyReplyError` are the failures that codex 0.163 and 0.169 were
measured to tell apart (`codexErrorInfo`, and the message where one info covers several causes).

No message holds a prompt, a reply, a token or an e-mail address. What a caller may need of those is in attributes.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

__all__ = (
    "AccountCheckError",
    "AccountError",
    "CodexNotFoundError",
    "CodexOAuthError",
    "ConfigurationError",
    "ContextWindowExceededError",
    "CredentialRejectedError",
    "DeadlineExceededError",
    "EmptyReplyError",
    "ExternalTokenError",
    "ForbiddenItemError",
    "ForeignInstructionsError",
    "IncompleteReplyError",
    "InvalidRequestError",
    "LineTooLongError",
    "LoginError",
    "LoginFailure",
    "ModelNotSupportedError",
    "NetworkUnavailableError",
    "NotLoggedInError",
    "OutputSchemaError",
    "OutputValidationError",
    "OverloadedError",
    "PlanNotIncludedError",
    "PolicyBlockedError",
    "ProcessError",
    "ProtocolError",
    "QuotaExceededError",
    "RateLimitedError",
    "ReauthenticationReason",
    "ReauthenticationRequired",
    "RpcError",
    "ServerBusyError",
    "ServerCrashedError",
    "StepLimitError",
    "StreamDisconnectedError",
    "TooManyRequestsError",
    "TurnError",
    "TurnFailedError",
    "TurnInterruptedError",
    "UnknownModelError",
    "UnsupportedCodexError",
    "UpstreamHTTPError",
    "UpstreamServerError",
    "UsageLimitError",
    "UsageLimitReachedError",
    "WorkspaceCreditsError",
    "WrongAccountError",
)

LoginFailure = Literal["cancelled", "superseded", "declined", "timed_out", "port_in_use", "unavailable", "other"]
ReauthenticationReason = Literal["expired", "reused", "revoked", "other"]


class CodexOAuthError(Exception):
    """The base of all of them: catch it to treat every failure of a call alike.

    Attributes:
        code: A stable word for logs and metrics, such as `usage_limit_reached`.
        retryable: Whether the same call, made again later without a change, may succeed.
        exit_status: What the command line exits with for it.
        usage: The tokens that a failed call has cost all the same, a `Usage`; None where it is no call's.
    """

    code: ClassVar[str] = "error"
    retryable: bool = False
    exit_status: ClassVar[int] = 1
    usage: Any = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take keyword-only data, which Exception's own pickling would drop.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[CodexOAuthError], args: tuple[Any, ...], state: dict[str, Any]) -> CodexOAuthError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(CodexOAuthError):
    """A setting, an argument or an input is wrong. Nothing was started; correct it and call again."""

    code = "configuration"
    exit_status = 2


class OutputSchemaError(ConfigurationError):
    """The wanted output cannot be expressed as a strict schema. The message says where, and what to change."""

    code = "output_schema"


class UnknownModelError(ConfigurationError):
    """The model is not in the catalogue, or not with this effort. The message lists what is.

    Attributes:
        model: The model that was asked for.
    """

    code = "unknown_model"

    def __init__(self, message: str, *, model: str = "") -> None:
        super().__init__(message)
        self.model = model


class ForeignInstructionsError(ConfigurationError):
    """The app-server would add instructions of its own to the prompt, so the call was not made.

    Attributes:
        sources: The files they come from, such as an AGENTS.md in the home. Move them away.
    """

    code = "foreign_instructions"

    def __init__(self, message: str, *, sources: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.sources = sources


class ProcessError(CodexOAuthError):
    """The codex process could not be started or used.

    Attributes:
        exit_code: Its exit code; negative for a signal; None while unknown.
        stderr_tail: The last lines it wrote to stderr.
    """

    code = "process"

    def __init__(self, message: str, *, exit_code: int | None = None, stderr_tail: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail


class CodexNotFoundError(ProcessError):
    """There is no codex binary. Install the extra `bundled`, or name one."""

    code = "codex_not_found"
    exit_status = 6


class UnsupportedCodexError(ProcessError):
    """The binary is not a codex that can serve as app-server. Install a newer one."""

    code = "codex_unsupported"
    exit_status = 6


class ServerCrashedError(ProcessError):
    """The app-server went away while it was needed. A new call starts a new one."""

    code = "server_crashed"
    retryable = True


class ProtocolError(CodexOAuthError):
    """The app-server sent something that its protocol does not allow. Report it with the codex version."""

    code = "protocol"


class LineTooLongError(ProtocolError):
    """A message passed the size limit without ending; the connection was given up."""

    code = "line_too_long"


class RpcError(CodexOAuthError):
    """The app-server refused a request.

    Attributes:
        rpc_code: The JSON-RPC error code.
        data: The error's data member, as sent.
    """

    code = "rpc"

    def __init__(self, message: str, *, rpc_code: int = 0, data: Any = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.data = data


class ServerBusyError(RpcError):
    """The app-server has too many requests in flight (-32001). The request was not begun."""

    code = "server_busy"
    retryable = True


class AccountError(CodexOAuthError):
    """No call can be paid for by the wallet that was asked for. Nothing was sent to a model."""

    code = "account"
    exit_status = 3


class NotLoggedInError(AccountError):
    """Nobody is signed in in this home. The message names the command that signs in."""

    code = "not_logged_in"


class WrongAccountError(AccountError):
    """The home is signed in with something other than a ChatGPT plan.

    Attributes:
        account: The kind found, such as `apiKey`.
    """

    code = "wrong_account"

    def __init__(self, message: str, *, account: str = "unknown") -> None:
        super().__init__(message)
        self.account = account


class ReauthenticationRequired(AccountError):
    """The sign-in is no longer accepted. Sign in again; retrying only repeats the refusal.

    Attributes:
        reason: Why the refresh was refused: `expired`, `reused`, `revoked`, or `other`.
        refused: Whether the service itself refused the refresh token. Until somebody signs in again, calls then end
            with this error without asking it once more.
    """

    code = "reauthentication_required"

    def __init__(self, message: str, *, reason: ReauthenticationReason = "other", refused: bool = False) -> None:
        super().__init__(message)
        self.reason: ReauthenticationReason = reason
        self.refused = refused


class ExternalTokenError(AccountError):
    """The token that the environment or `token_command` should give cannot be had, or cannot be read."""

    code = "external_token"


class LoginError(AccountError):
    """A sign-in did not come about. What was signed in before still is.

    Attributes:
        reason: `cancelled`, `superseded` (by another sign-in on this machine), `declined`, `timed_out`, `port_in_use`,
            `unavailable` (the service, or this way to sign in), or `other`.
    """

    code = "login"

    def __init__(self, message: str, *, reason: LoginFailure = "other") -> None:
        super().__init__(message)
        self.reason: LoginFailure = reason


class AccountCheckError(AccountError):
    """The account service could not be asked, so it is unknown who would pay. Not the same as signed out: see to the
    network, and call again."""

    code = "account_check"
    retryable = True
    exit_status = 1


class TurnError(CodexOAuthError):
    """The turn was accepted and failed.

    Attributes:
        codex_error_info: The app-server's own name for the failure, where it gave one.
        http_status: The status that the model's service answered with, where known.
    """

    code = "turn"

    def __init__(self, message: str, *, codex_error_info: str | None = None, http_status: int | None = None) -> None:
        super().__init__(message)
        self.codex_error_info = codex_error_info
        self.http_status = http_status


class UsageLimitError(TurnError):
    """The plan does not pay for this call now. Never retried: every try counts.

    Attributes:
        resets_at: When the limit lifts, in Unix seconds, where the service said so.
        plan: The account's plan, where known.
        window: The length of the limit's window in minutes, where known.
    """

    code = "usage_limit"
    exit_status = 4

    def __init__(
        self,
        message: str,
        *,
        codex_error_info: str | None = None,
        http_status: int | None = None,
        resets_at: int | None = None,
        plan: str | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(message, codex_error_info=codex_error_info, http_status=http_status)
        self.resets_at = resets_at
        self.plan = plan
        self.window = window


class UsageLimitReachedError(UsageLimitError):
    """The plan's allowance is used up until `resets_at`."""

    code = "usage_limit_reached"


class PlanNotIncludedError(UsageLimitError):
    """The account's plan does not include Codex."""

    code = "plan_not_included"


class QuotaExceededError(UsageLimitError):
    """The account's quota is exhausted; billing details decide when it lifts."""

    code = "quota_exceeded"


class WorkspaceCreditsError(UsageLimitError):
    """The workspace is out of credits, or its spend cap is reached; its owner can change that."""

    code = "workspace_credits"


class RateLimitedError(TurnError):
    """Too much in too short a time. Wait, then call again."""

    code = "rate_limited"
    retryable = True


class TooManyRequestsError(RateLimitedError):
    """The service answered 429 until the app-server gave up."""

    code = "too_many_requests"


class OverloadedError(TurnError):
    """The model is at capacity. Call again later, or name another model."""

    code = "overloaded"
    retryable = True


class UpstreamServerError(TurnError):
    """The service failed on its side."""

    code = "upstream_server_error"
    retryable = True


class UpstreamHTTPError(TurnError):
    """The service answered with a status that has no meaning of its own here: see `http_status`. 5xx is retryable."""

    code = "upstream_http"

    def __init__(self, message: str, *, codex_error_info: str | None = None, http_status: int | None = None) -> None:
        super().__init__(message, codex_error_info=codex_error_info, http_status=http_status)
        self.retryable = http_status is not None and http_status >= 500


class CredentialRejectedError(UpstreamHTTPError):
    """The service refuses a token that was refreshed a moment ago."""

    code = "credential_rejected"
    exit_status = 3


class StreamDisconnectedError(TurnError):
    """The reply broke off and the app-server's own retries did not mend it."""

    code = "stream_disconnected"
    retryable = True


class ModelNotSupportedError(TurnError):
    """The account may not use this model. Choose one that `models` lists.

    Attributes:
        model: The model that was refused, where known.
    """

    code = "model_not_supported"

    def __init__(
        self,
        message: str,
        *,
        codex_error_info: str | None = None,
        http_status: int | None = None,
        model: str | None = None,
    ) -> None:
        super().__init__(message, codex_error_info=codex_error_info, http_status=http_status)
        self.model = model


class InvalidRequestError(TurnError):
    """The service refused the request itself, for instance its output schema."""

    code = "invalid_request"


class ContextWindowExceededError(TurnError):
    """Instructions and input do not fit the model. Send less."""

    code = "context_window_exceeded"


class PolicyBlockedError(TurnError):
    """The service declined the content."""

    code = "policy_blocked"


class IncompleteReplyError(TurnError):
    """The reply ended before it was whole.

    Attributes:
        reason: The service's word for it, such as `max_output_tokens`.
    """

    code = "incomplete_reply"

    def __init__(
        self,
        message: str,
        *,
        codex_error_info: str | None = None,
        http_status: int | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, codex_error_info=codex_error_info, http_status=http_status)
        self.reason = reason


class EmptyReplyError(TurnError):
    """The turn completed without a final message: nothing, reasoning only, commentary only, or a refusal, which codex
    (0.163, 0.169) drops without a word."""

    code = "empty_reply"
    retryable = True


class ForbiddenItemError(TurnError):
    """The turn produced something other than messages and reasoning, so it was stopped.

    Attributes:
        item_type: The kind of item, such as `commandExecution`.
    """

    code = "forbidden_item"

    def __init__(self, message: str, *, item_type: str = "unknown") -> None:
        super().__init__(message)
        self.item_type = item_type


class TurnInterruptedError(TurnError):
    """Somebody other than the caller ended the turn."""

    code = "turn_interrupted"


class StepLimitError(TurnError):
    """The model called tools in more responses than `max_steps` allows, so the turn was stopped. What the tools have
    done stays done; the conversation is where it was before.

    Attributes:
        steps: How many there may be.
    """

    code = "step_limit"

    def __init__(self, message: str, *, steps: int = 0) -> None:
        super().__init__(message)
        self.steps = steps


class TurnFailedError(TurnError):
    """A failure that this version has no name for; `codex_error_info` holds the app-server's."""

    code = "turn_failed"


class OutputValidationError(CodexOAuthError):
    """The reply does not fit its schema, and a repair turn did not mend it. It is never a verdict.

    Attributes:
        reply: The reply's text. It is content: it is in no message and in no `repr`.
        errors: What does not fit, each with its place, and without the offending value.
    """

    code = "output_validation"
    exit_status = 7

    def __init__(self, message: str, *, reply: str = "", errors: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reply = reply
        self.errors = errors


class DeadlineExceededError(CodexOAuthError, TimeoutError):
    """The call's time was up. The turn was interrupted and its process ended.

    Attributes:
        phase: The last phase that was reached, such as `thread`; None if not even the process had started.
    """

    code = "deadline_exceeded"
    retryable = True
    exit_status = 5

    def __init__(self, message: str, *, phase: str | None = None) -> None:
        super().__init__(message)
        self.phase = phase


class NetworkUnavailableError(DeadlineExceededError):
    """The time was up while the app-server was waiting for a network to come back."""

    code = "network_unavailable"
