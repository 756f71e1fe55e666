"""The child process: found, described, started, ended."""

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
