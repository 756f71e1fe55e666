"""A turn that was opened without an event loop, from then to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from codex_oauth.errors import ReauthenticationRequired, ServerCrashedError
from codex_oauth.events import Observer, PhaseReached
from codex_oauth.protocol import TURN_START, check
from codex_oauth.session.failures import RateLimits
from codex_oauth.session.opening import RATE_LIMITS, Connection, Ended, Late, NotBegun, Opened, params_of
from codex_oauth.session.params import FELL_BACK
from codex_oauth.session.progress import TurnProgress, turn_id, turn_params
from codex_oauth.session.request import Thread, TurnRequest, TurnResult
from codex_oauth.session.storm import RefreshStorm
from codex_oauth.types import Account, as_object

__all__ = ("OneShot",)

_INTERRUPT_PATIENCE: Final = 0.15
"""Seconds that a turn whose time is up is given to say that it has stopped; 3 to 6 ms were measured."""

_LAST_WORDS: Final = 0.2
"""Seconds to wait, once stdout has ended, for the exit status and the end of stderr."""


def _nobody() -> None:
    pass


class OneShot:
    """The turns of one call.

    Args:
        opened: The first turn, which has been asked for.
        auth_file: The home's sign-in.
        sign_in: Gives the command that signs in on its home, for an error's message.
        observer: Told what was reached before.
        fell_back: Called where the network refuses WebSockets, so that it is remembered.

    Attributes:
        account: Who pays.
        limits: The last rate-limit snapshot.
    """

    def __init__(
        self,
        opened: Opened,
        *,
        auth_file: Path,
        sign_in: Callable[[], str],
        observer: Observer,
        fell_back: Callable[[], None] = _nobody,
    ) -> None:
        self._connection: Connection = opened.connection
        self._sign_in = sign_in
        self._fell_back = fell_back
        self._number = opened.number
        self._thread = Thread(opened.thread, opened.model)
        self._storm = RefreshStorm(auth_file)
        self.limits = RateLimits()
        plan, email = opened.account.get("planType"), opened.account.get("email")
        self.account = Account(
            kind="chatgpt",
            plan=plan if isinstance(plan, str) else None,
            email=email if isinstance(email, str) else None,
        )
        at = opened.at
        observer(PhaseReached("initialize", at["initialize"], codex_version=opened.codex_version))
        observer(PhaseReached("account", at["account"], account=self.account))
        observer(PhaseReached("thread", at["thread"], model=opened.model))
        opened.connection.look = self._look

    @property
    def sign_in(self) -> str:
        """The command that signs in on its home."""
        return self._sign_in()

    def run(self, request: TurnRequest) -> TurnResult:
        """Follow the turn that has been asked for; where the request names a thread, ask for another one on it.

        Raises:
            NotBegun: It was refused before it was accepted.
            Late: The time is up.
            TurnError, ServerCrashedError, ProtocolError: As `run_turn`.
        """
        number = self._number
        if request.thread is not None:
            number = self._connection.send(TURN_START.name, turn_params(request.thread, request))
        turn = TurnProgress(self, request.thread or self._thread, request)
        try:
            self._follow(turn, number)
        except NotBegun:
            raise
        except BaseException:
            # A turn that nobody listens to goes on costing.
            with suppress(Late, Ended, NotBegun):
                if not turn.done:
                    self._interrupt(turn)
            raise
        try:
            return turn.result()
        except ReauthenticationRequired as error:
            # The service refused it at the door.
            raise NotBegun(error.code) from error

    def _follow(self, turn: TurnProgress, number: int) -> None:
        connection = self._connection
        try:
            answer = connection.response(number, turn.thread.id)
            if "error" in answer:
                raise NotBegun("the turn was refused")
            started: Any = answer.get("result")
            check(TURN_START.result, started, TURN_START.name)
            turn.id = started["turn"]["id"]
            while not turn.done:
                message = connection.next()
                params = params_of(message)
                if message.get("method") == RATE_LIMITS:
                    self._limited(params)
                elif message.get("method") == "warning" and str(params.get("message")).startswith(FELL_BACK):
                    self._fell_back()
                if params.get("threadId") == turn.thread.id:
                    turn.see(str(message.get("method")), params, time.perf_counter())
        except Ended:
            raise self._crashed() from None

    def _interrupt(self, turn: TurnProgress) -> None:
        connection = self._connection
        connection.until = time.perf_counter() + _INTERRUPT_PATIENCE
        while turn.id is None:
            turn.id = turn_id(params_of(connection.next()))
        connection.send("turn/interrupt", {"threadId": turn.thread.id, "turnId": turn.id})
        while True:
            message = connection.next()
            if turn.ended_by(str(message.get("method")), params_of(message)):
                return

    def _limited(self, params: Mapping[str, Any]) -> None:
        snapshot = as_object(params.get("rateLimits"))
        if snapshot is not None:
            self.limits = self.limits.updated(snapshot)

    def _look(self) -> None:
        if self._storm.look():
            raise NotBegun("the service refuses every token")

    def _crashed(self) -> ServerCrashedError:
        from codex_oauth.jsonrpc import crashed

        code = self._connection.last_words(_LAST_WORDS)
        return crashed(code, self._connection.stderr.decode("utf-8", "replace"))
