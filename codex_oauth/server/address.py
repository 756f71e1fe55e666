"""Which service a call belongs to, and where that listens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

from codex_oauth.config import Settings, environment
from codex_oauth.errors import ConfigurationError
from codex_oauth.redaction import redact
from codex_oauth.server.listening import check_platform
from codex_oauth.thin.key import key_of
from codex_oauth.thin.place import socket_path

__all__ = ("Address", "address_of", "deciding_variables")


_PATHS: Final = (
    *("CODEX_OAUTH_HOME", "CODEX_OAUTH_CONFIG", "CODEX_OAUTH_METRICS", "CODEX_OAUTH_RECORD", "CODEX_OAUTH_CODEX_BIN"),
    *("HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"),
)
_WORDS: Final = {"CODEX_OAUTH_METRICS": ("off",), "CODEX_OAUTH_RECORD": ("off", "on")}
# What is no path in a variable that names one.


class Address(NamedTuple):
    """A service's own.

    Attributes:
        key: What tells it from other accounts', homes' and users' services.
        socket: Where it listens.
    """

    key: str
    socket: str


def address_of(settings: Settings, options: Mapping[str, str]) -> Address:
    """The address of the service for this environment and these options.

    Args:
        settings: What both make.
        options: `--home`, `--profile` and `--codex-bin`, as far as they were given.

    Raises:
        ConfigurationError: There is no service on this system, or a variable leads elsewhere from each folder.
    """
    check_platform()
    for name in _PATHS:
        value = environment().get(name, "")
        if value and not value.startswith(("/", "~")) and value not in _WORDS.get(name, ()):
            raise ConfigurationError(f"{name} must be an absolute path, or begin with ~, for a service to be shared")
    key = key_of(environment(), options)
    return Address(key, socket_path(environment(), str(settings.state_dir), key))


def deciding_variables(options: Mapping[str, str]) -> dict[str, str]:
    """The variables of this environment that make this service another one than it would be without them.

    Raises:
        ConfigurationError: One holds a secret, which belongs in no file.
    """
    environ = dict(environment())
    key = key_of(environ, options)
    found: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        without = {other: text for other, text in environ.items() if other != name}
        # The supervisor has the person's own HOME.
        if key_of(without, options) == key or (name == "HOME" and value == os.path.expanduser("~")):
            continue
        if (value and name in ("CODEX_OAUTH_TOKEN", "CODEX_OAUTH_CREDENTIAL")) or redact(value).text != value:
            raise ConfigurationError(
                f"{name} holds a secret, which a unit would show to everybody who reads it: unset it, or have the "
                "service started on demand"
            )
        found[name] = value
    return found
