"""What is read by hand of a command line, and what is left to click."""

from __future__ import annotations

from typing import Any, Final

import click
import pytest

from codex_oauth.cli.classify import command as classify_command
from codex_oauth.cli.hook import command as hook_command
from codex_oauth.thin.options import parse

READ: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("hook codex", {"host": "codex"}),
    ("hook claude --on-failure deny", {"host": "claude", "--on-failure": "deny"}),
    ("hook claude --on-failure=ask", {"host": "claude", "--on-failure": "ask"}),
    ("hook codex --policy /p/gate.toml", {"host": "codex", "--policy": "/p/gate.toml"}),
    ("hook codex --policy=/p=q", {"host": "codex", "--policy": "/p=q"}),
    ("hook codex --home /h --codex-bin /b", {"host": "codex", "--home": "/h", "--codex-bin": "/b"}),
    ("hook codex --profile work", {"host": "codex", "--profile": "work"}),
    ("classify --json --command ls", {"--json": "", "--command": "ls"}),
    ("classify --command ls --json", {"--json": "", "--command": "ls"}),
    ("classify --json", {"--json": ""}),
    ("classify --json --exit-code", {"--json": "", "--exit-code": ""}),
    ("classify --json --command=-rf", {"--json": "", "--command": "-rf"}),
    ("classify --json --command=--json", {"--json": "", "--command": "--json"}),
    ("classify --json --command=a=b=c", {"--json": "", "--command": "a=b=c"}),
    ("classify --json --host codex --mode plan", {"--json": "", "--host": "codex", "--mode": "plan"}),
    ("classify --json --cwd /somewhere", {"--json": "", "--cwd": "/somewhere"}),
    ("classify --json --model m --effort low", {"--json": "", "--model": "m", "--effort": "low"}),
    ("classify --json --timeout 0.5", {"--json": "", "--timeout": "0.5"}),
    ("classify --json --timeout=86400", {"--json": "", "--timeout": "86400"}),
    ("classify --json --timeout 1e1", {"--json": "", "--timeout": "1e1"}),
)

LEFT: Final = (
    "",
    "hook",
    "hook other",
    "hook --on-failure deny codex",  # click takes options before the argument too
    "hook codex codex",
    "hook codex extra",
    "hook codex --json",
    "hook codex --command ls",
    "hook codex --timeout 5",
    "hook codex --help",
    "hook codex --",
    "hook codex -h",
    "hook codex --on-failure allow",
    "hook codex --on-failure",
    "hook codex --on-failure=",
    "hook codex --on-failure deny --on-failure ask",
    "hook codex --policy gate.toml",
    "hook codex --policy=gate.toml",
    "hook codex --policy ~/gate.toml",
    "hook codex --policy -",
    "hook codex --polic /p",
    "hook codex --home h",
    "hook codex --home ./h",
    "hook codex --home /h --profile work",
    "hook codex --profile work --home /h",
    "hook codex --codex-bin codex",
    "hook codex --codex-home /c",
    "hook codex --profile a --profile=a",
    "hook codex command",
    "hook codex host=claude",
    "classify",
    "classify --command ls",
    "classify --exit-code --command ls",
    "classify --json=yes",
    "classify --json= --command ls",
    "classify --json --json",
    "classify --json --command -rf",
    "classify --json --command --exit-code",
    "classify --json --command",
    "classify --json --command=",
    "classify --json ls",
    "classify --json --host other",
    "classify --json --cwd .",
    "classify --json --cwd there",
    "classify --json --timeout nan",
    "classify --json --timeout=NaN",
    "classify --json --timeout inf",
    "classify --json --timeout 0",
    "classify --json --timeout=-1",
    "classify --json --timeout 86400.1",
    "classify --json --timeout soon",
    "classify --json --on-failure deny",
    "--help",
    "doctor --json",
    "complete --json",
    "HOOK codex",
)


@pytest.mark.parametrize(("line", "options"), READ, ids=[line for line, _ in READ])
def test_what_hosts_and_scripts_write_is_read(line: str, options: dict[str, str]) -> None:
    words = line.split()
    assert parse(words) == {"command": words[0], **options}
    assert words == line.split(), "the words are the caller's"


@pytest.mark.parametrize("line", LEFT)
def test_whatever_else_is_left_to_click(line: str) -> None:
    assert parse(line.split()) is None


@pytest.mark.parametrize("words", [["classify", "--json", "--command", ""], ["hook", "codex", "--policy", ""], [""]])
def test_an_empty_word_is_left_to_click(words: list[str]) -> None:
    assert parse(words) is None


@pytest.mark.parametrize("value", ["two words", "über", "\udcff\udcfe", "line\nbreak", "=", "$(rm -rf /)"])
def test_a_value_is_taken_as_it_is(value: str) -> None:
    for words in (["--command", value], [f"--command={value}"]):
        assert parse(["classify", "--json", *words]) == {"command": "classify", "--json": "", "--command": value}


@pytest.mark.parametrize(("line", "options"), READ, ids=[line for line, _ in READ])
def test_click_reads_the_same(line: str, options: dict[str, str]) -> None:
    name, *words = line.split()
    read: dict[str, Any] = {}
    command = hook_command if name == "hook" else classify_command

    def seen(**values: Any) -> None:
        read.update(values)

    spy = click.Command(name, params=command.params, callback=seen)
    spy.main(words, standalone_mode=False)
    of_click = {key: value for key, value in read.items() if value not in (None, False)}
    assert set(of_click) == {_name(option) for option in options}
    for option, value in options.items():
        found = of_click[_name(option)]
        assert found is True if value == "" else str(found) == (str(float(value)) if "timeout" in option else value)


def _name(option: str) -> str:
    known = {"--json": "as_json", "--command": "shell_command"}
    return known.get(option, option.lstrip("-").replace("-", "_"))
