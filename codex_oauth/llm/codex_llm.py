"""`ctx.llm` on a ChatGPT plan: `CodexLlm`, and `SyncCodexLlm`, which blocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias, cast

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import (
    CodexOAuthError,
    ConfigurationError,
    DeadlineExceededError,
    EmptyReplyError,
    ModelNotSupportedError,
    UnknownModelError,
)
from codex_oauth.llm.catalogue import UnknownModel, resolve_model
from codex_oauth.llm.context import DEFAULT_MAX_TOKENS, TIMEOUT
from codex_oauth.llm.failures import llm_error
from codex_oauth.sync_client import Codex
from codex_oauth.types import Model

__all__ = ("CodexLlm", "Log", "SyncCodexLlm", "log_to_logging")

Log: TypeAlias = Callable[[str, str, Mapping[str, object]], object]
"""Who is told what happens: a level (`debug`, `info` or `warn`), a message, and its fields. No value of a credential,
no prompt and no reply is among them."""


def log_to_logging(level: str, message: str, fields: Mapping[str, object]) -> None:
    """A `Log` on the standard library's logger `codex_oauth.llm`."""
    import logging

    number = {"debug": logging.DEBUG, "info": logging.INFO}.get(level, logging.WARNING)
    logging.getLogger("codex_oauth.llm").log(number, "%s %s", message, dict(fields))


class CodexLlm:
    """An `LlmContext` that a ChatGPT plan pays for.

    Each call has a thread of its own, which is gone afterwards. Used as it is, each call starts an app-server and ends
    it; inside `async with`, one serves all calls:

        async with CodexLlm(model="codex-latest") as llm:
            text = await llm.complete("Return ONLY compact JSON with this shape: …")

    Args:
        codex: What makes the calls; by default an `AsyncCodex` of its own. One that the caller has entered stays the
            caller's: use this object without `async with` then.
        model: An id of the catalogue or a persona's name for a model, such as `openai-codex/codex-latest`; see
            `resolve_model`. None for the configuration's, else the catalogue's default.
        unknown_model: `default` takes the default instead of a model that the catalogue does not have.
        effort: The reasoning effort; None for the configuration's, else the lowest that the model lists.
        timeout: Seconds for a call. (Asking for the catalogue has the client's own timeout besides.)
        log: Who is told of models that were chosen and calls that failed.

    Raises:
        LlmError: An argument is wrong.
    """

    def __init__(
        self,
        codex: AsyncCodex | None = None,
        *,
        model: str | None = None,
        unknown_model: UnknownModel = "error",
        effort: str | None = None,
        timeout: float = TIMEOUT,
        log: Log = log_to_logging,
    ) -> None:
        self._codex = codex if codex is not None else AsyncCodex()
        self._calls = _Calls(model, unknown_model, effort, timeout, log)

    async def __aenter__(self) -> Self:
        await self._codex.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._codex.__aexit__(kind, error, traceback)

    async def complete(self, prompt: str, max_tokens: int | None = None) -> str:
        """Ask once; see `LlmContext.complete`.

        Raises:
            LlmError: There is no text; its `__cause__` is what `AsyncCodex.complete` raises.
        """
        with self._calls.one(max_tokens) as call:
            model = self._calls.model or self._calls.choose(await self._codex.models(), self._codex.settings)
            reply = await self._codex.complete(prompt, **call(model))
            return _text_of(reply.text)


class SyncCodexLlm:
    """The same, blocking, from any number of threads; `codex` is a `Codex`.

    with SyncCodexLlm(model="codex-latest") as llm:
        text = llm.complete("Return ONLY compact JSON with this shape: …")
    """

    def __init__(
        self,
        codex: Codex | None = None,
        *,
        model: str | None = None,
        unknown_model: UnknownModel = "error",
        effort: str | None = None,
        timeout: float = TIMEOUT,
        log: Log = log_to_logging,
    ) -> None:
        """Takes what `CodexLlm` takes."""
        self._codex = codex if codex is not None else Codex()
        self._calls = _Calls(model, unknown_model, effort, timeout, log)

    def __enter__(self) -> Self:
        self._codex.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._codex.__exit__(kind, error, traceback)

    def complete(self, prompt: str, max_tokens: int | None = None) -> str:
        """Ask once; see `CodexLlm.complete`. Ctrl-C interrupts the turn."""
        with self._calls.one(max_tokens) as call:
            model = self._calls.model or self._calls.choose(self._codex.models(), self._codex.settings)
            reply = self._codex.complete(prompt, **call(model))
            return _text_of(reply.text)


@dataclass(slots=True)
class _Calls:
    """What both have in common. No settings among it: a copy of either must hold no secret."""

    wanted: str | None
    unknown: UnknownModel
    effort: str | None
    timeout: float
    log: Log
    model: str | None = None  # the id, once the catalogue was asked

    def __post_init__(self) -> None:
        # Callers without a type checker exist.
        if not isinstance(cast("object", self.timeout), int | float) or not 0 < self.timeout <= 86_400:
            raise llm_error(ConfigurationError("timeout is in seconds, more than 0 and at most 86400"))
        if self.wanted is not None and not isinstance(cast("object", self.wanted), str):
            raise llm_error(ConfigurationError("model= must be text; leave it out for the default"))

    @contextmanager
    def one(self, max_tokens: int | None) -> Generator[Callable[[str], dict[str, Any]]]:
        """Around one call: gives the arguments for the client, and raises what goes wrong as `LlmError`."""
        ends = time.monotonic() + self.timeout
        ceiling = DEFAULT_MAX_TOKENS if max_tokens is None else max_tokens

        def arguments(model: str) -> dict[str, Any]:
            left = ends - time.monotonic()
            if left <= 0:
                raise DeadlineExceededError(f"no answer within {self.timeout:g} s")
            return {
                "model": model,
                "effort": self.effort,
                "timeout": left,
                "max_output_tokens": ceiling,
                "label": "llm",
            }

        try:
            if type(cast("object", ceiling)) is not int or ceiling < 1:
                raise ConfigurationError("max_tokens must be a whole number of at least 1")
            yield arguments
        except CodexOAuthError as error:
            if isinstance(error, UnknownModelError | ModelNotSupportedError):
                # The catalogue may be another one next time: codex may have been updated.
                self.model = None
            failure = llm_error(error)
            self.log("warn", "ctx.llm call failed", {"code": failure.code, "error": failure.message})
            raise failure from error

    def choose(self, models: Sequence[Model], settings: Settings) -> str:
        """The model's id in the catalogue, which is kept."""
        wanted = self.wanted or settings.model
        model = resolve_model(models, wanted, preference=settings.model_preference, unknown=self.unknown)
        self.log("debug", "ctx.llm model chosen", {"wanted": wanted, "model": model.id})
        self.model = model.id
        return model.id


def _text_of(text: str) -> str:
    if not text:
        raise EmptyReplyError("the reply has no text")
    return text
