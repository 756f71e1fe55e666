"""The pytest fixture `chatgpt`. Enable it with `pytest_plugins = ["codex_oauth.testing.pytest_plugin"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .loopback import LoopbackChatGPT


@pytest.fixture
def chatgpt() -> Iterator[LoopbackChatGPT]:
    """A stand-in of its own for each test; an exception in a scripted callable fails the test."""
    with LoopbackChatGPT() as stand_in:
        yield stand_in
