"""What the README and the examples show, done."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import click
import pytest

from codex_oauth.cli.root import cli
from codex_oauth.config import Settings
from codex_oauth.gate import BUILTIN_POLICY
from codex_oauth.testing import Json, LoopbackChatGPT, RateLimits, Text
from tests.conftest import RunCLI

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
ALLOW = {"reason": "Only looks.", "rule": "read-only", "behavior": "allow", "deny_message": ""}


def run_python(source: str, environ: dict[str, str], folder: Path, stdin: str = "") -> str:
    """What a program prints that ends well, without a warning."""
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


PAGES = sorted((ROOT / "docs").rglob("*.md"))
SNIPPETS = [
    pytest.param(source, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, source in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL), 1)
]


@pytest.fixture
def profile(settings: Settings, chatgpt: LoopbackChatGPT) -> Iterator[None]:
    """The profile `work`, signed in."""
    folder = settings.state_dir / "profiles" / "work"
    chatgpt.sign_in(folder / "codex-home")
    yield
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("source", SNIPPETS)
def test_a_snippet_of_the_pages_runs(
    environ: dict[str, str],
    settings: Settings,
    profile: None,
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    source: str,
) -> None:
    chatgpt.rate_limits = RateLimits()
    with ThreadPoolExecutor(1) as people:
        person = people.submit(_approve, chatgpt) if "login.wait()" in source and "chatgpt." not in source else None
        assert run_python(source, environ, tmp_path)
        assert person is None or person.result() is None


def _approve(chatgpt: LoopbackChatGPT) -> None:
    # The program asks whether the code was approved only after it got it, and the stand-in gives out this one first.
    chatgpt.wait_for_requests(1, path="/api/accounts/deviceauth/token", timeout=30)
    chatgpt.approve_device("LOOP-00001")


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
    read = re.findall(r'environ\.get\("(\w+)"', source)
    names = {*keys, *read, *re.findall(r"CODEX_OAUTH_[A-Z]+(?:_[A-Z]+)*", source), "XDG_STATE_HOME", "XDG_CONFIG_HOME"}
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


def test_every_command_and_option_of_the_documents_exists() -> None:
    for document in (ROOT / "README.md", *PAGES):
        text = document.read_text(encoding="utf-8")
        for name, rest in re.findall(r"codex-oauth ([a-z]+)\b([^`\n|;]*)", text):
            command = cli.get_command(click.Context(cli), name)
            assert command is not None, f"{document.name}: {name}"
            word = next(iter(rest.split()), "")
            if isinstance(command, click.Group) and word.isalpha():
                command = command.get_command(click.Context(command), word)
                assert command is not None, f"{document.name}: {name} {word}"
            known = {"--help"}.union(*((*parameter.opts, *parameter.secondary_opts) for parameter in command.params))
            options = re.findall(r"(?<!\S)--[a-z-]+", re.sub(r"'[^']*'", "", rest))
            assert set(options) <= known, f"{document.name}: {name}{rest}"


def test_the_links_of_the_documents_lead_somewhere() -> None:
    for document in (ROOT / "README.md", *PAGES):
        for file, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", document.read_text(encoding="utf-8")):
            target = document.parent / file if file else document
            assert target.exists(), f"{document.name}: {file}"
            assert not anchor or anchor in _anchors(target), f"{document.name}: {file}#{anchor}"


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


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
