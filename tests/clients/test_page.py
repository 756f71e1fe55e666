"""What docs/clients.md shows, done; and that it names the versions that are tested."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.testing import Items, LoopbackChatGPT, ModelRequest, Reply, fitting_value, function_call
from tests.clients.environments import NPM, interpreter
from tests.clients.seen import kinds, tools
from tests.clients.serving import Served

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```(py|js)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def obliging(chatgpt: LoopbackChatGPT) -> Iterator[None]:
    """A model that calls each tool once, and says something then."""
    plain = chatgpt.default
    assert callable(plain)

    def answer(request: ModelRequest) -> Reply:
        if not tools(request) or "function_call_output" in kinds(request):
            return plain(request)
        given = {name: fitting_value(schema) for name, schema in tools(request).items()}
        return Items([function_call(name, value, f"call_{name}") for name, value in given.items()])

    chatgpt.default = answer
    yield
    chatgpt.default = plain


@pytest.mark.parametrize(("language", "source"), SNIPPETS, ids=map(str, range(1, len(SNIPPETS) + 1)))
def test_a_snippet_runs(request: pytest.FixtureRequest, language: str, source: str) -> None:
    libraries = {"litellm": "litellm", "pydantic_ai": "pydantic-ai"}
    imported = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    client = next((libraries[name] for name in sorted(imported & {*libraries})), "openai")
    found = interpreter(NPM if language == "js" else client)
    served: Served = request.getfixturevalue("served")
    request.getfixturevalue("obliging")
    done = subprocess.run(
        found.text(source), capture_output=True, env=served.environment, cwd=found.folder, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.strip()
    assert served.chatgpt.model_requests


def test_the_versions_are_those_that_are_tested() -> None:
    locked = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.txt")}
    script = (ROOT / "scripts" / "test_clients.sh").read_text(encoding="utf-8")
    tested = [
        (locked["dev"], r"^openai==(\S+)"),
        (locked["client-openai-2"], r"^openai==(\S+)"),
        (locked["client-openai-1"], r"^openai==(\S+)"),
        (script, r"\bopenai@([\d.]+)"),
        (locked["client-litellm"], r"^litellm==(\S+)"),
        (locked["client-pydantic-ai"], r"^pydantic-ai-slim==(\S+)"),
    ]
    versions = [re.findall(pattern, text, re.MULTILINE)[0] for text, pattern in tested]
    table = PAGE[PAGE.index("| client |") : PAGE.index("| ccgate |")]
    assert re.findall(r"\d+\.\d+\.\d+", table) == versions
