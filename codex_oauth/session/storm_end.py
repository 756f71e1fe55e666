"""Ending an app-server that refreshes for ever, with the token that it got last."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from codex_oauth.session.storm import state_of

if TYPE_CHECKING:
    from codex_oauth.process import Child

__all__ = ("end_storm",)

_ENDS_BY_ITSELF: Final = 0.2
"""Seconds after the end of its stdin in which an app-server ends that loops in a turn; 20 to 40 ms were measured."""

_JUST_NOW: Final = 0.006
"""Seconds after a token was stored in which the next refresh has not begun: codex asks for the settings three times
first, on a connection each. A file's time may be a clock tick of 4 ms old."""

_LONGEST: Final = 3.0
_POLL: Final = 0.001


async def end_storm(child: Child, file: Path | None) -> None:
    """End an app-server that refreshes for ever, without losing the token that it got last.

    In a turn, the end of its stdin is enough. One that loops while it makes a thread ready finishes that first, which
    is never, and neither the end of stdin nor SIGTERM stops it. It is killed just after it has stored a token. Where no
    such moment is found, it is left to whoever stops it otherwise.
    """
    child.close_stdin()
    if await child.gone_within(_ENDS_BY_ITSELF) or file is None:
        return
    last = state_of(file)
    with anyio.move_on_after(_LONGEST):
        while child.returncode is None:
            await anyio.sleep(_POLL)
            now = state_of(file)
            if now != last and now is not None and _is_whole(file) and time.time() - now[1] / 1e9 < _JUST_NOW:
                child.kill()
                return
            last = now


def _is_whole(file: Path) -> bool:
    # 0.163 empties it and writes it anew.
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False
