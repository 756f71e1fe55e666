"""The ingest endpoint of a tapes server, over the standard library's HTTP client."""

from __future__ import annotations

import ipaddress
import urllib.parse
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from http.client import HTTPConnection

__all__ = ("Answer", "Fate", "Ingest")

_PATH: Final = "/v1/ingest"
_LONGEST_ANSWER: Final = 64 * 1024


class Fate(Enum):
    """What becomes of a payload that was posted."""

    ACCEPTED = auto()
    """The server has it."""
    REFUSED = auto()
    """The server will never take it."""
    LATER = auto()
    """There is no server, or it cannot take it now."""
    ELSEWHERE = auto()
    """Something answers that is no ingest endpoint."""


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        fate: What becomes of the payload.
        status: The HTTP status; 0 where there was none.
        words: The body, or what went wrong. It may quote the payload.
    """

    fate: Fate
    status: int
    words: str


class Ingest:
    """Posts payloads to one server.

    Args:
        url: Its address, such as `http://127.0.0.1:8082`. Plain HTTP is for this machine only.
        timeout: Seconds that a connection, or a part of an answer, may take.

    Attributes:
        host: The host and its port, for messages.

    Raises:
        ConfigurationError: That is no such address.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._timeout = timeout
        try:
            parts = urllib.parse.urlsplit(url)
            self._port, name = parts.port, parts.hostname
        except ValueError:
            raise ConfigurationError("the tapes server's address is no URL") from None
        if parts.scheme not in ("http", "https") or not name:
            raise ConfigurationError("the tapes server's address must begin with http:// or https://, and name a host")
        if not all(0 < len(label) < 64 for label in name.removesuffix(".").split(".")):
            raise ConfigurationError("the tapes server's address names a host that cannot be")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigurationError("the tapes server's address is a host and a port, with at most a path")
        if parts.scheme == "http" and not _is_this_machine(name):
            raise ConfigurationError(
                f"the tapes server {name} is another machine: its address must begin with https://"
            )
        self._name = name
        self._secure = parts.scheme == "https"
        if not all("!" <= character <= "~" for character in parts.path):
            raise ConfigurationError("the path of the tapes server's address must be percent-encoded")
        self._path = parts.path.rstrip("/").removesuffix(_PATH) + _PATH
        self.host = name if self._port is None else f"{name}:{self._port}"

    @property
    def url(self) -> str:
        """What is posted to, in one form however it was written."""
        return f"{'https' if self._secure else 'http'}://{self.host}{self._path}"

    def post(self, payload: bytes) -> Answer:
        """Post one payload, and say what becomes of it."""
        from http.client import HTTPException

        connection = self._connection()
        try:
            connection.request("POST", self._path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            words = response.read(_LONGEST_ANSWER).decode("utf-8", "replace")
            return Answer(_fate(response.status), response.status, words)
        except (OSError, HTTPException, ValueError) as error:
            # A certificate that does not fit, too: it may be mended while payloads wait. A ValueError is a head's that
            # is none.
            return Answer(Fate.LATER, 0, str(error) or type(error).__name__)
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._secure else HTTPConnection
        return kind(self._name, self._port, timeout=self._timeout)


def _fate(status: int) -> Fate:
    if status == 202:
        return Fate.ACCEPTED
    if 400 <= status < 500:
        return Fate.REFUSED
    # A tapes server's read port answers 200, and stores nothing.
    return Fate.LATER if status >= 500 else Fate.ELSEWHERE


def _is_this_machine(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
