"""What is left of the plan: `account/rateLimits/read` as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_oauth.types import Credits, Limits, LimitWindow

if TYPE_CHECKING:
    from codex_oauth.protocol import GetAccountRateLimitsResponse, RateLimitSnapshot

__all__ = ("limits_of",)


def limits_of(answer: GetAccountRateLimitsResponse) -> Limits:
    """The limits in an answer: the account's own first, then those of single models, where there are some."""
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
