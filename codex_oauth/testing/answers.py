"""What is answered, as the users of the stand-in decide it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .backend import Backend, Responder
from .inference import Inference
from .replies import RateLimits
from .script import Answer, Script

__all__ = ["Answers"]


class Answers:
    """The replies of the model, and what stands beside them."""

    def __init__(self, script: Script, inference: Inference, backend: Backend) -> None:
        self._script = script
        self._inference = inference
        self._backend = backend

    @property
    def default(self) -> Answer:
        """The reply when nothing is queued: a value of the requested schema, or else an echo, until it is set."""
        return self._script.default

    @default.setter
    def default(self, answer: Answer) -> None:
        self._script.default = answer

    @property
    def pending(self) -> int:
        """How many queued replies were not asked for yet."""
        return len(self._script)

    def script(self, *replies: Answer) -> None:
        """Queues replies: each model request takes one, a prewarm takes none.

        A callable is given the request and returns the reply. It runs in the stand-in's thread and must not block;
        what it raises is kept in `errors`. A client that retries takes the next reply for each attempt.
        """
        self._script.add(*replies)

    def respond(self, path: str, responder: Responder | None) -> None:
        """Answers every request for `path` with `responder` instead of the stand-in's own answer.

        A callable is given the request, so that it may tell methods apart, and returns None to leave a request to the
        stand-in. `HANG` and `DROP` give no answer at all. None in place of a responder takes an override back.
        """
        if responder is None:
            self._backend.overrides.pop(path, None)
        else:
            self._backend.overrides[path] = responder

    @property
    def websocket(self) -> bool:
        """Whether new WebSocket upgrades are accepted; otherwise they are answered with 426."""
        return self._inference.websocket

    @websocket.setter
    def websocket(self, accepted: bool) -> None:
        self._inference.websocket = accepted

    @property
    def latency(self) -> float:
        """Seconds before every model answer."""
        return self._inference.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._inference.latency = seconds

    @property
    def rate_limits(self) -> RateLimits | None:
        """What is reported beside each model answer and on the usage page; None, the default, reports nothing."""
        return self._inference.rate_limits

    @rate_limits.setter
    def rate_limits(self, limits: RateLimits | None) -> None:
        self._inference.rate_limits = limits

    @property
    def models(self) -> list[Mapping[str, Any]]:
        """The entries of `GET /backend-api/codex/models`, none at first. Only asked for without a pinned catalogue."""
        return self._backend.models

    @models.setter
    def models(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._backend.models = list(entries)
