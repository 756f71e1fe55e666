"""Which class of failure each error belongs to."""

from __future__ import annotations

import inspect

import pytest

from codex_oauth import errors
from codex_oauth.gate import FAILURE_CLASSES
from codex_oauth.gate.failures import failure_class

KINDS = sorted(
    (kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.CodexOAuthError)),
    key=lambda kind: kind.__name__,
)
OTHER = {"CodexOAuthError"}


def made(kind: type[errors.CodexOAuthError]) -> errors.CodexOAuthError:
    return kind.__new__(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_of_this_package_has_a_class(kind: type[errors.CodexOAuthError]) -> None:
    name = failure_class(made(kind))
    assert name in FAILURE_CLASSES
    assert (name == "other") == (kind.__name__ in OTHER)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (errors.NetworkUnavailableError, "network"),
        (errors.DeadlineExceededError, "timeout"),
        (errors.CredentialRejectedError, "account"),
        (errors.UsageLimitReachedError, "limit"),
        (errors.NotLoggedInError, "account"),
        (errors.OutputValidationError, "reply"),
        (errors.OverloadedError, "service"),
        (errors.CodexNotFoundError, "codex"),
        (errors.ServerBusyError, "codex"),
        (errors.UnknownModelError, "configuration"),
    ],
)
def test_the_more_special_class_counts(kind: type[errors.CodexOAuthError], name: str) -> None:
    assert failure_class(made(kind)) == name


@pytest.mark.parametrize("error", [OSError(), RecursionError(), MemoryError(), ValueError()])
def test_what_is_not_raised_on_purpose_is_other(error: Exception) -> None:
    assert failure_class(error) == "other"
