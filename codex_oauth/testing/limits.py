"""How much of the plan is used, in the three shapes the service tells it."""

from __future__ import annotations

import time
from typing import Any

from .replies import RateLimits

__all__ = ["limits_event", "limits_headers", "usage"]


def limits_headers(limits: RateLimits | None) -> dict[str, str]:
    """The headers beside a model's answer; none for a plan that reports nothing."""
    if limits is None:
        return {}
    now = time.time()
    headers = {
        "x-codex-primary-used-percent": str(limits.used_percent),
        "x-codex-primary-window-minutes": str(limits.window_minutes),
        "x-codex-primary-reset-at": str(int(now + limits.resets_in)),
    }
    if limits.weekly_used_percent is not None:
        headers |= {
            "x-codex-secondary-used-percent": str(limits.weekly_used_percent),
            "x-codex-secondary-window-minutes": str(limits.weekly_window_minutes),
            "x-codex-secondary-reset-at": str(int(now + limits.weekly_resets_in)),
        }
    return headers


def limits_event(limits: RateLimits) -> dict[str, Any]:
    """The message before a model's answer over a WebSocket."""
    now = time.time()
    windows: dict[str, Any] = {
        "primary": {
            "used_percent": limits.used_percent,
            "window_minutes": limits.window_minutes,
            "reset_at": int(now + limits.resets_in),
        },
        "secondary": None,
    }
    if limits.weekly_used_percent is not None:
        windows["secondary"] = {
            "used_percent": limits.weekly_used_percent,
            "window_minutes": limits.weekly_window_minutes,
            "reset_at": int(now + limits.weekly_resets_in),
        }
    return {"type": "codex.rate_limits", "rate_limits": windows}


def usage(plan: str, limits: RateLimits | None) -> dict[str, Any]:
    """The usage page of an account with this plan."""
    if limits is None:
        return {"plan_type": plan, "rate_limit": None, "credits": None}
    weekly = limits.weekly_used_percent
    full = max(limits.used_percent, weekly or 0.0) >= 100
    return {
        "plan_type": plan,
        "rate_limit": {
            "allowed": not full,
            "limit_reached": full,
            "primary_window": _window(limits.used_percent, limits.window_minutes, limits.resets_in),
            "secondary_window": None
            if weekly is None
            else _window(weekly, limits.weekly_window_minutes, limits.weekly_resets_in),
        },
        "credits": None,
    }


def _window(used_percent: float, minutes: int, resets_in: float) -> dict[str, Any]:
    return {
        "used_percent": round(used_percent),
        "limit_window_seconds": minutes * 60,
        "reset_after_seconds": int(resets_in),
        "reset_at": int(time.time() + resets_in),
    }
