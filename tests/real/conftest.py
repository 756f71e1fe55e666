"""What the tests on the real binary share: both transports, and what a call left in the metrics and in the sign-in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT


@pytest.fixture(params=["asyncio", pytest.param("trio", marks=pytest.mark.slow)])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """What differs between the two is tested by the layers below, where it costs less; here the second one is slow."""
    backend: str = request.param
    return backend


@pytest.fixture(params=["websocket", "sse"])
def transport(request: pytest.FixtureRequest, chatgpt: LoopbackChatGPT) -> str:
    """How the model's answer comes: once over a WebSocket, and once as the answer to a POST."""
    chatgpt.websocket = request.param == "websocket"
    return request.param


@pytest.fixture
def entries(settings: Settings) -> Callable[[], list[dict[str, Any]]]:
    """Reads the lines of the metrics."""

    def read() -> list[dict[str, Any]]:
        assert settings.metrics is not None
        return [json.loads(line) for line in settings.metrics.read_bytes().splitlines()]

    return read


@pytest.fixture
def tokens(settings: Settings) -> Callable[[], dict[str, str]]:
    """Reads the tokens of the sign-in."""

    def read() -> dict[str, str]:
        return json.loads((settings.home / "auth.json").read_bytes())["tokens"]

    return read
