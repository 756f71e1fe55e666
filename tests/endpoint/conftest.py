"""What the tests of the endpoint share: one that serves, on the real binary, for a whole module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.config import Settings, load_settings
from codex_oauth.testing import LoopbackChatGPT
from tests.conftest import clean_environment
from tests.endpoint.served import Served


@pytest.fixture(scope="module")
def stand_in() -> Iterator[LoopbackChatGPT]:
    """The module's ChatGPT."""
    with LoopbackChatGPT() as chatgpt:
        yield chatgpt


@pytest.fixture(scope="module")
def module_settings(
    stand_in: LoopbackChatGPT, prepared_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings on a prepared home that is signed in with a plan."""
    environ = {
        **clean_environment(),
        **stand_in.environment,
        "XDG_STATE_HOME": str(prepared_state),
        "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config")),
        "CODEX_OAUTH_METRICS": str(tmp_path_factory.mktemp("metrics") / "metrics.jsonl"),
    }
    settings = load_settings(environ=environ)
    stand_in.sign_in(settings.home)
    yield settings
    (settings.home / "auth.json").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def served_module(
    module_settings: Settings, stand_in: LoopbackChatGPT, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The module's endpoint."""
    with Served(module_settings, stand_in, tmp_path_factory.mktemp("endpoint")) as served:
        yield served


@pytest.fixture
def served(served_module: Served) -> Iterator[Served]:
    """The module's endpoint, whose ChatGPT remembers nothing of the tests before."""
    chatgpt = served_module.chatgpt
    default = chatgpt.default
    chatgpt.reset()
    yield served_module
    chatgpt.wait_until(lambda: chatgpt.answering == 0)
    chatgpt.default, chatgpt.latency = default, 0.0
    assert chatgpt.errors == ()
