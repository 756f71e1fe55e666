"""How the endpoint stands: what its page says besides what was counted."""

from __future__ import annotations

from dataclasses import dataclass

from codex_oauth.types import Account, Limits

__all__ = ("Standing",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The endpoint, the account and the plan, as they were last seen.

    Attributes:
        version: The package's.
        codex_version: The app-server's; None where it has not told yet.
        base_url: What a client is given, with `/v1`.
        token_command: The shell command that prints the bearer token. Never the token.
        model: The model that a call without a choice of its own gets; None where it is not known yet.
        account: Who pays; None where it is not known.
        problem: Why there is no account, and what to do, in a sentence or two; None where there is one.
        limits: The plan's limits as they were last seen; None where they were not.
        limits_at: When that was, in seconds since 1970.
        stopping: Whether the endpoint takes no more calls, and ends after those that run.
    """

    version: str
    base_url: str
    token_command: str
    codex_version: str | None = None
    model: str | None = None
    account: Account | None = None
    problem: str | None = None
    limits: Limits | None = None
    limits_at: float | None = None
    stopping: bool = False
