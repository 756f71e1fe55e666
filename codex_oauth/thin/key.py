"""Who may share an app-server: calls for which everything that decides over one is the same."""

from __future__ import annotations

import os
import sys

from codex_oauth.thin.options import WHERE

try:
    from _blake2 import blake2b  # hashlib's import takes as long as everything here
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("NETWORK", "digest", "key_of")

NETWORK = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE"),
)
"""Variables that say how the service is reached, and whom to believe that it is the service."""

_PLACES = (
    *("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "TZ"),
    *("CODEX_ACCOUNT_ID", "CHATGPT_ACCOUNT_ID"),
)


def key_of(environ: Mapping[str, str], options: Mapping[str, str]) -> str:
    """32 hexadecimal digits that differ where anything differs that decides over a call: the variables that name
    places, accounts and the network, the options that name a home, this installation, and the user.

    PATH is not in it, since every shell has another one; a service compares the binary that it leads to.
    """
    named = [(name, environ.get(name)) for name in (*NETWORK, *_PLACES)]
    named += sorted((name, value) for name, value in environ.items() if name.startswith("CODEX_OAUTH_"))
    named += [(name, options.get(name)) for name in WHERE]
    named += [("", sys.prefix), ("", __file__), ("", str(os.getuid()) if hasattr(os, "getuid") else None)]
    text = "\0".join(f"{name}={value}" if value is not None else name for name, value in named)
    # It is the user's own environment, with tokens in it at times: one way, and short.
    return digest(os.fsencode(text))


def digest(content: bytes) -> str:
    """32 hexadecimal digits that stand for some content: BLAKE2b, which is there without the import of `hashlib`."""
    return blake2b(content, digest_size=16).hexdigest()
