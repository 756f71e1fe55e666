"""What an agent runtime's `ctx.llm` is: one method, from one string to one string."""

from __future__ import annotations

from typing import Final, Protocol

from codex_oauth.llm.failures import LlmError

__all__ = ("DEFAULT_MAX_TOKENS", "TIMEOUT", "UNAVAILABLE", "LlmContext", "SyncLlmContext", "UnavailableLlm")

DEFAULT_MAX_TOKENS: Final = 16_000
"""Tokens of text that a call may take where `max_tokens` is not given."""

TIMEOUT: Final = 120.0
"""Seconds for one call, everything included."""

UNAVAILABLE: Final = (
    "ctx.llm is unavailable: set persona.useSubscription:true and connect a provider, or pass a workforce-billed "
    "LlmContext to buildCtx."
)
"""What a call without any credential says, in the words that handlers of such runtimes know."""


_HERE: Final = "Here: codex-oauth login signs in with a ChatGPT plan."


class LlmContext(Protocol):
    """One prompt in, the final text out.

    Calls know nothing of each other, and may be made at once. An empty answer is an error.
    """

    async def complete(self, prompt: str, max_tokens: int | None = None) -> str:
        """Ask once.

        Args:
            prompt: What becomes the one user message. There are no instructions, no history and no tools.
            max_tokens: A ceiling: a longer answer is an error. None for 16,000.

        Raises:
            LlmError: There is no text. Its message begins with `ctx.llm`.
        """
        ...


class SyncLlmContext(Protocol):
    """The same, blocking; from any number of threads."""

    def complete(self, prompt: str, max_tokens: int | None = None) -> str:
        """Ask once; see `LlmContext.complete`."""
        ...


class UnavailableLlm:
    """An `LlmContext` for where there is no credential: each call says so."""

    async def complete(self, prompt: str, max_tokens: int | None = None) -> str:
        """Never asks anybody.

        Raises:
            LlmError: Always; its `code` is `unavailable`.
        """
        del prompt, max_tokens
        raise LlmError(f"{UNAVAILABLE} {_HERE}", code="unavailable", exit_status=3)
