"""The transport seam: messages as lines of JSON, whatever carries them."""

from __future__ import annotations

from typing import Protocol

__all__ = ("MAX_LINE", "Transport")

MAX_LINE = 64 * 1024 * 1024
"""Bytes that one message may have. The app-server echoes inputs and images, so 30 MB lines are legitimate; a line that
goes on for ever is not, and would otherwise be kept in memory until it fails."""


class Transport(Protocol):
    """Carries whole lines both ways. One task sends, one receives.

    The contract, which one test suite holds over every implementation: `receive` gives lines in the order they were
    sent and without their newline, then None at the end, for ever; `send` writes a line whole or raises;
    `close_sending` makes the other side see the end.
    """

    async def send(self, line: bytes) -> None:
        """Send one line, given without its newline.

        Raises:
            BrokenPipeError: The other side no longer reads.
        """
        ...

    async def receive(self) -> bytes | None:
        """The next line without its newline; None at the end.

        Raises:
            LineTooLongError: More than `MAX_LINE` bytes came without a newline.
        """
        ...

    def close_sending(self) -> None:
        """Nothing more will be sent."""
        ...
