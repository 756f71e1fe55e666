"""What runs while the gate's model is asked, and what of it is left afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.hosts.real.host_process import MARK, HostProcess, marked
from tests.hosts.real.mcp_server import MCP_SERVER
from tests.hosts.real.processes import Process, processes
from tests.scripted import eventually

__all__ = ("Watch",)


class Watch:
    """Looks at the processes of a gate, when it is called.

    Args:
        home: The managed home that the gate's app-server runs on.
        host: The host that started the hook.
    """

    def __init__(self, home: Path, host: HostProcess) -> None:
        self._home = str(home)
        self._host = host
        self.hooks: list[Process] = []
        self.app_servers: list[Process] = []

    def __call__(self) -> None:
        """Look, while both are there."""
        self.hooks += [process for process in marked(self._host.mark) if _is_hook(process)]
        self.app_servers += [process for process in processes() if process.environ.get("CODEX_HOME") == self._home]

    def assert_that_keys_stay_with_the_hook(self, secrets: Mapping[str, str]) -> None:
        """The host has handed all of them to the hook, and the hook none to its app-server."""
        assert self.hooks
        assert all(secrets.items() <= hook.environ.items() for hook in self.hooks)
        assert self.app_servers
        for app_server in self.app_servers:
            assert not set(secrets) & set(app_server.environ)
            assert not any(secret in value for secret in secrets.values() for value in app_server.environ.values())

    def nothing_left(self) -> bool:
        """Whether all that the hooks have started ends in time, the host being still there."""
        # A watchdog is given the process group that it watches, and nothing of the environment.
        watchdogs = tuple(f"codex-oauth-watchdog {process.pid} " for process in self.app_servers)

        def is_left(process: Process) -> bool:
            return (
                process.environ.get("CODEX_HOME") == self._home
                or any(watchdog in f"{process.command} " for watchdog in watchdogs)
                or (process.environ.get(MARK) == self._host.mark and not self._is_of_host(process))
            )

        return eventually(lambda: not any(map(is_left, processes())), 10)

    def _is_of_host(self, process: Process) -> bool:
        return process.pid == self._host.pid or MCP_SERVER.name in process.command


def _is_hook(process: Process) -> bool:
    return any(f"{program} hook" in process.command for program in ("main()", "codex_oauth", "codex-oauth"))
