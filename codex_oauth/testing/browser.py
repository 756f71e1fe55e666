"""What a person's browser does in a sign-in: opens the address, agrees, and follows it back to the waiting program."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from .certificates import HOSTS

__all__ = ["BrowserLoginError", "follow"]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_REDIRECTS: Final = 10
_CONSENT: Final = ("https", "/oauth/authorize")


class BrowserLoginError(Exception):
    """The browser's way ended on something other than a page that says so far so good."""


def follow(address: str, *, proxy_port: int, authority: bytes, error: str | None, timeout: float) -> str:
    """Opens `address` and follows its redirects; returns the last page's address.

    The stand-in's own hosts are reached through its proxy, and nothing else but this machine is reached at all. A page
    that asks for consent is given it. With `error` the redirect back to the program carries that error instead of a
    code, as when a person declines.

    Raises:
        ValueError: `address`, or a redirect, leads elsewhere.
        BrowserLoginError: A page answered with an error status, or there was no end to the redirects.
        OSError: The program is not listening.
    """
    asked = False
    for _ in range(_MOST_REDIRECTS):
        target = urlsplit(address)
        connection = _connection(target, proxy_port, authority, timeout)
        try:
            path = f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"
            connection.request("POST" if asked else "GET", path, b"decision=continue" if asked else None)
            response = connection.getresponse()
            body = response.read()
            asked = not asked and response.status == 200 and (target.scheme, target.path) == _CONSENT
            if asked:
                continue
            if response.status not in _REDIRECTS:
                return _landed(address, response, body)
            address = urljoin(address, response.getheader("location", ""))
        finally:
            connection.close()
        if error is not None and target.scheme == "https":
            back = urlsplit(address)
            state = [part for part in back.query.split("&") if part.startswith("state=")]
            address = back._replace(query="&".join([urlencode({"error": error}), *state])).geturl()
    raise BrowserLoginError("too many redirects")


def _connection(target: SplitResult, proxy_port: int, authority: bytes, timeout: float) -> HTTPConnection:
    if target.scheme == "https" and target.hostname in HOSTS:
        context = ssl.create_default_context(cadata=authority.decode("ascii"))
        connection = HTTPSConnection("127.0.0.1", proxy_port, timeout=timeout, context=context)
        connection.set_tunnel(target.hostname, 443)
        return connection
    if target.scheme == "http" and target.hostname in _LOOPBACK:
        # The program listens on the IPv4 address, and `localhost` may be the other one.
        return HTTPConnection("127.0.0.1", target.port or 80, timeout=timeout)
    raise ValueError(f"a sign-in leads to this machine only, not to {target.scheme}://{target.netloc}")


def _landed(address: str, response: HTTPResponse, body: bytes) -> str:
    if response.status >= 400:
        text = body.decode("utf-8", "replace")[:200]
        raise BrowserLoginError(f"{urlsplit(address).path} answered {response.status}: {text}")
    return address
