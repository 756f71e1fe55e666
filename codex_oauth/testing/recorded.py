"""What happened, as the users of the stand-in see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from .messages import ModelRequest, Request
from .recording import Recording

__all__ = ["Recorded"]


class Recorded:
    """The reading side of a recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every HTTP request of all hosts, WebSocket upgrades among them."""
        return self._recording.requests

    @property
    def model_requests(self) -> tuple[ModelRequest, ...]:
        """Every request for a model's answer, over either transport, without the prewarms."""
        return tuple(request for request in self._recording.model_requests if not request.prewarm)

    @property
    def prewarms(self) -> tuple[ModelRequest, ...]:
        """The frames that only prepare a WebSocket for a later request."""
        return tuple(request for request in self._recording.model_requests if request.prewarm)

    @property
    def refresh_requests(self) -> tuple[Request, ...]:
        """Every request for new tokens in exchange for a refresh token, whatever came of it."""
        return tuple(request for request in self._recording.requests if _is_refresh(request))

    @property
    def refresh_outcomes(self) -> Counter[str]:
        """How refreshes ended: `granted`, or the service's code for why not, e.g. `refresh_token_reused`.

        Counted when it is decided, which a `refresh_delay` does not defer. What `respond` answers is not among them.
        """
        return self._recording.refreshes

    @property
    def connections(self) -> Counter[str]:
        """Connections asked of the proxy by host, allowed and refused alike."""
        return self._recording.connections

    @property
    def refused(self) -> Counter[str]:
        """Connections to hosts the stand-in does not answer for."""
        return self._recording.refused

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What scripted callables raised; leaving the context manager raises the first of them."""
        return self._recording.errors

    @property
    def answering(self) -> int:
        """How many model answers are under way.

        A hanging one counts until its client goes, and a finished one for a moment after its client has the end of it.
        """
        return self._recording.answering

    @property
    def peak_answering(self) -> int:
        """The most model answers that were under way at once."""
        return self._recording.peak_answering

    def wait_until(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Blocks until `predicate` holds; it is tried after everything that is recorded.

        Raises:
            TimeoutError: It does not hold after `timeout` seconds.
        """
        if not self._recording.wait_until(predicate, timeout):
            raise TimeoutError(f"not so after {timeout:g} s; seen: {self._seen()}")

    def wait_for_requests(self, count: int, *, path: str | None = None, timeout: float = 10.0) -> tuple[Request, ...]:
        """Blocks until there are `count` requests, for this path if one is given, and returns them all.

        Raises:
            TimeoutError: There are fewer after `timeout` seconds.
        """

        def matching() -> tuple[Request, ...]:
            return tuple(request for request in self.requests if path in (None, request.path))

        self.wait_until(lambda: len(matching()) >= count, timeout)
        return matching()

    def wait_for_model_requests(self, count: int, *, timeout: float = 10.0) -> tuple[ModelRequest, ...]:
        """Blocks until there are `count` model requests, prewarms aside, and returns them all.

        Raises:
            TimeoutError: There are fewer after `timeout` seconds.
        """
        self.wait_until(lambda: len(self.model_requests) >= count, timeout)
        return self.model_requests

    def _seen(self) -> str:
        paths = Counter(f"{request.method} {request.host}{request.path}" for request in self.requests)
        return ", ".join(f"{count} x {path}" for path, count in paths.items()) or "no requests"


def _is_refresh(request: Request) -> bool:
    place = (request.host, request.method, request.path)
    return place == ("auth.openai.com", "POST", "/oauth/token") and request.fields.get("grant_type") == "refresh_token"
