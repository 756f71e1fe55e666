"""What the endpoint knows of the account, the plan and its limits, for the page and for `/metrics`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import anyio

from codex_oauth.endpoint.standing import Standing
from codex_oauth.errors import AccountError, CodexOAuthError
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.client import AsyncCodex
    from codex_oauth.types import Account, Limits, Reply

__all__ = ("Watch",)

_FRESH: Final = 60.0
_PATIENCE: Final = 4.0
# Seconds for which the limits are as good as new, and that a page waits for newer ones.


class Watch:
    """The account as it was last seen.

    Args:
        codex: Who is asked.

    Attributes:
        account: Who pays; None while it is not known.
        codex_version: The app-server's; None while it is not known.
        problem: Why nobody would pay, in words; None where somebody would.
        limits: What the plan has left, as it was last seen.
        limits_at: When that was, in seconds since 1970.
    """

    def __init__(self, codex: AsyncCodex) -> None:
        self._codex = codex
        self.account: Account | None = None
        self.codex_version: str | None = None
        self.problem: str | None = None
        self.limits: Limits | None = None
        self.limits_at: float | None = None
        self._tried = -_FRESH

    async def begin(self) -> None:
        """Have the app-server started, and find out who pays.

        Raises:
            CodexOAuthError: Nobody, or no codex; an `AccountError` is kept as the `problem`, too.
        """
        try:
            self.account = await self._codex.account()
        except AccountError as error:
            self.problem = error.message
            raise

    def saw(self, reply: Reply[Any]) -> None:
        """Learn from a reply."""
        self.account, self.problem = reply.account, None
        self.codex_version = reply.codex_version or self.codex_version

    async def look(self) -> None:
        """Have the limits asked for, unless that was done a moment ago. Where there is no answer, the old ones stay."""
        if anyio.current_time() - self._tried < _FRESH:
            return
        if self.account is not None and self.account.kind != "chatgpt":
            return  # an API key has no plan
        self._tried = anyio.current_time()
        with anyio.move_on_after(_PATIENCE):
            try:
                self.limits = await self._codex.limits()
                self.limits_at = time.time()
                self.problem = None
            except AccountError as error:
                self.problem = error.message
            except CodexOAuthError:
                pass

    def standing(self, *, base_url: str, token_command: str, model: str | None, stopping: bool) -> Standing:
        """All of it, for the page."""
        return Standing(
            version=__version__,
            base_url=base_url,
            token_command=token_command,
            codex_version=self.codex_version,
            model=model,
            account=self.account,
            problem=self.problem,
            limits=self.limits,
            limits_at=self.limits_at,
            stopping=stopping,
        )
