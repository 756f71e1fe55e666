"""The call up to its turn: nothing is imported here that can wait until the question is out of the way."""

from __future__ import annotations

import json
import os

from codex_oauth.session.opening import Connection, Late, NotBegun, open_turn
from codex_oauth.session.params import thread_start, turn_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from codex_oauth.config import Settings
    from codex_oauth.thin.child import Started
    from codex_oauth.thin.launch import Launch
    from codex_oauth.types import Reply

__all__ = ("ColdCall", "NotBegun", "thread_line")


def thread_line(params: Mapping[str, Any]) -> bytes:
    """The line that asks for a thread, as the greeting sends it."""
    return json.dumps({"id": 3, "method": "thread/start", "params": params}, separators=(",", ":")).encode() + b"\n"


class ColdCall:
    """One call on an app-server that was started and greeted already.

    Args:
        settings: What the launch record was made for.
        launch: The record.
        started: The app-server.
        ahead: The line that asked for a thread, as it was sent; empty for none.
        began: When the call began, by `time.perf_counter()`.
        spawned: When the app-server was started.

    Attributes:
        begun: Whether a turn was asked for.
        next_ahead: The line that the next call like this one asks for its thread with; None where it was this one's.
    """

    def __init__(
        self, settings: Settings, launch: Launch, started: Started, ahead: bytes, began: float, spawned: float
    ) -> None:
        self._settings = settings
        self._launch = launch
        self._started = started
        self._ahead = ahead
        self._began = began
        self._spawned = spawned
        self.begun = False
        self.next_ahead: bytes | None = None

    def complete(
        self,
        text: str,
        *,
        instructions: str,
        schema: Mapping[str, Any],
        parse: Callable[[str], Any],
        model: str | None,
        effort: str | None,
        timeout: float | None,
        meanwhile: Callable[[], None],
    ) -> Reply[Any]:
        """Ask once, and once more where the reply does not fit.

        Args:
            text: The input.
            instructions: What the model is told before it.
            schema: The strict schema of the reply.
            parse: Its value, or OutputValidationError.
            model: A model's id; None for the settings'.
            effort: A reasoning effort; None for the settings', or the model's lowest.
            timeout: Seconds since the call began; None for the settings'.
            meanwhile: What is done while the app-server starts.

        Raises:
            NotBegun: Something other than the usual happened before the turn was accepted.
            CodexOAuthError: As `AsyncCodex.complete`, from then on.
        """
        settings, launch = self._settings, self._launch
        wanted, effort = model or settings.model or "", effort or settings.effort
        seconds = timeout or settings.timeout
        connection = Connection(self._started, self._began + seconds)
        try:
            if wanted != launch.wanted or (effort is not None and effort not in launch.efforts):
                raise NotBegun("the launch record is for another model")
            if settings.external is not None or not self._is_named_binary():
                raise NotBegun("the launch record is for another call")
            effort = effort or (launch.efforts[0] if launch.efforts else None)
            thread = thread_start(cwd=launch.cwd, instructions=instructions, model=launch.model, effort=effort)
            turn = turn_start(thread="", text=text, effort=effort, schema=schema)
            ahead = self._sent_ahead()
            opened = open_turn(connection, thread=thread, ahead=ahead, turn=turn, meanwhile=meanwhile)
            self.begun = True
            if thread != ahead:
                self.next_ahead = thread_line(thread)
            from codex_oauth.cold.turn import followed

            return followed(
                opened,
                text=text,
                instructions=instructions,
                schema=schema,
                parse=parse,
                effort=effort,
                seconds=seconds,
                began=self._began,
                spawned=self._spawned,
                home=settings.home,
                sign_in=self._sign_in,
                fell_back=self._fell_back,
            )
        except Late:
            from codex_oauth.lateness import Lateness

            raise Lateness().error(seconds) from None
        finally:
            connection.close()

    def _sent_ahead(self) -> Mapping[str, Any] | None:
        if not self._ahead:
            return None
        try:
            return json.loads(self._ahead)["params"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise NotBegun("what asked for a thread is no request") from error

    def _is_named_binary(self) -> bool:
        named = self._settings.codex_bin
        return named is None or os.path.realpath(named) == self._launch.argv[0]

    def _fell_back(self) -> None:
        from codex_oauth.home.network import Network

        Network(self._settings).note()

    def _sign_in(self) -> str:
        from pathlib import Path

        from codex_oauth.account import sign_in_command

        return sign_in_command(self._settings, Path(self._launch.argv[0]))
