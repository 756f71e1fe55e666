"""What the README and the examples show, done."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Json, LoopbackChatGPT, Text
from tests.conftest import RunCLI

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
ALLOW = {"reason": "Only looks.", "behavior": "allow", "deny_message": ""}


def run_python(source: str, environ: dict[str, str], folder: Path, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        input=stdin.encode(),
        capture_output=True,
        env=environ,
        cwd=folder,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


PAGES = [
    pytest.param(source, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, source in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL), 1)
]


@pytest.mark.parametrize("source", PAGES)
def test_a_snippet_of_the_pages_runs(environ: dict[str, str], settings: Settings, tmp_path: Path, source: str) -> None:
    assert run_python(source, environ, tmp_path)


def test_the_readme_has_two_python_examples() -> None:
    assert len(PYTHON) == 2


def test_the_first_example_asks_and_prints(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(Json({"prime": False, "factors": [7, 13]}))
    printed = run_python(PYTHON[0], environ, tmp_path)
    assert printed.startswith("{'prime': False, 'factors': [7, 13]} gpt-")


def test_the_example_for_tests_of_ones_own_passes(environ: dict[str, str], tmp_path: Path) -> None:
    run_python(PYTHON[1], environ, tmp_path)


@pytest.mark.parametrize("arguments", ["classify --command 'git status' --json", "status", "models"])
def test_the_shell_commands_of_the_readme_work(run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: str) -> None:
    chatgpt.script(Json(ALLOW))
    assert arguments in README
    done = run_cli(*(part.strip("'") for part in re.findall(r"'[^']*'|\S+", arguments)))
    assert done.returncode == 0, done.stderr


def test_every_command_in_the_readme_exists(run_cli: RunCLI) -> None:
    named = set(re.findall(r"codex-oauth ([a-z]+)", README))
    helped = run_cli("--help").stdout.decode()
    assert named
    assert all(f"  {name} " in helped for name in named)


def test_the_file_links_of_the_documents_exist() -> None:
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_example_of_a_typed_answer_runs(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(Json({"reasoning": "7 * 13", "answer": "no", "confidence": 0.99}))
    printed = run_python((ROOT / "examples/complete.py").read_text(encoding="utf-8"), environ, tmp_path)
    assert printed.startswith("no (99%)\n")


def test_the_example_of_a_stream_runs(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(Text("Once. The end."))
    printed = run_python((ROOT / "examples/stream.py").read_text(encoding="utf-8"), environ, tmp_path)
    assert printed.startswith("Once. The end.\nfirst text after ")


def test_the_example_of_many_verdicts_runs(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.default = Json(ALLOW)
    source = (ROOT / "examples/classify.py").read_text(encoding="utf-8")
    printed = run_python(source, environ, tmp_path, stdin="git status\nls\n")
    assert sorted(printed.splitlines()) == ["allow  git status", "allow  ls"]


def test_the_generated_pages_are_what_the_code_gives() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/generate_docs.py", "--check"], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


def test_the_demo_prints_what_the_readme_shows(run_cli: RunCLI) -> None:
    shown = next(block for block in re.findall(r"```text\n(.*?)```", README, re.DOTALL) if "demonstration" in block)
    done = run_cli("demo")
    printed = done.stdout.decode()
    assert done.returncode == 0
    for line in shown.splitlines():
        if line and not re.search(r"\d{2,}|…", line):
            assert line.split("  ")[0] in printed
