"""The child process: found, described, started, ended.

Each part is imported when it is asked for: a hook that starts an app-server by itself needs but a few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codex_oauth.process.child import Child, spawn
    from codex_oauth.process.command import CommandSpec, app_server_command
    from codex_oauth.process.locate import MINIMUM_VERSION, Binary, find_binary
    from codex_oauth.process.watchdog import KILL_GRACE

__all__ = (
    "KILL_GRACE",
    "MINIMUM_VERSION",
    "Binary",
    "Child",
    "CommandSpec",
    "app_server_command",
    "find_binary",
    "spawn",
)

_SOURCES: Final = {
    "codex_oauth.process.child": (
        "Child",
        "spawn",
    ),
    "codex_oauth.process.command": (
        "CommandSpec",
        "app_server_command",
    ),
    "codex_oauth.process.locate": (
        "Binary",
        "MINIMUM_VERSION",
        "find_binary",
    ),
    "codex_oauth.process.watchdog": ("KILL_GRACE",),
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    for module, names in _SOURCES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
