"""A throw-away certificate authority, made once per process."""

from __future__ import annotations

import functools
import ssl
import threading
from typing import Final, NamedTuple

import trustme

__all__ = ["HOSTS", "Certificates", "certificates"]

HOSTS: Final = ("chatgpt.com", "auth.openai.com")
"""The names the stand-in answers for; a connection to any other is refused."""


class Certificates(NamedTuple):
    """What a server of `HOSTS` and its clients need.

    Attributes:
        authority: The authority's certificate as PEM; its key never leaves the process.
        server: The server's side of TLS.
    """

    authority: bytes
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
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # pyOpenSSL, the other thing that could be configured here, need not be installed and then has no type.
    authority.issue_cert(*HOSTS).configure_cert(server)  # pyright: ignore[reportUnknownMemberType]
    return Certificates(authority.cert_pem.bytes(), server)
