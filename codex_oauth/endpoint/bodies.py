"""A request's body: at most so long, within so many seconds, and one JSON object."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, NoReturn, TypeAlias

import anyio

from codex_oauth.endpoint.refusals import ApiError, bad_request
from codex_oauth.types import as_object

__all__ = ("MOST", "ClientGone", "Receive", "read_body", "read_object")

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

MOST: Final = 32 * 1024 * 1024
"""Bytes of a body."""

_PATIENCE: Final = 30.0
"""Seconds for a body to come. It comes from this machine."""

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class ClientGone(Exception):
    """The client has left; nobody is there to be answered."""


async def read_object(receive: Receive, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The JSON object that came with a request.

    Raises:
        ApiError: 400, 408, 413 or 415.
        ClientGone: It left before all of it had come.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise ApiError(415, "the body must be JSON, with Content-Type: application/json", code="unsupported_media_type")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ApiError(415, "a compressed body is not read here; send it as it is", code="unsupported_media_type")
    return _object(await read_body(receive, headers))


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], *, most: int = MOST, patience: float = _PATIENCE
) -> bytes:
    """The whole body.

    Args:
        receive: Brings its pieces.
        headers: The request's.
        most: Bytes that it may have.
        patience: Seconds for all of it to come.

    Raises:
        ApiError: 408 or 413.
        ClientGone: It left before all of it had come.
    """
    # h11 has made sure that it is a number.
    if int(headers.get(b"content-length", b"0")) > most:
        raise _too_large(most)
    whole = b""
    with anyio.move_on_after(patience):
        message = await _next(receive)
        whole = message["body"]
        while message.get("more_body"):
            if len(whole) > most:  # without a content-length
                raise _too_large(most)
            message = await _next(receive)
            whole = bytearray(whole) if isinstance(whole, bytes) else whole
            whole += message["body"]
        if len(whole) > most:
            raise _too_large(most)
        return bytes(whole)
    raise ApiError(408, f"the body did not come within {patience:g} s", code="request_timeout")


async def _next(receive: Receive) -> MutableMapping[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def _object(body: bytes) -> dict[str, Any]:
    try:
        read: object = json.loads(
            body.decode("utf-8"), parse_constant=_constant, parse_float=_number, parse_int=_whole_number
        )
        if _SURROGATE.search(body):
            # Of what is UTF-8, only an escape can bring half a pair in.
            json.dumps(read, ensure_ascii=False).encode()
        value = as_object(read)
    except RecursionError:
        raise bad_request("the body is nested too deeply", code="invalid_json") from None
    except UnicodeEncodeError:
        raise bad_request("the body holds half a surrogate pair, which is no text", code="invalid_json") from None
    except UnicodeDecodeError:
        raise bad_request("the body is not UTF-8", code="invalid_json") from None
    except json.JSONDecodeError as error:
        # Its words are about the form, and quote nothing.
        raise bad_request(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}", code="invalid_json"
        ) from None
    except ValueError:
        raise bad_request("the body is not JSON: a number that is none, or too large", code="invalid_json") from None
    if value is None:
        raise bad_request("the body must be a JSON object", code="invalid_json")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError
    return number


def _whole_number(text: str) -> int:
    number = int(text)
    # codex reads no others, and does not answer a message that it cannot read.
    if not -(2**63) <= number < 2**64:
        raise ValueError
    return number


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"the body is larger than {most:,} bytes", code="request_too_large")
