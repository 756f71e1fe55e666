"""`codex-oauth install` and `uninstall`: shown, asked, written, and on Codex trusted."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.hosts.hook_command import own_program
from tests.cli.hosts import commands, hooks, path_without_codex, put, trust_all
from tests.cli.terminal import Terminal
from tests.conftest import RunCLI


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The environment of somebody whose codex is the bundled one, or that of HOST_CODEX_BIN."""
    environ["PATH"] = path_without_codex(environ)
    if named := os.environ.get("HOST_CODEX_BIN"):
        folder = Path(environ["HOME"]) / "bin"
        folder.mkdir()
        (folder / "codex").symlink_to(named)
        environ["PATH"] = f"{folder}{os.pathsep}{environ['PATH']}"
    return environ


@pytest.fixture
def claude(environ: dict[str, str]) -> Path:
    """Claude Code's settings file."""
    return Path(environ["HOME"]) / ".claude" / "settings.json"


@pytest.fixture
def codex_hooks(environ: dict[str, str]) -> Path:
    """Codex's hooks."""
    return Path(environ["HOME"]) / ".codex" / "hooks.json"


def config(codex_hooks: Path) -> str:
    """Codex's configuration."""
    return codex_hooks.with_name("config.toml").read_text(encoding="utf-8")


# --- Claude Code -----------------------------------------------------------------------------------------------------


def test_the_hook_is_shown_and_written(run_cli: RunCLI, claude: Path) -> None:
    done = run_cli("install", "claude", "--yes")
    assert (done.returncode, done.stderr) == (0, b"")
    program = own_program()
    assert hooks(claude) == [[{"type": "command", "command": f"{program} hook claude", "timeout": 60}]]
    shown = done.stdout.decode()
    assert '+            "timeout": 60\n' in shown
    assert f"wrote      {claude}\n" in shown
    assert "backup" not in shown


def test_the_written_command_is_the_hook(run_cli: RunCLI, claude: Path, environ: dict[str, str]) -> None:
    run_cli("install", "claude", "--yes")
    (command,) = commands(claude)
    question: dict[str, Any] = {
        "hook_event_name": "PermissionRequest",
        "tool_name": "AskUserQuestion",
        "tool_input": {},
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command], input=json.dumps(question).encode(), env=environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_second_time_nothing_is_written(run_cli: RunCLI, claude: Path) -> None:
    run_cli("install", "claude", "--yes")
    before = claude.stat().st_mtime_ns
    done = run_cli("install", "claude")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"installed  {claude} has the hook already\n"
    assert claude.stat().st_mtime_ns == before
    assert [path.name for path in claude.parent.iterdir()] == ["settings.json"]


def test_without_anybody_to_ask_it_is_shown_and_the_command_that_writes_it(run_cli: RunCLI, claude: Path) -> None:
    done = run_cli("install", "claude", "--timeout", "90")
    assert done.returncode == 2
    assert b'"timeout": 90' in done.stdout
    assert done.stderr.decode() == (
        "codex-oauth: nothing was written, since there is nobody to ask. To write it: codex-oauth install claude "
        "--timeout 90 --yes\n"
    )
    assert not claude.parent.exists()


def test_a_dry_run_shows_and_writes_nothing(run_cli: RunCLI, claude: Path, codex_hooks: Path) -> None:
    for host in ("claude", "codex"):
        done = run_cli("install", host, "--dry-run")
        assert (done.returncode, done.stderr) == (0, b"nothing was written (--dry-run)\n")
        assert b"+++ " in done.stdout
    assert not claude.parent.exists()
    assert not codex_hooks.parent.exists()


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_on_a_terminal_it_asks(environ: dict[str, str], claude: Path, tmp_path: Path, answer: str, status: int) -> None:
    put(claude, "/bin/other")
    before = claude.read_bytes()
    with Terminal(environ, tmp_path, "install", "claude") as terminal:
        terminal.wait_for(r"Write this\? \[y/N\]")
        assert claude.read_bytes() == before
        terminal.type(f"{answer}\n")
        shown = terminal.end()
    assert shown.returncode == status
    assert re.search(r"\n\x1b\[32m\S*\+ ", shown.text)
    if answer == "y":
        assert commands(claude)[0] == "/bin/other"
        assert claude.with_name("settings.json.codex-oauth.bak").read_bytes() == before
    else:
        assert "nothing was written" in shown.plain
        assert claude.read_bytes() == before


def test_options_are_carried_into_the_command_as_whole_paths(
    run_cli: RunCLI, claude: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "somewhere" / "my policy's"
    folder.mkdir(parents=True)
    (folder / "gate.toml").write_text("timeout = 90\n", encoding="utf-8")
    (folder / "codex").write_text("", encoding="utf-8")
    arguments = ("--policy", "my policy's/gate.toml", "--on-failure", "deny", "--codex-bin", "my policy's/codex")
    done = run_cli("install", "claude", "--yes", "--home", "~/gate", *arguments)
    assert done.returncode == 0, done.stderr
    ((hook,),) = hooks(claude)
    assert shlex.split(hook["command"])[-8:] == [
        *("--home", str(Path(environ["HOME"]) / "gate"), "--codex-bin", str(folder / "codex")),
        *("--policy", str(folder / "gate.toml"), "--on-failure", "deny"),
    ]
    assert hook["timeout"] == 120, "30 seconds more than the policy gives a verdict"


def test_what_variables_name_is_carried_too_for_the_host_may_not_have_them(
    run_cli: RunCLI, claude: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["CODEX_OAUTH_HOME"] = str(tmp_path / "gate")
    environ["CODEX_OAUTH_TOKEN"] = "secret"
    done = run_cli("install", "claude", "--yes")
    assert commands(claude)[0].endswith(f"hook claude --home {tmp_path}/gate")
    assert b"CODEX_OAUTH_TOKEN: set here" in done.stderr
    assert b"secret" not in done.stdout + done.stderr + claude.read_bytes()


def test_an_older_one_is_brought_up_to_date_and_a_copy_stays(run_cli: RunCLI, claude: Path) -> None:
    put(claude, "/old/codex-oauth hook claude --on-failure deny", "/bin/other", model="opus")
    before = claude.read_bytes()
    done = run_cli("install", "claude", "--yes")
    assert done.returncode == 0
    assert commands(claude)[1:] == ["/bin/other"]
    assert "/old/" not in commands(claude)[0]
    assert json.loads(claude.read_bytes())["model"] == "opus"
    assert claude.with_name("settings.json.codex-oauth.bak").read_bytes() == before


def test_what_keeps_the_hook_from_deciding_is_said(run_cli: RunCLI, claude: Path) -> None:
    put(claude, "/bin/other", disableAllHooks=True)
    done = run_cli("install", "claude", "--yes")
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        f"note: Claude Code runs no hooks: disableAllHooks is true in {claude}",
        f"  → take disableAllHooks out of {claude}",
        "note: 1 other permission hook: whichever decides first has decided",
        f"  - /bin/other ({claude})",
        "  → keep one: codex-oauth uninstall claude, or take the others out",
    ]


@pytest.mark.parametrize(("option", "name"), [("--project", "settings.json"), ("--local", "settings.local.json")])
def test_a_repository_has_settings_of_its_own(
    run_cli: RunCLI, claude: Path, tmp_path: Path, option: str, name: str
) -> None:
    repo = tmp_path / "somewhere"
    (repo / ".git").mkdir()
    done = run_cli("install", "claude", "--yes", option)
    assert done.returncode == 0
    assert len(commands(repo / ".claude" / name)) == 1
    assert (b"with the paths of this machine" in done.stderr) == (option == "--project")
    assert not claude.exists()
    done = run_cli("uninstall", "claude", "--yes")
    assert f"it is still in {repo}/.claude/{name}" in done.stderr.decode()
    assert run_cli("uninstall", "claude", "--yes", option).returncode == 0
    assert list((repo / ".claude").iterdir()) == [], "it came with the hook, and nothing was left in it"


@pytest.mark.parametrize(
    "arguments",
    [
        ("install", "codex", "--local"),
        ("install", "claude", "--local", "--project"),
        ("install", "claude", "--trust"),
        ("uninstall", "claude", "--no-trust"),
        ("install", "cursor"),
        ("install",),
        ("install", "claude", "--policy", "gone.toml"),
        ("install", "claude", "--timeout", "0"),
        ("install", "claude", "--home", "a", "--profile", "b"),
    ],
    ids=" ".join,
)
def test_options_that_mean_nothing_are_refused(run_cli: RunCLI, arguments: tuple[str, ...]) -> None:
    done = run_cli(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")


def test_in_a_folder_that_is_gone_the_users_own_settings_are_still_there(
    environ: dict[str, str], settings: Settings, claude: Path, tmp_path: Path
) -> None:
    argv = [sys.executable, "-m", "codex_oauth", "install", "claude", "--yes"]
    script = f"mkdir gone && cd gone && rmdir ../gone && exec {shlex.join(argv)}"
    done = subprocess.run(["/bin/sh", "-c", script], env=environ, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr, len(commands(claude))) == (0, b"", 1)


def test_settings_that_cannot_be_read_are_told_and_stay(run_cli: RunCLI, claude: Path) -> None:
    claude.parent.mkdir()
    claude.write_text('{\n  "model": "opus", // mine\n}', encoding="utf-8")
    for command in ("install", "uninstall"):
        done = run_cli(command, "claude", "--yes")
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == (
            f"codex-oauth: {claude}:2: comments are not JSON; take them out. Nothing was changed\n"
        )


def test_taken_out_the_settings_are_what_they_were(run_cli: RunCLI, claude: Path) -> None:
    put(claude, "/bin/other", model="opus")
    before = claude.read_bytes()
    run_cli("install", "claude", "--yes")
    done = run_cli("uninstall", "claude")
    assert (done.returncode, b"codex-oauth uninstall claude --yes" in done.stderr) == (2, True)
    done = run_cli("uninstall", "claude", "--yes")
    assert (done.returncode, claude.read_bytes()) == (0, before)
    done = run_cli("uninstall", "claude", "--yes")
    assert (done.returncode, done.stdout.decode()) == (
        0,
        f"nothing    Claude Code has no hook of this package in {claude}\n",
    )


# --- Codex -----------------------------------------------------------------------------------------------------------


def test_a_trusted_hook_is_run_by_codex(run_cli: RunCLI, codex_hooks: Path) -> None:
    put(codex_hooks, "/bin/other")
    done = run_cli("install", "codex", "--yes", "--trust")
    assert done.returncode == 0, done.stderr
    assert f"trusted    Codex runs it; {codex_hooks.with_name('config.toml')} says so" in done.stdout.decode()
    assert commands(codex_hooks)[0] == "/bin/other"
    assert ':permission_request:1:0"]\ntrusted_hash = "sha256:' in config(codex_hooks)
    assert "permission_request:0:0" not in config(codex_hooks)
    done = run_cli("install", "codex")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines()[0] == f"installed  {codex_hooks} has the hook already"


def test_a_hook_that_codex_does_not_trust_is_said_with_the_next_step(run_cli: RunCLI, codex_hooks: Path) -> None:
    done = run_cli("install", "codex", "--yes")
    assert done.returncode == 1
    assert "Codex does not run the hook yet: it is untrusted" in done.stderr.decode()
    assert "start codex, type /hooks, choose the hook and press t; or: codex-oauth install codex --trust" in (
        done.stderr.decode()
    )
    assert len(commands(codex_hooks)) == 1
    assert not codex_hooks.with_name("config.toml").exists()
    assert run_cli("install", "codex", "--no-trust").returncode == 0
    assert run_cli("install", "codex", "--trust").returncode == 0


def test_a_hook_that_was_changed_has_to_be_trusted_again(run_cli: RunCLI, codex_hooks: Path) -> None:
    run_cli("install", "codex", "--yes", "--trust")
    done = run_cli("install", "codex", "--yes", "--timeout", "90")
    assert (done.returncode, b"it is modified" in done.stderr) == (1, True)
    done = run_cli("install", "codex", "--yes", "--timeout", "90", "--trust")
    assert (done.returncode, config(codex_hooks).count("trusted_hash")) == (0, 1)


def test_on_a_terminal_trust_is_asked_for_on_its_own(
    environ: dict[str, str], settings: Settings, codex_hooks: Path, tmp_path: Path
) -> None:
    with Terminal(environ, tmp_path, "install", "codex") as terminal:
        terminal.wait_for(r"Write this\? \[y/N\]")
        terminal.type("y\n")
        terminal.wait_for(r"Trust this one\? \[y/N\]")
        assert not codex_hooks.with_name("config.toml").exists()
        terminal.type("y\n")
        shown = terminal.end()
    assert shown.returncode == 0
    assert "a trusted one runs outside its sandbox" in shown.plain
    assert "trusted    Codex runs it" in shown.plain


def test_hooks_that_are_switched_off_are_said_with_the_command(run_cli: RunCLI, codex_hooks: Path) -> None:
    codex_hooks.parent.mkdir()
    codex_hooks.with_name("config.toml").write_text("[features]\nhooks = false\n", encoding="utf-8")
    done = run_cli("install", "codex", "--yes", "--trust")
    assert done.returncode == 1
    assert "Codex runs no hooks: hooks is false under [features]" in done.stderr.decode()
    assert "codex features enable hooks" in done.stderr.decode()


def test_without_a_codex_to_ask_the_hook_is_written_and_the_next_step_said(
    run_cli: RunCLI, codex_hooks: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    fake = tmp_path / "fake" / "codex"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    environ["PATH"] = f"{fake.parent}{os.pathsep}{environ['PATH']}"
    done = run_cli("install", "codex", "--yes", "--trust")
    assert (done.returncode, len(commands(codex_hooks))) == (1, 1)
    assert "Codex cannot be asked whether it trusts the hook" in done.stderr.decode()
    assert "  codex: broken" in done.stderr.decode()
    done = run_cli("uninstall", "codex", "--yes")
    assert (done.returncode, codex_hooks.exists()) == (0, False)
    assert "what it trusts stays as it is" in done.stderr.decode()


def test_a_hook_in_the_configuration_is_not_doubled(run_cli: RunCLI, codex_hooks: Path) -> None:
    codex_hooks.parent.mkdir()
    by_hand = '[[hooks.PermissionRequest]]\nhooks = [{type = "command", command = "codex-oauth hook codex"}]\n'
    codex_hooks.with_name("config.toml").write_text(by_hand, encoding="utf-8")
    done = run_cli("install", "codex", "--yes")
    assert (done.returncode, codex_hooks.exists()) == (2, False)
    assert b"somebody has put the hook there by hand" in done.stderr
    done = run_cli("uninstall", "codex", "--yes")
    assert done.returncode == 0
    assert f"it is still in {codex_hooks.with_name('config.toml')}" in done.stderr.decode()


def test_taken_out_codex_forgets_the_hook_and_all_is_what_it_was(run_cli: RunCLI, codex_hooks: Path) -> None:
    put(codex_hooks, "/bin/other", description="mine")
    before = codex_hooks.read_bytes()
    codex_hooks.with_name("config.toml").write_text("# mine\n", encoding="utf-8")
    run_cli("install", "codex", "--yes", "--trust")
    done = run_cli("uninstall", "codex", "--yes")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (codex_hooks.read_bytes(), config(codex_hooks).strip()) == (before, "# mine")
    done = run_cli("uninstall", "codex", "--yes")
    assert (done.returncode, b"nothing    Codex has no hook" in done.stdout) == (0, True)


OURS = "/bin/codex-oauth hook codex"


def test_others_that_move_up_are_said_and_kept_if_that_is_wanted(
    run_cli: RunCLI, codex_hooks: Path, environ: dict[str, str]
) -> None:
    put(codex_hooks, OURS, "/bin/other")
    trust_all(environ, codex_hooks.parent)
    done = run_cli("uninstall", "codex", "--yes", "--trust")
    assert done.returncode == 0, done.stderr
    assert "Other hooks move up by this." in done.stderr.decode()
    assert "These have moved up, and what you set for them holds no longer:\n  - /bin/other" in done.stderr.decode()
    assert b"restored" in done.stdout
    assert re.findall(r"permission_request:\d", config(codex_hooks)) == ["permission_request:0"]
    assert run_cli("uninstall", "codex").returncode == 0


def test_others_that_move_up_are_asked_about_on_a_terminal(
    environ: dict[str, str], settings: Settings, codex_hooks: Path, tmp_path: Path
) -> None:
    put(codex_hooks, OURS, "/bin/other")
    trust_all(environ, codex_hooks.parent)
    with Terminal(environ, tmp_path, "uninstall", "codex", "--yes") as terminal:
        terminal.wait_for(r"Put that back\? \[y/N\]")
        terminal.type("y\n")
        shown = terminal.end()
    assert shown.returncode == 0
    assert "restored" in shown.plain


@pytest.mark.parametrize(("options", "status"), [((), 1), (("--no-trust",), 0)])
def test_others_that_move_up_and_are_left_are_said_with_the_next_step(
    run_cli: RunCLI, codex_hooks: Path, environ: dict[str, str], options: tuple[str, ...], status: int
) -> None:
    put(codex_hooks, OURS, "/bin/other")
    trust_all(environ, codex_hooks.parent)
    done = run_cli("uninstall", "codex", "--yes", *options)
    assert done.returncode == status
    assert "→ start codex, type /hooks, choose each of them and press t" in done.stderr.decode()
    assert commands(codex_hooks) == ["/bin/other"]
    assert "permission_request:0" not in config(codex_hooks), "that was this package's"


def test_several_become_one_and_others_stay_trusted(
    run_cli: RunCLI, codex_hooks: Path, environ: dict[str, str]
) -> None:
    put(codex_hooks, OURS, OURS, "/bin/other")
    trust_all(environ, codex_hooks.parent)
    done = run_cli("install", "codex", "--yes", "--trust")
    assert done.returncode == 0, done.stderr
    assert len(commands(codex_hooks)) == 2
    assert re.findall(r"permission_request:\d", config(codex_hooks)) == ["permission_request:0", "permission_request:1"]
    assert run_cli("install", "codex").returncode == 0
