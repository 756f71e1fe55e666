"""The command in a host's settings: written so that a shell runs it, and known again."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from codex_oauth.errors import ConfigurationError
from codex_oauth.hosts.hook_command import HookOptions, broken_part, hook_command, option_of, runs_hook

CODE = "from codex_oauth.cli import main; main()"
ODD = ["with space", "quo'te", 'quo"te', "dollar$HOME", "back`tick", "semi;colon", "é", "back\\slash", "-dash"]


@pytest.fixture
def prints_arguments(tmp_path: Path) -> Path:
    """An environment whose Python prints what it is told to give to the package, a line each."""
    folder = tmp_path / 'it\'s an "environment" of mine' / "bin"
    folder.mkdir(parents=True)
    python = folder / "python"
    python.write_text('#!/bin/sh\n[ "$1 $2 $3" = "-E -P -c" ] && shift 4 && printf "%s\\n" "$@"\n')
    python.chmod(0o755)
    return python


@pytest.mark.parametrize("name", ODD)
def test_a_shell_hands_the_hook_every_path_as_it_is(prints_arguments: Path, tmp_path: Path, name: str) -> None:
    options = HookOptions(
        home=tmp_path / name, policy=tmp_path / name / "gate.toml", codex_bin=tmp_path / name / "codex", profile="work"
    )
    command = hook_command("claude", options, executable=str(prints_arguments))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == [
        *("hook", "claude", "--home", str(tmp_path / name), "--profile", "work"),
        *("--codex-bin", str(tmp_path / name / "codex"), "--policy", str(tmp_path / name / "gate.toml")),
    ]
    assert runs_hook(command, "claude") == "own"
    assert option_of(command, "--home") == str(tmp_path / name)


def test_neither_the_repository_nor_the_environment_puts_other_modules_in_the_packages_place(tmp_path: Path) -> None:
    command = hook_command("codex", HookOptions(on_failure="deny"))
    words = shlex.split(command)
    assert words == [sys.executable, "-E", "-P", "-c", CODE, "hook", "codex", "--on-failure", "deny"]
    assert runs_hook(command, "codex") == "own"
    for module in ("codex_oauth.py", "click.py", "json.py", "sitecustomize.py"):
        (tmp_path / module).write_text("raise SystemExit('the repository ran')", encoding="utf-8")
    done = subprocess.run(
        [*words[:5], "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "json.py")},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.startswith("codex-oauth ")


def test_paths_are_absolute_wherever_the_command_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    command = hook_command("codex", HookOptions(home=Path("~/home"), policy=Path("sub/../gate.toml")))
    assert option_of(command, "--home") == str(tmp_path / "home")
    assert option_of(command, "--policy") == str(tmp_path / "gate.toml")


@pytest.mark.parametrize("executable", ["python3", "relative/python"])
def test_a_python_that_does_not_know_where_it_is_cannot_be_a_hook(executable: str) -> None:
    with pytest.raises(ConfigurationError, match="does not know where it is"):
        hook_command("claude", HookOptions(), executable=executable)


@pytest.mark.parametrize("name", ["line\nbreak", os.fsdecode(b"not\xffutf-8")])
def test_a_path_that_settings_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="settings cannot hold it"):
        hook_command("claude", HookOptions(home=Path("/") / name))


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("codex-oauth hook claude", "own"),
        ("/usr/bin/codex-oauth hook claude --home /x", "own"),
        ("'/a b/codex-oauth' hook claude", "own"),
        ("'/a;b/codex-oauth' hook claude", "own"),
        ("/usr/bin/python3 -m codex_oauth hook claude", "own"),
        ("python -P -m codex_oauth hook claude", "own"),
        ("python -E -P -m codex_oauth hook claude", "own"),
        ("CODEX_OAUTH_METRICS=off codex-oauth hook claude", "own"),
        ("uv run codex-oauth hook claude", "own"),
        ("log.sh; codex-oauth hook claude", "wrapped"),
        ("tee -a /tmp/log | codex-oauth hook claude", "wrapped"),
        ("codex-oauth hook claude 2>/dev/null", "wrapped"),
        ("codex-oauth hook codex", None),
        ("codex-oauth classify --json", None),
        ("codex-oauth hook", None),
        ("not-codex-oauth hook claude", None),
        ("echo codex_oauth hook claude", None),
        ("echo 'codex-oauth hook claude'", None),
        ("unclosed 'codex-oauth hook claude", None),
        ("", None),
        (None, None),
        (["codex-oauth", "hook", "claude"], None),
    ],
)
def test_the_hook_is_known_by_the_shape_of_its_command(command: object, kind: str | None) -> None:
    assert runs_hook(command, "claude") == kind


def test_a_hook_that_can_start_lacks_nothing(prints_arguments: Path) -> None:
    command = hook_command("claude", HookOptions(), executable=str(prints_arguments))
    assert broken_part(command) is None
    assert broken_part("codex-oauth hook claude") is None


def test_a_hook_that_cannot_start_lacks_something_that_is_named(prints_arguments: Path, tmp_path: Path) -> None:
    script = prints_arguments.with_name("codex-oauth")
    script.write_text("#!/bin/sh\n", encoding="utf-8")
    script.chmod(0o755)
    quoted = shlex.quote(str(script))
    assert broken_part(f"{quoted} hook claude --policy {tmp_path}/gone.toml") == (
        f"--policy names {tmp_path}/gone.toml, which does not exist"
    )
    assert broken_part(f"{quoted} hook claude --codex-bin={tmp_path}/codex") == (
        f"--codex-bin names {tmp_path}/codex, which does not exist"
    )
    script.write_text("#!/no/such/python3\n", encoding="utf-8")
    assert broken_part(f"{quoted} hook claude") == f"{script} needs /no/such/python3, which does not exist"
    script.chmod(0o644)
    assert broken_part(f"{quoted} hook claude") == f"{script} is not executable"
    script.unlink()
    assert broken_part(f"{quoted} hook claude") == f"{script} does not exist"
