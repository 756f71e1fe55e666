"""What the tests of the command line share."""

from __future__ import annotations

import pytest


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The environment of a user, without Python's development mode: its remarks on slow steps are no output of ours."""
    return {name: value for name, value in environ.items() if name != "PYTHONDEVMODE"}
