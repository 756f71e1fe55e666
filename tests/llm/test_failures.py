"""Each error of the package in the words of `ctx.llm`."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Final

import pytest

from codex_oauth import errors
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
from codex_oauth.llm import LlmError, llm_error

PAGE: Final = Path(__file__).parents[2] / "docs" / "llm.md"
URL: Final = "https://chatgpt.com/backend-api/codex/responses"
UNSENT: Final = f"ctx.llm: request to {URL} failed: why"
FAILED: Final = "ctx.llm: Codex backend stream returned response.failed: why"
CLOSED: Final = "ctx.llm: Codex backend stream closed before response.completed: why"
PLAIN: Final = "ctx.llm: why"


def returned(status: int) -> str:
    return f"ctx.llm: {URL} returned {status}: why"


FORMS: Final[tuple[tuple[CodexOAuthError, str], ...]] = (
    (CodexOAuthError("why"), PLAIN),
    # Nothing was started.
    (ConfigurationError("why"), PLAIN),
    (OutputSchemaError("why"), PLAIN),
    (UnknownModelError("why"), PLAIN),
    (ForeignInstructionsError("why"), PLAIN),
    # No answer.
    (ProcessError("why"), UNSENT),
    (CodexNotFoundError("why"), UNSENT),
    (UnsupportedCodexError("why"), UNSENT),
    (ServerCrashedError("why"), UNSENT),
    (ProtocolError("why"), UNSENT),
    (LineTooLongError("why"), UNSENT),
    (RpcError("why"), UNSENT),
    (ServerBusyError("why"), UNSENT),
    (AccountCheckError("why"), UNSENT),
    (DeadlineExceededError("why"), UNSENT),
    (NetworkUnavailableError("why"), UNSENT),
    # Nobody who pays.
    (
        NotLoggedInError("why"),
        "ctx.llm: Codex backend OAuth credential is missing access token or account id: why",
    ),
    (AccountError("why"), PLAIN),
    (WrongAccountError("why"), PLAIN),
    (ReauthenticationRequired("why"), PLAIN),
    (ExternalTokenError("why"), PLAIN),
    (LoginError("why"), PLAIN),
    # A status.
    (UsageLimitReachedError("why", http_status=429), returned(429)),
    (PlanNotIncludedError("why", http_status=429), returned(429)),
    (QuotaExceededError("why", http_status=429), returned(429)),
    (WorkspaceCreditsError("why", http_status=429), returned(429)),
    (UsageLimitError("why", http_status=429), returned(429)),
    (TooManyRequestsError("why", http_status=429), returned(429)),
    (UpstreamHTTPError("why", http_status=502), returned(502)),
    (CredentialRejectedError("why", http_status=401), returned(401)),
    (InvalidRequestError("why", http_status=400), returned(400)),
    (ModelNotSupportedError("why", http_status=400), returned(400)),
    (ContextWindowExceededError("why", http_status=400), returned(400)),
    # A stream that ended badly.
    (TurnError("why"), FAILED),
    (TurnFailedError("why"), FAILED),
    (RateLimitedError("why"), FAILED),
    (OverloadedError("why"), FAILED),
    (UpstreamServerError("why"), FAILED),
    (ContextWindowExceededError("why"), FAILED),
    (PolicyBlockedError("why"), FAILED),
    (
        IncompleteReplyError("why", reason="max_output_tokens"),
        "ctx.llm: Codex backend stream returned response.incomplete: why",
    ),
    (StreamDisconnectedError("why"), CLOSED),
    (StreamDisconnectedError("why", http_status=502), CLOSED),
    (TurnInterruptedError("why"), CLOSED),
    (EmptyReplyError("why"), "ctx.llm: Codex backend response contained no output text"),
    # Ours.
    (ForbiddenItemError("why"), PLAIN),
    (StepLimitError("why"), PLAIN),
    (OutputValidationError("why"), PLAIN),
)


@pytest.mark.parametrize(("error", "said"), FORMS, ids=[type(error).__name__ for error, _ in FORMS])
def test_every_error_has_its_words_and_stays_what_it_was(error: CodexOAuthError, said: str) -> None:
    failure = llm_error(error)
    assert str(failure) == failure.message == said
    assert (failure.code, failure.retryable, failure.exit_status) == (error.code, error.retryable, error.exit_status)


def test_no_class_of_errors_is_without_words() -> None:
    classes = {getattr(errors, name) for name in errors.__all__}
    classes = {cls for cls in classes if isinstance(cls, type) and issubclass(cls, CodexOAuthError)}
    assert {type(error) for error, _ in FORMS} == classes


def test_a_long_message_is_cut() -> None:
    said = llm_error(UpstreamHTTPError("x" * 501, http_status=502)).message
    assert said == f"ctx.llm: {URL} returned 502: {'x' * 500}…"


def test_it_pickles_and_is_not_wrapped_again() -> None:
    failure = llm_error(UsageLimitReachedError("why", http_status=429))
    again = pickle.loads(pickle.dumps(failure))
    assert (type(again), again.args, again.code, again.exit_status) == (
        LlmError,
        failure.args,
        "usage_limit_reached",
        4,
    )
    assert llm_error(failure) is failure
    assert LlmError("no cause").code == "llm"


def test_the_page_lists_every_form() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for _, said in FORMS:
        form = re.sub(r"returned \d+", "returned <status>", said.replace(URL, "<url>")).replace("why", "…")
        assert f"| `{form}` |" in page
