"""A throw-away certificate authority, made once per process."""

from __future__ import annotations

import functools
import ssl
import threading
from typing import Final, NamedTuple

import trustme

__all__ = ["API_HOST", "HOSTS", "Certificates", "certificates"]

HOSTS: Final = ("chatgpt.com", "auth.openai.com")
"""The names every stand-in answers for."""

API_HOST: Final = "api.openai.com"
"""The name that only a stand-in with API keys answers for."""


class Certificates(NamedTuple):
    """What a server of these names and its clients need.

    Attributes:
        authority: The authority's certificate as PEM; its key never leaves the process.
        leaf: The server's own certificate as PEM, for a client that trusts a key instead of an authority.
        server: The server's side of TLS.
    """

    authority: bytes
    leaf: bytes
    server: ssl.SSLContext


_made = threading.Lock()


def certificates() -> Certificates:
    """The process's one authority: making the keys costs more than all the rest of a start."""
    # The cache alone would let two threads that start at once make two authorities, and serve one's certificate to
    # clients that trust the other.
    with _made:
        return _make()


@functools.cache
def _make() -> Certificates:
    authority = trustme.CA(organization_name="Loopback ChatGPT")
    leaf = authority.issue_cert(*HOSTS, API_HOST)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # pyOpenSSL, the other thing that could be configured here, need not be installed and then has no type.
    leaf.configure_cert(server)  # pyright: ignore[reportUnknownMemberType]
    return Certificates(authority.cert_pem.bytes(), leaf.cert_chain_pems[0].bytes(), server)
