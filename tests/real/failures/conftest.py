"""What the tests of failures share: one event loop, and a way past the pauses with which codex repeats a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

from codex_oauth.testing import Failed, Reply

# The binary repeats many requests by itself, with growing pauses, first over a WebSocket and then over POST: 6 + 6
# requests and 13 s where the stream or the status is repeated, 36 requests and 31 s for a 5xx (measured with 0.163). A
# service may say how long to wait: the stand-in says 10 ms until the last repetition, and then fails as the test says.
_AGAIN_SOON: Final = Failed("rate_limit_exceeded", "Please try again in 0.01s.")
_PER_TRANSPORT: Final = 6


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: what differs between the two is tested where it costs less."""
    return "asyncio"


@pytest.fixture
def before_post(transport: str) -> Sequence[Reply]:
    """What the stand-in has to answer until codex has gone over to POST."""
    return [_AGAIN_SOON] * (_PER_TRANSPORT if transport == "websocket" else 0)


@pytest.fixture
def before_last(before_post: Sequence[Reply]) -> Sequence[Reply]:
    """What the stand-in has to answer until codex tries for the last time."""
    return [*before_post, *[_AGAIN_SOON] * (_PER_TRANSPORT - 1)]
