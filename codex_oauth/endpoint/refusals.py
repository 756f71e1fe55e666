"""Every failure as an HTTP status and OpenAI's JSON error, chosen so that clients do the right thing about it.

OpenAI's own clients ask again after 408, 409, 429 and any 5xx, unless the answer says `x-should-retry: false`. So what
asking again cannot mend has that header or a status that nobody repeats, and what it can mend has `retry-after` where
a wait helps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from codex_oauth import errors
from codex_oauth.errors import CodexOAuthError, UnknownModelError, UpstreamHTTPError, UsageLimitError
from codex_oauth.types import Usage

__all__ = ("ROWS", "ApiError", "Row", "as_refusal", "bad_request", "refusal_of", "row_of")

_LONGEST: Final = 2_000
"""Characters of a message: the service's own words are among them."""


class ApiError(Exception):
    """An answer other than the one that was asked for.

    Attributes:
        status: The HTTP status.
        message: What was wrong, where, and what to do. No content.
        type: OpenAI's word for the kind of error.
        code: A word that programs can tell it by; None where OpenAI has none either.
        param: The request's parameter that is at fault, such as `messages[2].content`; None where none is.
        headers: What goes with it, names in lower case.
        usage: The tokens that it has cost all the same; None for none.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - the member's name in the API
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.usage = usage
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A 400: the request itself is wrong."""
    return ApiError(400, message, code=code, param=param)


class Row(NamedTuple):
    """What one kind of failure becomes.

    Attributes:
        status: The HTTP status.
        type: OpenAI's `type`.
        code: OpenAI's `code` where it has one for this, else the error's own; None stands for the error's own.
        again: Whether OpenAI's clients ask again by themselves.
        after: Seconds in `retry-after`; None for no such header.
        param: The parameter at fault.
    """

    status: int
    type: str
    code: str | None = None
    again: bool = False
    after: int | None = None
    param: str | None = None


_INVALID: Final = "invalid_request_error"
_PERMISSION: Final = "permission_error"
_SERVER: Final = "server_error"
_QUOTA: Final = "insufficient_quota"

ROWS: Final[Mapping[type[CodexOAuthError], Row]] = {
    CodexOAuthError: Row(500, _SERVER),
    errors.ConfigurationError: Row(400, _INVALID),
    errors.OutputSchemaError: Row(400, _INVALID, "invalid_json_schema"),
    errors.UnknownModelError: Row(404, _INVALID, "model_not_found", param="model"),
    # Somebody has to mend this machine; no request will.
    errors.ForeignInstructionsError: Row(503, _SERVER),
    errors.ProcessError: Row(503, _SERVER),
    # The next call starts a new one.
    errors.ServerCrashedError: Row(503, _SERVER, again=True, after=1),
    errors.ProtocolError: Row(502, _SERVER),
    errors.RpcError: Row(502, _SERVER),
    errors.ServerBusyError: Row(503, _SERVER, again=True, after=2),
    # Not 401, which would say that the client's own token is wrong.
    errors.AccountError: Row(403, _PERMISSION),
    errors.AccountCheckError: Row(503, _SERVER, again=True, after=2),
    errors.TurnError: Row(502, _SERVER),
    errors.UsageLimitError: Row(429, _QUOTA, _QUOTA),
    errors.PlanNotIncludedError: Row(403, _PERMISSION),
    errors.RateLimitedError: Row(429, "requests", "rate_limit_exceeded", again=True, after=5),
    errors.OverloadedError: Row(503, _SERVER, again=True, after=5),
    errors.UpstreamServerError: Row(502, _SERVER, again=True),
    errors.UpstreamHTTPError: Row(502, _SERVER),
    errors.CredentialRejectedError: Row(403, _PERMISSION),
    errors.StreamDisconnectedError: Row(502, _SERVER, again=True),
    errors.ModelNotSupportedError: Row(404, _INVALID, "model_not_found", param="model"),
    errors.InvalidRequestError: Row(400, _INVALID),
    errors.ContextWindowExceededError: Row(400, _INVALID, "context_length_exceeded"),
    errors.PolicyBlockedError: Row(400, _INVALID, "content_policy_violation"),
    errors.EmptyReplyError: Row(502, _SERVER, again=True),
    errors.OutputValidationError: Row(502, _SERVER),
    # The caller's time is up as well: asking again would only take it once more.
    errors.DeadlineExceededError: Row(504, _SERVER),
}
"""The status of each kind of error; one that is not listed has its base's."""


def row_of(kind: type[CodexOAuthError]) -> Row:
    """The row of a class of errors: its own, or that of the nearest base that has one."""
    return next(ROWS[base] for base in kind.__mro__ if base in ROWS)


def refusal_of(error: CodexOAuthError, *, now: float | None = None) -> ApiError:
    """What a failed call is answered with.

    Args:
        error: Why it failed.
        now: The time, in seconds since 1970; by default this machine's.
    """
    row = row_of(type(error))
    # The service's own 5xx may pass.
    again = row.again or (isinstance(error, UpstreamHTTPError) and error.retryable)
    headers = {} if row.status < 408 or again else {"x-should-retry": "false"}
    after = row.after
    if isinstance(error, UsageLimitError) and row.status == 429 and error.resets_at is not None:
        # For those who do not know the other header: until then, every try is refused.
        after = max(1, int(error.resets_at - (time.time() if now is None else now)))
    if after is not None:
        headers["retry-after"] = str(after)
    message = " ".join(error.message.split())[:_LONGEST]
    if isinstance(error, UnknownModelError) and "unknown model" in message:
        message += "; `default` is the first of the small tier"
    code = row.code or error.code
    return ApiError(row.status, message, type=row.type, code=code, param=row.param, headers=headers, usage=error.usage)


def as_refusal(error: Exception) -> ApiError:
    """What any failure is answered with. Of one that nobody has foreseen, no word goes out."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, CodexOAuthError):
        return refusal_of(error)
    if isinstance(error, RecursionError):
        return bad_request("the request is nested too deeply")
    headers = {"x-should-retry": "false"}
    message = f"an unexpected {type(error).__name__} in the endpoint; its log has the request's id"
    return ApiError(500, message, type=_SERVER, code="unexpected", headers=headers)
