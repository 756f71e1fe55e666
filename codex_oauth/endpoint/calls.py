"""Requests that a model answers: each for as long as its client is there, and not more of them than can be served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import CancelScope

from codex_oauth.endpoint.answering import Answering
from codex_oauth.endpoint.api import About, Api, ReplyWriter
from codex_oauth.endpoint.bodies import ClientGone, read_object
from codex_oauth.endpoint.catalogue import Catalogue
from codex_oauth.endpoint.exchange import Exchange
from codex_oauth.endpoint.refusals import ApiError, as_refusal
from codex_oauth.endpoint.tally import Tally
from codex_oauth.errors import AccountError

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.endpoint.watch import Watch
    from codex_oauth.types import Reply

__all__ = ("WAITING", "Calls")

WAITING: Final = 4
"""How many times as many calls may wait as may run."""


class Calls:
    """The routes of the two APIs.

    Args:
        codex: Who is asked; entered by whoever runs this, with the same concurrency.
        apis: The APIs.
        watch: Learns from each call how the account is.
        timeout: Seconds for a request, everything together.
        concurrency: Calls of the model at once.

    Attributes:
        catalogue: The models.
        tally: What was counted.
        stopping: Whether no more calls are taken.
    """

    def __init__(
        self, codex: AsyncCodex, apis: Sequence[Api], watch: Watch, *, timeout: float, concurrency: int
    ) -> None:
        self.catalogue = Catalogue(codex)
        self.tally = Tally()
        self.stopping = False
        self._apis = apis
        self._answering = Answering(codex, self.catalogue, timeout=timeout)
        self._watch = watch
        self._most = concurrency * (1 + WAITING)
        self._running: set[CancelScope] = set()

    def routes(self) -> dict[str, Callable[[Exchange], Awaitable[None]]]:
        """What serves each path."""
        return {api.path: partial(self._serve, api) for api in self._apis}

    def cut(self) -> None:
        """End the calls that run; their clients are told."""
        for scope in tuple(self._running):
            scope.cancel()

    async def _serve(self, api: Api, exchange: Exchange) -> None:
        exchange.asked = api.read(await read_object(exchange.receive, exchange.headers))
        if self.stopping:
            raise _stopping()
        if self.tally.in_flight >= self._most:
            raise ApiError(
                429,
                f"{self._most} calls run or wait already; ask again in a moment",
                type="requests",
                code="rate_limit_exceeded",
                headers={"retry-after": "2"},
            )
        call = _Call(api, exchange, self._answering)
        with self.tally.flight():
            self._running.add(call.scope)
            try:
                await call.run()
            finally:
                self._running.discard(call.scope)
        if call.reply is not None:
            self._watch.saw(call.reply)
        if isinstance(call.failure, AccountError):
            self._watch.problem = call.failure.message
        await call.settle()


class _Call:
    """One call, ended early where its client leaves or its scope is cancelled."""

    def __init__(self, api: Api, exchange: Exchange, answering: Answering) -> None:
        self.scope = CancelScope()
        self.reply: Reply[Any] | None = None
        self.failure: Exception | None = None
        self._api = api
        self._exchange = exchange
        self._answering = answering
        self._writer: ReplyWriter | None = None
        self._gone = False

    async def run(self) -> None:
        """Ask, and answer. What goes wrong is kept as `failure`."""
        with self.scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follow)
                try:
                    await self._answer()
                except Exception as error:  # noqa: BLE001 - no group shall wrap it
                    self.failure = error
                tasks.cancel_scope.cancel()

    async def settle(self) -> None:
        """Tell the client what went wrong, if anything did and it is still there.

        Raises:
            Exception: What went wrong, where the answer has not begun.
        """
        exchange = self._exchange
        if self._gone:
            raise ClientGone
        failure = self.failure
        if failure is None and not exchange.complete:
            failure = _stopping()
        if failure is None:
            return
        if self._writer is None or not exchange.begun or isinstance(failure, ClientGone):
            raise failure
        refusal = as_refusal(failure)
        exchange.failed(refusal)
        await self._writer.fail(refusal)
        await exchange.end()

    async def _answer(self) -> None:
        exchange = self._exchange
        assert exchange.asked is not None
        asked = exchange.asked = await self._answering.resolve(exchange.asked)
        about = About(exchange.id, int(exchange.at))
        if not asked.stream:
            self.reply = reply = await self._answering.answer(asked, label=self._api.label)
            exchange.replied(reply)
            await exchange.answer_json(self._api.written(asked, reply, about))
            return
        self._writer = writer = self._api.stream(asked, about, exchange.write)
        self.reply = reply = await self._answering.answer(asked, label=self._api.label, tell=writer.tell)
        exchange.replied(reply)
        await writer.end(reply)
        await exchange.end()

    async def _follow(self) -> None:
        """Wait until the client leaves."""
        exchange = self._exchange
        while (await exchange.receive())["type"] != "http.disconnect":
            pass
        if not exchange.complete:
            self._gone = True
            self.scope.cancel()


def _stopping() -> ApiError:
    return ApiError(
        503, "the endpoint is ending", type="server_error", code="stopping", headers={"x-should-retry": "false"}
    )
