"""The pytest fixtures `chatgpt` and `replayed_chatgpt`.

Enable them with `pytest_plugins = ["codex_oauth.testing.pytest_plugin"]`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .loopback import LoopbackChatGPT
from .replay import Replay

_MARKER = "recorded(path, strict=True): the recording that the fixture `replayed_chatgpt` plays back"


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def chatgpt() -> Iterator[LoopbackChatGPT]:
    """A stand-in of its own for each test; an exception in a scripted callable fails the test."""
    with LoopbackChatGPT() as stand_in:
        yield stand_in


@pytest.fixture
def replayed_chatgpt(request: pytest.FixtureRequest) -> Iterator[Replay]:
    """A stand-in that plays back the recording which the test's marker `recorded` names; the path is from the test's
    own folder. What the marker has by name is for `Replay`. A request that was not recorded fails the test."""
    marker = request.node.get_closest_marker("recorded")
    if marker is None or len(marker.args) != 1:
        raise pytest.UsageError(
            f'{request.node.nodeid}: replayed_chatgpt needs @pytest.mark.recorded("recorded.jsonl")'
        )
    with Replay(request.path.parent / marker.args[0], **marker.kwargs) as stand_in:
        yield stand_in
