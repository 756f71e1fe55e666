"""Who is let in: programs of this machine that know the token, and no page of the web in this user's browser.

A page elsewhere can have a browser send requests to 127.0.0.1. Its `Origin` betrays it; where a name of its own leads
to 127.0.0.1 (DNS rebinding), the `Host` does. No answer has a CORS header, so no such page could read one either.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from codex_oauth.endpoint.refusals import ApiError

__all__ = ("COOKIE", "Guard")

COOKIE: Final = "codex_oauth_page"
"""The cookie with which a browser shows the page. It opens nothing else."""

_NAMES: Final = ("127.0.0.1", "localhost")
_FORBIDDEN: Final = {"x-should-retry": "false"}


class Guard:
    """Looks at a request's headers.

    Args:
        token: The bearer token.
        port: The port that the endpoint listens on.
        token_command: The shell command that prints the token.
    """

    def __init__(self, token: str, port: int, token_command: str) -> None:
        self._token = token.encode()
        self._how = f"on its machine, `{token_command}` prints it"
        hosts = {f"{name}:{port}" for name in _NAMES}
        if port == 80:
            hosts.update(_NAMES)
        self._hosts = frozenset(host.encode() for host in hosts)
        self._origins = frozenset(f"http://{host}".encode() for host in hosts)
        self._session = hmac.digest(self._token, b"page", hashlib.sha256).hex()

    def check_place(self, headers: Mapping[bytes, bytes]) -> None:
        """Make sure that the request was meant for this endpoint, and that no other site sent it.

        Raises:
            ApiError: 421 for another host, 403 for another origin.
        """
        if headers.get(b"host", b"").lower() not in self._hosts:
            raise ApiError(421, "this endpoint answers to 127.0.0.1 and localhost, with its port", code="wrong_host")
        origin = headers.get(b"origin")
        if origin is not None and origin.lower() not in self._origins:
            raise ApiError(403, "requests from other sites are not answered", code="foreign_origin", headers=_FORBIDDEN)

    def check_token(self, headers: Mapping[bytes, bytes]) -> None:
        """Make sure that the request has the token.

        Raises:
            ApiError: 401.
        """
        given = headers.get(b"authorization")
        if given is None:
            raise _unauthorized(f"a token is needed: Authorization: Bearer TOKEN; {self._how}", "Bearer")
        scheme, _, token = given.partition(b" ")
        if scheme.lower() != b"bearer" or not self.knows(token.strip()):
            raise _unauthorized(f"the token is not this endpoint's; {self._how}", 'Bearer error="invalid_token"')

    def knows(self, token: bytes) -> bool:
        """Whether it is the token."""
        return secrets.compare_digest(token, self._token)

    def shown_to(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a browser has the page's cookie."""
        for pair in headers.get(b"cookie", b"").split(b";"):
            name, _, value = pair.strip().partition(b"=")
            if name == COOKIE.encode() and secrets.compare_digest(value, self._session.encode()):
                return True
        return False

    def cookie(self) -> str:
        """What gives a browser the cookie, for a month. It is not the token, and it ends with it."""
        return f"{COOKIE}={self._session}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"


def _unauthorized(message: str, challenge: str) -> ApiError:
    return ApiError(401, message, code="invalid_api_key", headers={"www-authenticate": challenge})
