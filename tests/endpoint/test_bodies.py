"""Bodies as they come: in pieces, too slowly, or not to the end."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest

from codex_oauth.endpoint.bodies import ClientGone, read_body, read_object
from codex_oauth.endpoint.refusals import ApiError

Message = MutableMapping[str, Any]


def piece(body: bytes, *, more: bool = True) -> Message:
    """A piece of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def read(*messages: Message, headers: dict[bytes, bytes] | None = None, most: int = 10) -> bytes:
    """What is read of these, after which nothing comes."""
    coming = list(messages)

    async def receive() -> Message:
        if not coming:
            await anyio.sleep_forever()
        return coming.pop(0)

    async def run() -> bytes:
        return await read_body(receive, headers or {}, most=most, patience=0.05)

    return anyio.run(run)


def test_a_body_is_put_together() -> None:
    assert read(piece(b"abc", more=False)) == b"abc"
    assert read(piece(b"abc"), piece(b""), piece(b"def", more=False)) == b"abcdef"
    assert read(piece(b"0123456789", more=False)) == b"0123456789"


@pytest.mark.parametrize(
    ("messages", "headers"),
    [
        ([], {b"content-length": b"11"}),
        ([piece(b"0123456789a", more=False)], {}),
        ([piece(b"012345"), piece(b"678901")], {}),
        ([piece(b"012345"), piece(b"678901", more=False)], {}),
    ],
)
def test_one_that_is_too_large_is_refused_as_soon_as_that_is_known(
    messages: list[Message], headers: dict[bytes, bytes]
) -> None:
    with pytest.raises(ApiError) as caught:
        read(*messages, headers=headers)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", "NaN", "1" + "0" * 20, "-1" + "0" * 19, r'"\ud800"', r'{"\udc00": 1}']
)
def test_what_codex_could_not_read_is_refused_before_it_hangs_on_it(value: str) -> None:
    async def run() -> None:
        async def receive() -> Message:
            return piece(f'{{"a": [{value}]}}'.encode(), more=False)

        await read_object(receive, {b"content-type": b"application/json"})

    with pytest.raises(ApiError) as caught:
        anyio.run(run)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@pytest.mark.parametrize("messages", [[], [piece(b"abc")]])
def test_one_that_does_not_come_is_given_up(messages: list[Message]) -> None:
    with pytest.raises(ApiError) as caught:
        read(*messages)
    assert caught.value.status == 408


@pytest.mark.parametrize("messages", [[], [piece(b"abc")]])
def test_a_client_that_leaves_is_not_answered(messages: list[Message]) -> None:
    with pytest.raises(ClientGone):
        read(*messages, {"type": "http.disconnect"})
