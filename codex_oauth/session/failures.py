"""The app-server's failures as this package's exceptions.

The table is what codex 0.163 and 0.169 were measured to answer for each failure of the service. Several causes share
one `codexErrorInfo`; those are told apart by the message, whose wording is codex's own, and then by the last rate-limit
snapshot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from codex_oauth.errors import (
    AccountCheckError,
    CodexOAuthError,
    ContextWindowExceededError,
    CredentialRejectedError,
    ExternalTokenError,
    IncompleteReplyError,
    InvalidRequestError,
    ModelNotSupportedError,
    OverloadedError,
    PlanNotIncludedError,
    PolicyBlockedError,
    QuotaExceededError,
    RateLimitedError,
    ReauthenticationReason,
    ReauthenticationRequired,
    RpcError,
    StreamDisconnectedError,
    TooManyRequestsError,
    TurnFailedError,
    UpstreamHTTPError,
    UpstreamServerError,
    UsageLimitError,
    UsageLimitReachedError,
    WorkspaceCreditsError,
    WrongAccountError,
)
from codex_oauth.records import record
from codex_oauth.redaction import cleaned
from codex_oauth.types import as_object

__all__ = ("RateLimits", "account_failure", "error_info", "refresh_refusal", "refused_sign_in", "turn_failure")


@record()
class RateLimits:
    """The last rate-limit snapshot: the window that is used up, if one is."""

    plan: str | None = None
    resets_at: int | None = None
    window: int | None = None

    def updated(self, snapshot: Mapping[str, Any]) -> RateLimits:
        """With what a sparse `account/rateLimits/updated` says; what it leaves out stays as it was."""
        said = snapshot.get("planType")
        plan = said if isinstance(said, str) else self.plan
        windows = [as_object(snapshot.get(name)) or {} for name in ("primary", "secondary")]
        used = [window["usedPercent"] for window in windows if isinstance(window.get("usedPercent"), int | float)]
        if not used:
            return RateLimits(plan, self.resets_at, self.window)
        if max(used) < 100:
            return RateLimits(plan)  # a limit that was reached has lifted
        full = next(window for window in windows if window.get("usedPercent") == max(used))
        resets, length = full.get("resetsAt"), full.get("windowDurationMins")
        return RateLimits(
            plan, resets if isinstance(resets, int) else None, length if isinstance(length, int) else None
        )


def error_info(info: object) -> tuple[str | None, int | None]:
    """`codexErrorInfo` as its name and an HTTP status: a string, or an object with one key, or something newer."""
    if isinstance(info, str):
        return info, None
    for name, detail in (as_object(info) or {}).items():
        status = (as_object(detail) or {}).get("httpStatusCode")
        return name, status if isinstance(status, int) else None
    return None, None


def turn_failure(
    error: Mapping[str, Any] | None,
    limits: RateLimits,
    model: str | None,
    *,
    said: Sequence[str] = (),
    sign_in: str = "codex login",
) -> CodexOAuthError:
    """The exception for the `error` of a failed turn; its message quotes nothing of what was `said` to the model."""
    raw = str((error or {}).get("message") or "the turn failed without a message")
    name, status = error_info((error or {}).get("codexErrorInfo"))
    message, code = _answer(raw)
    message = cleaned(message, said)
    match name:
        case "usageLimitExceeded":
            return _usage(raw, message, name, limits)
        case "unauthorized":
            return refused_sign_in(_reason(raw), sign_in)
        case "rateLimitExceeded":
            return RateLimitedError(message, codex_error_info=name, http_status=status)
        case "responseTooManyFailedAttempts" if status == 429:
            return TooManyRequestsError(message, codex_error_info=name, http_status=status)
        case "httpConnectionFailed" | "responseTooManyFailedAttempts" if status == 401:
            text = f"the service refuses this sign-in: {message} To sign in again: {sign_in}"
            return CredentialRejectedError(text, codex_error_info=name, http_status=status)
        case "httpConnectionFailed" | "responseTooManyFailedAttempts" if status is not None:
            return UpstreamHTTPError(message, codex_error_info=name, http_status=status)
        case "contextWindowExceeded":
            return ContextWindowExceededError(message, codex_error_info=name)
        case "serverOverloaded":
            return OverloadedError(message, codex_error_info=name, http_status=status)
        case "internalServerError":
            return UpstreamServerError(message, codex_error_info=name, http_status=status)
        case "cyberPolicy" | "misalignmentPolicyViolation":
            return PolicyBlockedError(message, codex_error_info=name)
        case "modelNotFound":
            return ModelNotSupportedError(message, codex_error_info=name, http_status=status, model=model)
        case "badRequest":
            return InvalidRequestError(message, codex_error_info=name, http_status=400)
        case "responseStreamDisconnected" | "responseStreamConnectionFailed" | "httpConnectionFailed":
            return StreamDisconnectedError(message, codex_error_info=name, http_status=status)
        case "other" | None:
            if code == "context_length_exceeded":
                return ContextWindowExceededError(message, codex_error_info=name, http_status=400)
            return _other(raw, message, name, model)
        case _:
            return TurnFailedError(f"{name}: {message}", codex_error_info=name, http_status=status)


def _answer(raw: str) -> tuple[str, str | None]:
    """Text and code of an answer of the service that codex passes on whole: over a WebSocket, with its headers."""
    try:
        body = as_object(json.loads(raw)) or {}
    except (ValueError, RecursionError):
        return raw, None
    error = as_object(body.get("error")) or {}
    text, code = error.get("message") or body.get("detail"), error.get("code")
    return text if isinstance(text, str) else raw, code if isinstance(code, str) else None


def _usage(raw: str, message: str, name: str, limits: RateLimits) -> UsageLimitError:
    text = raw.replace("\u2019", "'").lower()
    kind: type[UsageLimitError]
    if "to use codex with your chatgpt plan" in text:
        kind = PlanNotIncludedError
    elif text.startswith("quota exceeded"):
        kind = QuotaExceededError
    elif "out of credits" in text or "spend cap" in text:
        kind = WorkspaceCreditsError
    else:
        kind = UsageLimitReachedError
    resets = limits.resets_at if kind is UsageLimitReachedError else None
    window = limits.window if kind is UsageLimitReachedError else None
    return kind(message, codex_error_info=name, http_status=429, resets_at=resets, window=window, plan=limits.plan)


def _reason(raw: str) -> ReauthenticationReason:
    # In codex's own words, or with the code of the service.
    if "has expired" in raw or "refresh_token_expired" in raw:
        return "expired"
    if "already used" in raw or "refresh_token_reused" in raw:
        return "reused"
    if "revoked" in raw or "refresh_token_invalidated" in raw:
        return "revoked"
    return "other"


_UNSUPPORTED_MODEL: Final = re.compile(r"The '([^']+)' model is not supported")
_INCOMPLETE: Final = re.compile(r"Incomplete response returned, reason: (\S+)")


_NOT_REFRESHED: Final = ("Failed to refresh token", "/oauth/token", "OAuth token response is invalid")
"""What codex says in mid-turn where the token was refused and could not be refreshed just then."""


def _other(raw: str, message: str, name: str | None, model: str | None) -> CodexOAuthError:
    # "other" is what codex says when the service's answer reached it as text.
    if found := _UNSUPPORTED_MODEL.search(raw):
        return ModelNotSupportedError(message, codex_error_info=name, http_status=400, model=found.group(1) or model)
    if found := _INCOMPLETE.search(raw):
        return IncompleteReplyError(message, codex_error_info=name, reason=found.group(1))
    if any(words in raw for words in _NOT_REFRESHED):
        return AccountCheckError(f"an expired token could not be refreshed: {message}; call again")
    if raw.startswith("stream disconnected") or "error sending request" in raw:
        return StreamDisconnectedError(message, codex_error_info=name)
    if raw.lstrip().startswith("{") or "invalid" in raw.lower():
        return InvalidRequestError(message, codex_error_info=name, http_status=400)
    return TurnFailedError(message, codex_error_info=name)


def account_failure(
    error: RpcError, *, sign_in: str, stderr: str = "", external: bool = False, refreshed: bool = True
) -> CodexOAuthError:
    """The exception for a refused `account/read`.

    Args:
        error: The refusal.
        sign_in: The command that signs in on the home.
        stderr: What codex wrote beside it: why a refresh failed is said nowhere else.
        external: Whether the token is not the home's own.
        refreshed: Whether codex got another token meanwhile. Of a connection that broke off it writes nothing.
    """
    if "workspace requirements" in error.message:
        # Asked of business, enterprise and edu plans.
        return AccountCheckError(
            "what the account's workspace prescribes could not be loaded, or forbids what a call needs: "
            f"{cleaned(error.message)}; call again, or ask the workspace's administrator"
        )
    if "plan type is required" in error.message:
        return ReauthenticationRequired(
            f"the sign-in's file holds nothing that codex can read; sign in again: {sign_in}"
        )
    if "selected workspace missing" in error.message:
        return WrongAccountError(
            "the token is not for the account that it was given with; check the account's id", account="another account"
        )
    if refused := refresh_refusal(error.message):  # as 0.169 says it
        return refused_sign_in(refused, sign_in)
    # -32603 with this text: codex asked the account service first, and got no answer that it could use.
    if "workspace routing discovery" not in error.message:
        return error
    if "(401)" in error.message and (refused := refresh_refusal(stderr)):
        return refused_sign_in(refused, sign_in)
    if "(401)" in error.message and external:
        return ExternalTokenError(f"the service does not accept the token; {sign_in}")
    if "(401)" in error.message and refreshed and "Failed to refresh token" not in stderr:
        return ReauthenticationRequired(f"the sign-in of this home is no longer accepted; sign in again: {sign_in}")
    # The service could not be reached, or failed, or an expired token could not be refreshed just now. None of that is
    # signed out.
    what = "an expired token could not be refreshed" if "(401)" in error.message else "no answer"
    return AccountCheckError(
        f"the account service could not be asked who would pay: {what}: {cleaned(error.message)}; call again"
    )


def refresh_refusal(stderr: str) -> ReauthenticationReason | None:
    """Why the service refused to refresh, in what codex wrote to stderr; None where it did not."""
    refused = _REFUSED.findall(_COLOUR.sub("", stderr))
    return _reason(refused[-1]) if refused else None


def refused_sign_in(reason: ReauthenticationReason, sign_in: str) -> ReauthenticationRequired:
    """The error for a sign-in whose refresh was refused; `sign_in` is the command that signs in."""
    return ReauthenticationRequired(
        f"the sign-in of this home is no longer accepted: {_WORDS[reason]}; sign in again: {sign_in}",
        reason=reason,
        refused=True,
    )


_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_REFUSED: Final = re.compile(
    # The first where a token had expired, the second where the service had refused one that had not.
    r"access token could not be refreshed[^\n]*|Failed to refresh token status=(?:401|400 [^\n]*invalid_grant)[^\n]*"
)
_WORDS: Final[Mapping[str, str]] = {
    "expired": "its refresh token has expired",
    "reused": "its refresh token was already used, most likely by a copy of it",
    "revoked": "it was revoked",
    "other": "the service refused to refresh it",
}
