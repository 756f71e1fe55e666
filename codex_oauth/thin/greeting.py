"""The first lines to an app-server: they are the same for every call, and are there before it can read them."""

from __future__ import annotations

import os

from codex_oauth.thin.child import Started
from codex_oauth.thin.place import read_own
from codex_oauth.version import __version__

__all__ = ("CLIENT_NAME", "SILENCED", "greet", "thread_path")

CLIENT_NAME = "codex_oauth"
"""It becomes the `originator` header: our own name, never that of a first-party client."""

SILENCED = (
    "remoteControl/status/changed",
    "mcpServer/startupStatus/updated",
    "thread/started",
    "thread/settings/updated",
    "thread/status/changed",
)
"""Notifications that nothing here reads."""

_LONGEST = 48 * 1024
"""Bytes that a pipe takes at once as a rule, before anybody reads it: 64 KB, less what goes before."""

_SILENCED = ",".join(f'"{name}"' for name in SILENCED)
_HELLO = (
    f'{{"id":1,"method":"initialize","params":{{"clientInfo":{{"name":"{CLIENT_NAME}","title":"codex_oauth",'
    f'"version":"{__version__}"}},"capabilities":{{"experimentalApi":true,"optOutNotificationMethods":[{_SILENCED}]}}}}}}\n'
    '{"method":"initialized"}\n{"id":2,"method":"account/read","params":{}}\n'
)


def thread_path(launch: str, host: str = "codex") -> str:
    """The file, beside a launch record, with the line that asks for the thread of a call like the last one of a host:
    each has rules of its own."""
    return f"{launch}.thread-{host}"


def greet(started: Started, launch: str, host: str = "codex") -> bytes:
    """Send the first lines, and ask for a thread like that of the last call: whoever knows better takes another one.

    Args:
        started: The app-server.
        launch: The launch record's path.
        host: Whose request it is.

    Returns:
        The line that asked for the thread; empty where none did.
    """
    ahead = read_own(thread_path(launch, host), _LONGEST) or b""
    if not ahead.endswith(b"\n") or ahead.count(b"\n") != 1:
        ahead = b""
    first = _HELLO.encode() + ahead
    try:
        # Who has many pipes gets small ones.
        started.unsent = first[os.write(started.stdin, first) :]
    except OSError:
        pass  # it has ended already, which the end of its output says too
    return ahead
