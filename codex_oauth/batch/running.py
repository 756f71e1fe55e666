"""A batch run: a bounded window of items over one client, each result kept as it comes."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from codex_oauth.batch.items import Item
from codex_oauth.batch.opening import Batch
from codex_oauth.batch.records import answer_record, failure_record
from codex_oauth.errors import (
    AccountCheckError,
    AccountError,
    CodexNotFoundError,
    CodexOAuthError,
    ConfigurationError,
    ContextWindowExceededError,
    CredentialRejectedError,
    EmptyReplyError,
    ForbiddenItemError,
    IncompleteReplyError,
    InvalidRequestError,
    ModelNotSupportedError,
    OutputValidationError,
    PolicyBlockedError,
    UnknownModelError,
    UnsupportedCodexError,
    UsageLimitError,
)
from codex_oauth.images import data_url

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.types import Reply

__all__ = ("ATTEMPTS", "PATIENCE", "SYNC_INTERVAL", "run_batch")

ATTEMPTS: Final = 3
"""How often an item is asked before its failure is its result, where another attempt may succeed."""

PATIENCE: Final = 20
"""Failures in a row, none of them the item's own, after which the next item would only be the next failure."""

SYNC_INTERVAL: Final = 5.0
"""Seconds after which what was added is on the disk. A killed process loses nothing; a loss of power so much."""

_FIRST_PAUSE: Final = 0.5
_GROWTH: Final = 6
# Seconds before the second attempt, and how much longer before the third. codex has tried again by itself before.

_HOPELESS: Final = (
    AccountError,
    CodexNotFoundError,
    ConfigurationError,
    CredentialRejectedError,
    ModelNotSupportedError,
    UnsupportedCodexError,
)
# What every other item would end in as well.

_ITS_OWN: Final = (
    ContextWindowExceededError,
    EmptyReplyError,
    ForbiddenItemError,
    IncompleteReplyError,
    InvalidRequestError,
    OutputValidationError,
    PolicyBlockedError,
)
# What says nothing about the next item.


async def run_batch(
    batch: Batch,
    codex: AsyncCodex,
    *,
    concurrency: int = 8,
    timeout: float | None = None,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Ask what is left of a batch, and keep each result as it comes, in the order of completion.

    Nothing is started where nothing is left. A result is on file before the next item is taken. Cancelled, the turns
    in flight are interrupted: those items have no result, and are asked again by the next run.

    Args:
        batch: What `open_batch` gives.
        codex: What makes the calls; not entered, so that one app-server serves them all, and ends with them.
        concurrency: Items at once.
        timeout: Seconds for each attempt at an item; None for the configured ones.
        beside: Run while items are asked, and cancelled at the end: for showing how far it is.

    Raises:
        UsageLimitError: The plan does not pay for more now. What was in flight has been waited for.
        CodexOAuthError: It was of no use to go on: the account, the plan, the binary or a setting lets no item through,
            or `PATIENCE` failed one after the other. What failed that way before is recorded.
        ConfigurationError: The output cannot be written, or the input was changed meanwhile.
    """
    if not batch.tally.left:
        return
    run = _Run(batch, codex, timeout)
    try:
        async with codex, anyio.create_task_group() as around:
            around.start_soon(run.sync_now_and_then)
            if beside is not None:
                around.start_soon(beside)
            async with anyio.create_task_group() as workers:
                run.cancel = workers.cancel_scope.cancel
                for _ in range(min(concurrency, batch.tally.left)):
                    workers.start_soon(run.work)
            around.cancel_scope.cancel()
    finally:
        batch.results.sync()
    if run.failure is not None:
        raise run.failure


class _Run:
    """What the workers of one run share."""

    def __init__(self, batch: Batch, codex: AsyncCodex, timeout: float | None) -> None:
        self._batch = batch
        self._codex = codex
        self._timeout = timeout
        # One iterator for all of them: whoever is free takes the next.
        self._waiting: Iterator[Item] = batch.items()
        self._in_a_row = 0
        self.failure: CodexOAuthError | None = None
        self.cancel: Callable[[], None] = lambda: None

    async def sync_now_and_then(self) -> None:
        """Have what was added written to the disk, away from the event loop."""
        while True:
            await anyio.sleep(SYNC_INTERVAL)
            try:
                await anyio.to_thread.run_sync(self._batch.results.sync)
            except CodexOAuthError as error:
                self._end(error)

    async def work(self) -> None:
        """Ask one item after the other, until there is none, or no use."""
        tally = self._batch.tally
        try:
            while self.failure is None and (item := next(self._waiting, None)) is not None:
                tally.asking += 1
                try:
                    await self._one(item)
                finally:
                    tally.asking -= 1
        except UsageLimitError as error:
            # What is in flight may have been paid for: it is waited for.
            self.failure = self.failure or error
        except CodexOAuthError as error:
            self._end(error)

    def _end(self, error: CodexOAuthError) -> None:
        self.failure = self.failure or error
        self.cancel()

    async def _one(self, item: Item) -> None:
        attempt = 1
        while True:
            try:
                reply = await self._ask(item)
            except CodexOAuthError as error:
                if isinstance(error, UsageLimitError) or _is_hopeless(error, item):
                    raise
                if not error.retryable or attempt == ATTEMPTS:
                    self._failed(item, error, attempt)
                    return
                await anyio.sleep(_FIRST_PAUSE * _GROWTH ** (attempt - 1) * random.uniform(0.5, 1.0))
                if self.failure is not None:
                    return  # the run is about to end; with no result yet, the next one asks it
                attempt += 1
            else:
                self._answered(item, reply)
                return

    async def _ask(self, item: Item) -> Reply[Any]:
        images: list[str] = []
        for image in item.images:
            try:
                images.append(await anyio.to_thread.run_sync(data_url, _source(image, self._batch.input.parent)))
            except ConfigurationError as error:
                raise _ImageError(error.message) from error
        return await self._codex.complete(
            item.prompt,
            instructions=item.instructions,
            output=item.schema,
            model=item.model,
            effort=item.effort,
            timeout=self._timeout,
            images=images,
            label="batch",
        )

    def _answered(self, item: Item, reply: Reply[Any]) -> None:
        self._batch.results.add(answer_record(item, reply))
        self._in_a_row = 0
        tally = self._batch.tally
        tally.answered += 1
        tally.usage += reply.usage

    def _failed(self, item: Item, error: CodexOAuthError, attempts: int) -> None:
        self._batch.results.add(failure_record(item, error, attempts))
        self._batch.tally.failures[error.code] += 1
        if not isinstance(error, (*_ITS_OWN, ConfigurationError)):
            self._in_a_row += 1
            if self._in_a_row >= PATIENCE:
                self.failure = self.failure or error


class _ImageError(ConfigurationError):
    """An image of one item cannot be sent."""


def _is_hopeless(error: CodexOAuthError, item: Item) -> bool:
    if isinstance(error, _ImageError | AccountCheckError):
        return False
    if isinstance(error, UnknownModelError | ModelNotSupportedError) and item.chooses_model:
        return False
    return isinstance(error, _HOPELESS)


def _source(image: str, folder: Path) -> str | Path:
    return image if image.startswith("data:") else folder / image
