"""What the tests of `ctx.llm` share: one event loop, who hands out tokens, and what was told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.real.account.vault import Vault


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: what differs between the two is tested by the layers below."""
    return "asyncio"


@pytest.fixture
def vault(chatgpt: LoopbackChatGPT, tmp_path: Path) -> Vault:
    """Who signs in for a fleet, and hands out tokens."""
    return Vault(chatgpt, tmp_path)


class Told:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Mapping[str, object]]] = []

    def __call__(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        self.lines.append((level, message, fields))

    def of(self, level: str) -> list[Mapping[str, object]]:
        """The fields of what was told at this level."""
        return [fields for at, _, fields in self.lines if at == level]


@pytest.fixture
def told() -> Told:
    """What the log was told."""
    return Told()
