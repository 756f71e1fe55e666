"""A typed conversation with one app-server.

Each part is imported when it is asked for: a hook that starts an app-server by itself needs but a few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codex_oauth.session.request import Thread, TurnRequest, TurnResult, ignore
    from codex_oauth.session.server import Server, TokenSource
    from codex_oauth.session.session import Session, open_session

__all__ = (
    "Server",
    "Session",
    "Thread",
    "TokenSource",
    "TurnRequest",
    "TurnResult",
    "ignore",
    "open_session",
)

_SOURCES: Final = {
    "codex_oauth.session.request": (
        "Thread",
        "TurnRequest",
        "TurnResult",
        "ignore",
    ),
    "codex_oauth.session.server": (
        "Server",
        "TokenSource",
    ),
    "codex_oauth.session.session": (
        "Session",
        "open_session",
    ),
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    for module, names in _SOURCES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
