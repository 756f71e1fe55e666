"""What the doctor finds: one thing, its state, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ("Check",)


@dataclass(frozen=True, slots=True)
class Check:
    """One finding, and the one thing that mends it.

    Attributes:
        name: What was looked at.
        state: How it stands.
        finding: What was found, in words.
        mend: The command that mends it, where there is one; else what to do.
        exit_status: What the doctor exits with if this is its first failure.
        details: What belongs to the finding, a line each.
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    finding: str
    mend: str | None = None
    exit_status: int = 0
    details: tuple[str, ...] = ()
