"""The table from the app-server's errors to exceptions, and what every exception keeps of itself."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Mapping
from typing import Any, Final

import pytest

from codex_oauth import errors
from codex_oauth.errors import (
    AccountCheckError,
    CodexOAuthError,
    ContextWindowExceededError,
    CredentialRejectedError,
    IncompleteReplyError,
    InvalidRequestError,
    ModelNotSupportedError,
    OverloadedError,
    PlanNotIncludedError,
    PolicyBlockedError,
    QuotaExceededError,
    RateLimitedError,
    ReauthenticationRequired,
    RpcError,
    StreamDisconnectedError,
    TooManyRequestsError,
    TurnError,
    TurnFailedError,
    UpstreamHTTPError,
    UpstreamServerError,
    UsageLimitError,
    UsageLimitReachedError,
    WorkspaceCreditsError,
    WrongAccountError,
)
from codex_oauth.redaction import cleaned
from codex_oauth.session.failures import (
    RateLimits,
    account_failure,
    error_info,
    refresh_refusal,
    turn_failure,
)

FULL: Final = RateLimits(plan="plus", resets_at=1_800_000_000, window=300)
UNSUPPORTED = '{"detail": "The \'gpt-x\' model is not supported when using Codex with a ChatGPT account."}'
TOO_LONG = '{"error": {"code": "context_length_exceeded", "message": "Too long."}, "status": 400}'
REFRESH = "Your access token could not be refreshed"


def http(name: str, status: int | None) -> dict[str, Any]:
    return {name: {"httpStatusCode": status}}


TABLE: Final[tuple[tuple[Any, str, type[CodexOAuthError], int | None], ...]] = (
    # The message's apostrophe is U+2019 in some versions and ' in others.
    ("usageLimitExceeded", "You\u2019ve hit your usage limit. Upgrade to Pro.", UsageLimitReachedError, 429),
    ("usageLimitExceeded", "You've hit your usage limit. Upgrade to Pro.", UsageLimitReachedError, 429),
    ("usageLimitExceeded", "You've hit your usage limit for gpt-x. Switch now.", UsageLimitReachedError, 429),
    ("usageLimitExceeded", "Something new about limits.", UsageLimitReachedError, 429),
    ("usageLimitExceeded", "To use Codex with your ChatGPT plan, upgrade to Plus.", PlanNotIncludedError, 429),
    ("usageLimitExceeded", "Quota exceeded. Check your plan.", QuotaExceededError, 429),
    ("usageLimitExceeded", "Your workspace is out of credits. Add some.", WorkspaceCreditsError, 429),
    ("usageLimitExceeded", "You hit your spend cap set in your workspace.", WorkspaceCreditsError, 429),
    ("rateLimitExceeded", "rate limit exceeded: slow down", RateLimitedError, None),
    (http("responseTooManyFailedAttempts", 429), "exceeded retry limit", TooManyRequestsError, 429),
    (http("responseTooManyFailedAttempts", 401), "exceeded retry limit", CredentialRejectedError, 401),
    (http("responseTooManyFailedAttempts", 502), "exceeded retry limit", UpstreamHTTPError, 502),
    (http("httpConnectionFailed", 401), "unexpected status 401", CredentialRejectedError, 401),
    (http("httpConnectionFailed", 403), "unexpected status 403", UpstreamHTTPError, 403),
    (http("httpConnectionFailed", None), "error sending request", StreamDisconnectedError, None),
    (http("responseStreamConnectionFailed", None), "no way in", StreamDisconnectedError, None),
    (http("responseStreamDisconnected", None), "stream disconnected", StreamDisconnectedError, None),
    ("contextWindowExceeded", "Codex ran out of room", ContextWindowExceededError, None),
    ("serverOverloaded", "Selected model is at capacity", OverloadedError, None),
    ("internalServerError", "We\u2019re currently experiencing high demand", UpstreamServerError, None),
    ("internalServerError", "We're currently experiencing high demand", UpstreamServerError, None),
    ("cyberPolicy", "No.", PolicyBlockedError, None),
    ("misalignmentPolicyViolation", "No.", PolicyBlockedError, None),
    ("badRequest", "Bad.", InvalidRequestError, 400),
    ("other", UNSUPPORTED, ModelNotSupportedError, 400),
    ("other", TOO_LONG, ContextWindowExceededError, 400),
    ("other", '{"error": {"message": "Invalid schema."}}', InvalidRequestError, 400),
    ("other", '{"unheard": "of"}', InvalidRequestError, 400),
    ("other", "Incomplete response returned, reason: max_output_tokens", IncompleteReplyError, None),
    ("other", "stream disconnected before completion: cut", StreamDisconnectedError, None),
    ("other", "Something else.", TurnFailedError, None),
    (None, "stream disconnected before completion: cut", StreamDisconnectedError, None),
    (None, "Something else.", TurnFailedError, None),
    ("flexUnavailable", "Flex capacity unavailable.", TurnFailedError, None),
    ("neverHeardOf", "New.", TurnFailedError, None),
    (http("neverHeardOf", 451), "New.", TurnFailedError, 451),
    ({"activeTurnNotSteerable": {"turnKind": "review"}}, "Busy.", TurnFailedError, None),
    ({}, "Odd.", TurnFailedError, None),
    (7, "Odd.", TurnFailedError, None),
)


@pytest.mark.parametrize(("info", "text", "kind", "status"), TABLE)
def test_each_error_of_the_app_server_has_its_exception(
    info: Any, text: str, kind: type[CodexOAuthError], status: int | None
) -> None:
    error = turn_failure({"message": text, "codexErrorInfo": info}, FULL, "gpt-y")
    assert type(error) is kind
    assert isinstance(error, TurnError)
    assert (error.codex_error_info, error.http_status) == (error_info(info)[0], status)


@pytest.mark.parametrize("error", [None, {}, {"message": None}, {"message": "", "codexErrorInfo": None}])
def test_a_failure_without_a_word_is_still_an_error(error: Mapping[str, Any] | None) -> None:
    assert type(turn_failure(error, RateLimits(), None)) is TurnFailedError


def test_only_a_limit_that_was_reached_says_when_it_lifts() -> None:
    reached = turn_failure({"message": "Limit.", "codexErrorInfo": "usageLimitExceeded"}, FULL, None)
    quota = turn_failure({"message": "Quota exceeded.", "codexErrorInfo": "usageLimitExceeded"}, FULL, None)
    assert isinstance(reached, UsageLimitError)
    assert isinstance(quota, UsageLimitError)
    assert (reached.resets_at, reached.window, reached.plan) == (1_800_000_000, 300, "plus")
    assert (quota.resets_at, quota.window, quota.plan) == (None, None, "plus")


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (" because your refresh token has expired. Please log out and sign in again.", "expired"),
        (" because your refresh token was already used. Please log out and sign in again.", "reused"),
        (" because your refresh token was revoked. Please log out and sign in again.", "revoked"),
        (". Please log out and sign in again.", "other"),
    ],
)
def test_a_refused_refresh_says_why(ending: str, reason: str) -> None:
    said = {"message": REFRESH + ending, "codexErrorInfo": "unauthorized"}
    error = turn_failure(said, RateLimits(), None, sign_in="codex-oauth login --profile work")
    assert type(error) is ReauthenticationRequired
    assert (error.reason, error.refused) == (reason, True)
    assert error.message.endswith("; sign in again: codex-oauth login --profile work")
    assert refresh_refusal(f"one\n\x1b[31mERROR\x1b[0m login: \x1b[1m{REFRESH}{ending}\x1b[0m\nlast") == reason


def test_a_service_that_refuses_a_good_token_names_the_command_that_signs_in() -> None:
    info = http("httpConnectionFailed", 401)
    error = turn_failure({"message": "Unauthorized.", "codexErrorInfo": info}, FULL, None, sign_in="codex-oauth login")
    assert type(error) is CredentialRejectedError
    assert error.message == "the service refuses this sign-in: Unauthorized. To sign in again: codex-oauth login"


def test_an_unsupported_model_is_the_one_that_the_service_names() -> None:
    named = turn_failure({"message": UNSUPPORTED, "codexErrorInfo": "other"}, FULL, "gpt-y")
    unnamed = turn_failure({"message": "?", "codexErrorInfo": "modelNotFound"}, FULL, "gpt-y")
    assert isinstance(named, ModelNotSupportedError)
    assert isinstance(unnamed, ModelNotSupportedError)
    assert (named.model, unnamed.model) == ("gpt-x", "gpt-y")


def test_the_message_is_what_the_service_said_and_not_how_it_was_packed() -> None:
    error = turn_failure({"message": TOO_LONG, "codexErrorInfo": "other"}, FULL, None)
    assert str(error) == "Too long."


def test_a_message_quotes_nothing_of_what_was_said() -> None:
    text = "Cannot answer 'Is 91 prime?' as a pirate"
    error = turn_failure({"message": text, "codexErrorInfo": "cyberPolicy"}, FULL, None, said=("Is 91 prime?", "as"))
    assert str(error) == "Cannot answer '[removed]' as a pirate"


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.sig",
        "Bearer abcdefgh",
        "sk-proj-abcdefghijkl",
        "rt_abcdefghij",
        "some.one+x@example.co.uk",
    ],
)
def test_a_foreign_message_is_cleaned_of_secrets(secret: str) -> None:
    assert cleaned(f"before {secret}\n after") == "before [removed] after"


def test_a_foreign_message_is_bounded() -> None:
    assert len(cleaned("word " * 1000)) <= 500


@pytest.mark.parametrize(
    ("info", "read"),
    [
        ("other", ("other", None)),
        (http("a", 502), ("a", 502)),
        (http("a", None), ("a", None)),
        ({"a": "b"}, ("a", None)),
        ({"a": {"httpStatusCode": "502"}}, ("a", None)),
        ({}, (None, None)),
        (None, (None, None)),
        ([], (None, None)),
    ],
)
def test_an_error_info_of_any_shape_is_read(info: object, read: tuple[str | None, int | None]) -> None:
    assert error_info(info) == read


def window(percent: float, **others: Any) -> dict[str, Any]:
    return {"usedPercent": percent, "windowDurationMins": 300, "resetsAt": 1_800_000_000, **others}


@pytest.mark.parametrize(
    ("snapshot", "after"),
    [
        ({}, RateLimits()),
        ({"planType": "pro"}, RateLimits(plan="pro")),
        ({"planType": None, "primary": None, "secondary": None}, RateLimits()),
        ({"primary": window(99)}, RateLimits()),
        ({"primary": window(100)}, RateLimits(None, 1_800_000_000, 300)),
        (
            {"primary": window(10), "secondary": window(100, windowDurationMins=10080)},
            RateLimits(None, 1_800_000_000, 10080),
        ),
        ({"primary": window(100, resetsAt=None)}, RateLimits(None, None, 300)),
        ({"primary": "?", "planType": 7}, RateLimits()),
    ],
)
def test_a_rate_limit_snapshot_is_read(snapshot: Mapping[str, Any], after: RateLimits) -> None:
    assert RateLimits().updated(snapshot) == after


def test_what_a_sparse_snapshot_leaves_out_stays_as_it_was() -> None:
    assert FULL.updated({"primary": None, "secondary": None, "planType": None}) == FULL


@pytest.mark.parametrize("stderr", ["", "words", "WARN: nothing could be refreshed"])
def test_nothing_that_codex_wrote_is_no_refusal(stderr: str) -> None:
    assert refresh_refusal(stderr) is None


UNAUTHORIZED = "workspace routing discovery unauthorized (401)"


@pytest.mark.parametrize(
    ("said", "stderr", "kind"),
    [
        ("workspace routing discovery failed", "", AccountCheckError),
        (UNAUTHORIZED, "", ReauthenticationRequired),
        (UNAUTHORIZED, "Failed to refresh token: error sending request", AccountCheckError),
        ("selected workspace missing", "", WrongAccountError),
        ("something else", "", RpcError),
    ],
)
def test_an_account_that_cannot_be_read(said: str, stderr: str, kind: type[CodexOAuthError]) -> None:
    error = account_failure(
        RpcError(f"account/read: {said}", rpc_code=-32603), sign_in="codex-oauth login", stderr=stderr
    )
    assert type(error) is kind
    if isinstance(error, ReauthenticationRequired):
        assert error.message.endswith("; sign in again: codex-oauth login")
        assert not error.refused


CLASSES: Final = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CodexOAuthError)
]


def filled(kind: type[CodexOAuthError]) -> CodexOAuthError:
    """One with a value of its own for every attribute."""
    values: dict[str, Any] = {
        "account": "apiKey",
        "codex_error_info": "other",
        "data": {"a": [1]},
        "errors": ("one",),
        "exit_code": -9,
        "http_status": 418,
        "item_type": "commandExecution",
        "model": "gpt-x",
        "phase": "thread",
        "plan": "plus",
        "reason": "expired",
        "refused": True,
        "reply": "text",
        "resets_at": 1_800_000_000,
        "rpc_code": -32001,
        "sources": ("AGENTS.md",),
        "steps": 3,
        "stderr_tail": "words",
        "window": 300,
    }
    names = [name for name in inspect.signature(kind).parameters if name != "message"]
    return kind("what happened", **{name: values[name] for name in names})


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_exception_survives_the_way_to_another_process(kind: type[CodexOAuthError], protocol: int) -> None:
    error = filled(kind)
    error.add_note("a note")
    copy = pickle.loads(pickle.dumps(error, protocol))
    assert type(copy) is kind
    assert (copy.args, copy.__dict__, str(copy)) == (error.args, error.__dict__, "what happened")


def test_every_exception_is_public_and_has_a_code_of_its_own() -> None:
    assert {kind.__name__ for kind in CLASSES} == set(errors.__all__) - {"LoginFailure", "ReauthenticationReason"}
    assert len({kind.code for kind in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_exceptions_repr_holds_its_message_alone(kind: type[CodexOAuthError]) -> None:
    assert repr(filled(kind)) == f"{kind.__name__}('what happened')"
