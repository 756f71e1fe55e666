"""What is said of a call whose time was up: how far it came, and whether there was a network at all."""

from __future__ import annotations

from codex_oauth.errors import CodexOAuthError, DeadlineExceededError, NetworkUnavailableError
from codex_oauth.events import Event, PhaseReached, ServerRetrying, TextDelta

__all__ = ("Lateness",)

_NO_ANSWER_AT_ALL = frozenset({"responseStreamDisconnected", "responseStreamConnectionFailed", "httpConnectionFailed"})


class Lateness:
    """Watches a call for the case that it comes to nothing in time."""

    def __init__(self) -> None:
        self._phase: str | None = None
        self._offline = False
        self._status: int | None = None

    def observe(self, event: Event) -> None:
        """Take in what happened."""
        if isinstance(event, PhaseReached):
            if event.phase != "completed":  # of a turn that was broken off, or is to be repaired
                self._phase = event.phase
        elif isinstance(event, ServerRetrying):
            self._status = event.http_status
            self._offline = event.http_status is None and event.codex_error_info in _NO_ANSWER_AT_ALL
        elif isinstance(event, TextDelta):
            self._offline, self._status = False, None

    def error(self, seconds: float) -> CodexOAuthError:
        """The error for a call that had so many seconds."""
        if self._offline:
            return NetworkUnavailableError(
                f"no network within {seconds:.3g} s: the app-server could not reach the service", phase=self._phase
            )
        reached = f"; the last thing reached was {self._phase!r}" if self._phase else ""
        trouble = f", and the service last answered with status {self._status}" if self._status else ""
        return DeadlineExceededError(f"no reply within {seconds:.3g} s{reached}{trouble}", phase=self._phase)
