"""What the README and the examples show, done."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.gate import BUILTIN_POLICY
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


def test_the_example_for_tests_of_ones_own_passes_and_leaves_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    same = "import os; before = dict(os.environ)\n"
    run_python(f"{same}{PYTHON[1]}\nassert os.environ == before", environ, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_page_on_configuration_names_every_key_and_variable() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    source = (ROOT / "codex_oauth/config.py").read_text(encoding="utf-8")
    keys = re.findall(r'values\.get\("(\w+)"', source)
    assert keys
    names = {*keys, *re.findall(r"CODEX_OAUTH_[A-Z]+(?:_[A-Z]+)*", source), "XDG_STATE_HOME", "XDG_CONFIG_HOME"}
    assert {name for name in names if f"`{name}`" not in page and f"${name}/" not in page} == set()


def test_the_page_on_policies_lists_every_built_in_rule() -> None:
    page = (ROOT / "docs/how-to.md").read_text(encoding="utf-8")
    assert [rule.id for rule in BUILTIN_POLICY.rules if f"| `{rule.id}` | {rule.kind} |" not in page] == []


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


def test_the_demo_prints_what_the_readme_shows_in_a_terminal_of_80_columns(environ: dict[str, str]) -> None:
    shown = next(block for block in re.findall(r"```text\n(.*?)```", README, re.DOTALL) if "demonstration" in block)
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (50, 80))
    command = [sys.executable, "-m", "codex_oauth", "demo"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=end, stderr=subprocess.PIPE, env={**environ, "NO_COLOR": "1"}
    ) as process:
        os.close(end)
        printed = b""
        # The end is an error on Linux, and nothing elsewhere.
        with suppress(OSError):
            while piece := os.read(terminal, 65536):
                printed += piece
        os.close(terminal)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said.decode()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed.decode()).splitlines()
    assert [_without_measures(line) for line in lines] == [_without_measures(line) for line in shown.splitlines()]


def _without_measures(line: str) -> str:
    # Milliseconds and bytes differ from one run to the next.
    return re.sub(r" +\d+  (?=[A-Z])|(?<=request    )[\d,]+", " # ", line).rstrip()
