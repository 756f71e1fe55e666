"""`codex-oauth install` a second time: what the hook carries stays, and what goes is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.hosts import commands, put
from tests.conftest import RunCLI


@pytest.fixture
def claude(environ: dict[str, str]) -> Path:
    """Claude Code's settings file."""
    return Path(environ["HOME"]) / ".claude" / "settings.json"


def test_a_second_time_the_hook_keeps_what_it_carries_and_that_is_said(
    run_cli: RunCLI, claude: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    policy = tmp_path / "somewhere" / "gate.toml"
    policy.write_text("timeout = 90\n", encoding="utf-8")
    carried = ("--policy", "gate.toml", "--on-failure", "deny", "--home", str(tmp_path / "gate"))
    run_cli("install", "claude", "--yes", *carried, "--timeout", "200", "--command", "codex-oauth")
    before = claude.read_bytes()
    assert commands(claude)[0].startswith("codex-oauth hook claude --home ")
    environ["CODEX_OAUTH_HOME"] = str(tmp_path / "elsewhere")
    done = run_cli("install", "claude", "--yes")
    assert (done.returncode, claude.read_bytes()) == (0, before)
    assert done.stdout.decode().splitlines()[:2] == [
        f"kept       --home {tmp_path}/gate --policy {policy} --on-failure deny",
        f"installed  {claude} has the hook already",
    ]


def test_what_a_second_installation_changes_is_said_and_the_rest_stays(
    run_cli: RunCLI, claude: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "somewhere" / "gate.toml"
    policy.write_text("timeout = 90\n", encoding="utf-8")
    put(claude, f"uv run codex-oauth hook claude --home={tmp_path}/gate --on-failure deny --verbose")
    done = run_cli("install", "claude", "--yes", "--policy", "gate.toml", "--profile", "work")
    assert done.returncode == 0
    assert commands(claude) == [f"uv run codex-oauth hook claude --profile work --policy {policy} --on-failure deny"]
    assert done.stdout.decode().splitlines()[:4] == [
        f"dropped    --home {tmp_path}/gate",
        "kept       --on-failure deny",
        "dropped    --verbose, which says nothing to the hook",
        "changed    the host waited 60 s for the hook; now 120 s",
    ]


def test_reset_keeps_nothing_and_says_what_is_gone(run_cli: RunCLI, claude: Path) -> None:
    put(claude, "codex-oauth hook claude --on-failure deny --profile work")
    done = run_cli("install", "claude", "--yes", "--reset")
    assert commands(claude)[0].endswith(" hook claude")
    assert done.stdout.decode().splitlines()[:3] == [
        "dropped    --profile work",
        "dropped    --on-failure deny",
        "changed    codex-oauth; now the path of this installation",
    ]


def test_a_policy_that_the_hook_carries_and_that_is_wrong_is_told_with_the_ways_out(
    run_cli: RunCLI, claude: Path, tmp_path: Path
) -> None:
    put(claude, f"codex-oauth hook claude --policy {tmp_path}/gone.toml")
    done = run_cli("install", "claude", "--yes")
    assert done.returncode == 2
    assert b"The hook carries this file: mend it, or give another --policy, or --reset" in done.stderr


def test_a_hook_that_nobody_is_signed_in_for_is_noted_with_the_command(run_cli: RunCLI, claude: Path) -> None:
    done = run_cli("install", "claude", "--yes", "--profile", "nosuch")
    assert (done.returncode, len(commands(claude))) == (0, 1)
    assert done.stdout.decode().splitlines()[-1] == (
        "note       the hook cannot judge yet: its profile 'nosuch' is not signed in: "
        "codex-oauth login --profile nosuch"
    )


@pytest.mark.parametrize("program", ["python", "codex-oauth | tee", "codex-oauth classify", ""])
def test_a_command_that_would_not_be_known_again_is_refused(run_cli: RunCLI, claude: Path, program: str) -> None:
    done = run_cli("install", "claude", "--yes", "--command", program)
    assert (done.returncode, claude.exists()) == (2, False)
    assert b"--command: " in done.stderr


@pytest.mark.parametrize("option", ["--project", "--local"])
def test_outside_a_repository_there_are_no_settings_of_one(run_cli: RunCLI, tmp_path: Path, option: str) -> None:
    done = run_cli("install", "claude", "--yes", option)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"this folder is in no git repository; without {option}, the settings are your own" in done.stderr.decode()
    assert not (tmp_path / "somewhere" / ".claude").exists()


def test_settings_that_were_there_before_the_hook_stay_though_nothing_is_in_them(run_cli: RunCLI, claude: Path) -> None:
    claude.parent.mkdir()
    claude.write_text("{}", encoding="utf-8")
    run_cli("install", "claude", "--yes")
    assert run_cli("uninstall", "claude", "--yes").returncode == 0
    assert json.loads(claude.read_bytes()) == {}


def test_settings_that_came_with_the_hook_go_with_it_however_often_it_was_changed(
    run_cli: RunCLI, claude: Path
) -> None:
    run_cli("install", "claude", "--yes")
    for seconds in ("90", "91", "92"):
        run_cli("install", "claude", "--yes", "--timeout", seconds)
    done = run_cli("uninstall", "claude", "--yes")
    assert (done.returncode, claude.exists()) == (0, False)
    assert f"deleted    {claude}, which came with the hook\n" in done.stdout.decode()
    assert b"+++ /dev/null\n" in done.stdout
    names = sorted(path.name for path in claude.parent.iterdir())
    assert names == ["settings.json.codex-oauth.bak", "settings.json.codex-oauth.bak.1"]
