"""Units that have the system's own supervisor run the service."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ("launchd_plist", "systemd_unit")

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def systemd_unit(command: Sequence[str], variables: Mapping[str, str]) -> str:
    """A user unit, for `~/.config/systemd/user/codex-oauth.service`.

    Args:
        command: What it runs.
        variables: What it runs with, besides the supervisor's own.

    Raises:
        ValueError: A value has a line break, which a unit cannot hold.
    """
    environment = "".join(f"Environment={_systemd_word(f'{name}={value}')}\n" for name, value in variables.items())
    words = " ".join(_systemd_word(word.replace("$", "$$")) for word in command)
    return f"""[Unit]
Description=codex-oauth: the warm service of the permission gate

[Service]
ExecStart={words}
{environment}Restart=on-failure
RestartSec=5
TimeoutStopSec=60

[Install]
WantedBy=default.target
"""


def launchd_plist(command: Sequence[str], variables: Mapping[str, str]) -> str:
    """A launch agent, for `~/Library/LaunchAgents/io.codex-oauth.service.plist`. Takes what `systemd_unit` takes."""
    import plistlib

    agent = {
        "Label": "io.codex-oauth.service",
        "ProgramArguments": list(command),
        "EnvironmentVariables": dict(variables),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Interactive",
        "ExitTimeOut": 60,
    }
    return plistlib.dumps(agent, sort_keys=False).decode("utf-8")


def _systemd_word(word: str) -> str:
    if any(character in word for character in "\n\r\0"):
        raise ValueError("a line break cannot be written into a unit")
    word = word.replace("%", "%%")
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
