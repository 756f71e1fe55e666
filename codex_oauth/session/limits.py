"""What is left of the plan: `account/rateLimits/read` as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_oauth.errors import WrongAccountError
from codex_oauth.jsonrpc import Dispatcher
from codex_oauth.protocol import ACCOUNT_RATE_LIMITS_READ
from codex_oauth.types import Account, Credits, Limits, LimitWindow

if TYPE_CHECKING:
    from codex_oauth.protocol import GetAccountRateLimitsResponse, RateLimitSnapshot

__all__ = ("read_limits",)


async def read_limits(dispatcher: Dispatcher, account: Account) -> Limits:
    """What the plan has left.

    Raises:
        WrongAccountError: An API key pays, which has no such limits.
        RpcError: The service did not say.
    """
    if account.kind != "chatgpt":
        raise WrongAccountError(
            "limits are those of a plan; this profile pays for each call with an API key", account=account.kind
        )
    return _limits(await dispatcher.request(ACCOUNT_RATE_LIMITS_READ, None))


def _limits(answer: GetAccountRateLimitsResponse) -> Limits:
    # The account's own first, then those of single models, where there are some.
    own = answer["rateLimits"]
    others = answer.get("rateLimitsByLimitId") or {}
    snapshots = [own, *(one for name, one in sorted(others.items()) if name != own.get("limitId"))]
    credit = own.get("credits")
    return Limits(
        plan=own.get("planType"),
        windows=tuple(window for snapshot in snapshots for window in _windows(snapshot)),
        credits=credit
        and Credits(has=credit["hasCredits"], unlimited=credit["unlimited"], balance=credit.get("balance")),
        reached=own.get("rateLimitReachedType"),
    )


def _windows(snapshot: RateLimitSnapshot) -> list[LimitWindow]:
    return [
        LimitWindow(
            name=snapshot.get("limitName") or snapshot.get("limitId") or "codex",
            used_percent=window["usedPercent"],
            minutes=window.get("windowDurationMins"),
            resets_at=window.get("resetsAt"),
        )
        for window in (snapshot.get("primary"), snapshot.get("secondary"))
        if window is not None
    ]
