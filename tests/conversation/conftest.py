"""What the tests of conversations share."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["asyncio", pytest.param("trio", marks=pytest.mark.slow)])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """What differs between the two is tested by the layers below, where it costs less; here the second one is slow."""
    backend: str = request.param
    return backend
