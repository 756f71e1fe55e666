"""A person, their service, and the hosts that they use: one of each for a module, and a host process for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.hosts.real.gate_model import GateModel
from tests.hosts.real.person import Person


@pytest.fixture(scope="module")
def service() -> Iterator[GateModel]:
    """The service, with a model for Codex and one for the gate."""
    with LoopbackChatGPT() as chatgpt:
        yield GateModel(chatgpt)


@pytest.fixture(scope="module")
def person(service: GateModel, prepared_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Somebody whose gate is signed in."""
    someone = Person(tmp_path_factory.mktemp("person"), prepared_state, service.chatgpt)
    yield someone
    someone.sign_out_gate()
