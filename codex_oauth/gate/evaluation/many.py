"""Many requests judged at once, until they are done or it is clear that the next ones would fail as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import anyio

from codex_oauth.errors import (
    AccountCheckError,
    AccountError,
    CodexNotFoundError,
    CodexOAuthError,
    ConfigurationError,
    CredentialRejectedError,
    ModelNotSupportedError,
    UnsupportedCodexError,
    UsageLimitError,
)
from codex_oauth.gate.verdict import Verdict

__all__ = ("PATIENCE", "judge_many")

T = TypeVar("T")

PATIENCE: Final = 10
"""Failures in a row after which the next request would only be the next failure."""

_HOPELESS: Final = (
    AccountError,
    CodexNotFoundError,
    ConfigurationError,
    CredentialRejectedError,
    ModelNotSupportedError,
    UnsupportedCodexError,
    UsageLimitError,
)
# What every other request would end in as well.


async def judge_many(
    items: Sequence[T],
    judge: Callable[[T], Awaitable[Verdict]],
    *,
    concurrency: int,
    done: Callable[[T, Verdict | CodexOAuthError], None],
) -> None:
    """Judge each item once.

    Args:
        items: What is to be judged, begun in this order.
        judge: Judges one.
        concurrency: How many at once.
        done: Told the verdict of each, or the failure; in the order in which they end.

    Raises:
        CodexOAuthError: The account, the plan, the binary or a setting lets no request through, `PATIENCE` failed one
            after the other, or `done` raised it. What was under way is given up, and `done` is not told of it.
    """
    failure: CodexOAuthError | None = None
    in_a_row = 0
    # One iterator for all of them: whoever is free takes the next.
    waiting = iter(items)

    async def work() -> None:
        nonlocal failure, in_a_row
        for item in waiting:
            try:
                try:
                    result = await judge(item)
                    in_a_row = 0
                except CodexOAuthError as error:
                    if isinstance(error, _HOPELESS) and not isinstance(error, AccountCheckError):
                        raise
                    result = error
                    in_a_row += 1
                done(item, result)
                if isinstance(result, CodexOAuthError) and in_a_row >= PATIENCE:
                    raise result
            except CodexOAuthError as error:
                failure = failure or error
                group.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as group:
        for _ in range(min(concurrency, len(items))):
            group.start_soon(work)
    if failure is not None:
        raise failure
