"""An endpoint for a module, and the programs of the clients that are pointed to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.clients.asking import Program, program
from tests.clients.environments import interpreter
from tests.clients.serving import Served, serving


@pytest.fixture(scope="module")
def served(prepared_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An endpoint that serves."""
    with serving(prepared_state, tmp_path_factory.mktemp("endpoint")) as running:
        yield running


@pytest.fixture
def chatgpt(served: Served) -> LoopbackChatGPT:
    """What the endpoint thinks is ChatGPT: it has been asked nothing yet, and has no script."""
    served.chatgpt.reset()
    return served.chatgpt


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest) -> Iterator[Program]:
    """The program of the client that the test names (indirectly)."""
    # Where it is not there, nothing has to be started.
    found = interpreter(request.param)
    served: Served = request.getfixturevalue("served")
    with program(found.scenarios(), served.environment, found.folder) as running:
        yield running
