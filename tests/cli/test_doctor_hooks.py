"""`codex-oauth doctor` on the hooks of the hosts: what keeps an installed hook from deciding, and what mends it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.hosts import commands, path_without_codex, put, trust_all
from tests.conftest import RunCLI


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who has used both hosts."""
    for name in (".claude", ".codex"):
        (Path(environ["HOME"]) / name).mkdir()
    environ["PATH"] = path_without_codex(environ)
    return environ


@pytest.fixture
def claude(environ: dict[str, str]) -> Path:
    """Claude Code's settings file."""
    return Path(environ["HOME"]) / ".claude" / "settings.json"


@pytest.fixture
def codex_hooks(environ: dict[str, str]) -> Path:
    """Codex's hooks."""
    return Path(environ["HOME"]) / ".codex" / "hooks.json"


def doctor(run_cli: RunCLI) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and the findings about hooks."""
    done = run_cli("doctor", "--json")
    assert done.stderr == b""
    found = json.loads(done.stdout)["checks"]
    assert {tuple(check) for check in found} == {("name", "state", "finding", "mend", "details")}
    return done.returncode, [check for check in found if check["name"].endswith("-hook")]


def test_a_host_without_the_hook_is_no_problem(run_cli: RunCLI, codex_hooks: Path) -> None:
    status, found = doctor(run_cli)
    assert status == 0
    assert [(check["name"], check["state"], check["finding"]) for check in found] == [
        ("claude-hook", "ok", "not installed; codex-oauth install claude puts it there"),
        ("codex-hook", "ok", "not installed; codex-oauth install codex puts it there"),
    ]
    assert list(codex_hooks.parent.iterdir()) == []


def test_a_host_without_a_home_is_not_spoken_of(run_cli: RunCLI, claude: Path, codex_hooks: Path) -> None:
    claude.parent.rmdir()
    codex_hooks.parent.rmdir()
    assert doctor(run_cli) == (0, [])


def test_installed_hooks_are_found_well(run_cli: RunCLI, claude: Path, codex_hooks: Path) -> None:
    run_cli("install", "claude", "--yes")
    run_cli("install", "codex", "--yes", "--trust")
    status, found = doctor(run_cli)
    assert status == 0
    assert [(check["name"], check["state"], check["finding"], check["mend"]) for check in found] == [
        ("claude-hook", "ok", f"in {claude}", None),
        ("codex-hook", "ok", f"in {codex_hooks}, and trusted", None),
    ]


def test_what_claude_code_is_kept_from_asking_by_is_a_failure(run_cli: RunCLI, claude: Path) -> None:
    put(claude, disableAllHooks=True, permissions={"defaultMode": "bypassPermissions"})
    run_cli("install", "claude", "--yes")
    status, (first, second, _) = doctor(run_cli)
    assert status == 1
    assert (first["state"], first["mend"]) == ("fail", f"take disableAllHooks out of {claude}")
    assert (second["state"], second["mend"]) == ("fail", f"take permissions.defaultMode out of {claude}")


def test_what_decides_besides_the_hook_is_a_warning(run_cli: RunCLI, claude: Path) -> None:
    put(claude, "/bin/other", permissions={"allow": ["Bash", "Read(./**)"]})
    run_cli("install", "claude", "--yes")
    status, (well, rule, other, _) = doctor(run_cli)
    assert status == 0
    assert (well["state"], well["details"]) == (
        "ok",
        ["2 allow rules: what they match is done without the hook"],
    )
    assert (rule["state"], rule["mend"]) == ("warn", f"take Bash out of permissions.allow in {claude}")
    assert (other["state"], other["details"]) == ("warn", [f"/bin/other ({claude})"])


def test_a_hook_whose_program_is_gone_is_a_failure_that_installing_mends(run_cli: RunCLI, claude: Path) -> None:
    put(claude, "/gone/codex-oauth hook claude")
    status, (found, _) = doctor(run_cli)
    assert (status, found["state"]) == (1, "fail")
    assert found["finding"] == f"the hook in {claude} cannot start: /gone/codex-oauth does not exist"
    run_cli(*shlex.split(found["mend"])[1:], "--yes")
    assert doctor(run_cli)[0] == 0


def test_a_host_that_is_less_patient_than_the_gate_is_a_warning(run_cli: RunCLI, environ: dict[str, str]) -> None:
    run_cli("install", "claude", "--yes")
    policy = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth" / "gate.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text("timeout = 100\n", encoding="utf-8")
    status, (_, found, _) = doctor(run_cli)
    assert (status, found["state"], found["mend"]) == (0, "warn", "codex-oauth install claude")
    run_cli("install", "claude", "--yes")
    assert doctor(run_cli)[1][0]["state"] == "ok"


def test_a_hook_is_judged_by_the_account_that_it_names(run_cli: RunCLI, claude: Path, tmp_path: Path) -> None:
    run_cli("install", "claude", "--yes", "--profile", "nosuch")
    status, (found, _) = doctor(run_cli)
    assert (status, found["state"], found["mend"]) == (1, "fail", "codex-oauth login --profile nosuch")
    assert found["finding"] == "its profile 'nosuch' is not signed in"
    run_cli("install", "claude", "--yes", "--home", str(tmp_path / "gate"))
    status, (found, _) = doctor(run_cli)
    assert (status, found["mend"]) == (1, f"codex-oauth login --home {tmp_path}/gate")


def test_a_verdict_may_take_what_the_hooks_own_policy_says(run_cli: RunCLI, claude: Path, tmp_path: Path) -> None:
    policy = tmp_path / "gate.toml"
    policy.write_text("timeout = 20\n", encoding="utf-8")
    run_cli("install", "claude", "--yes", "--policy", str(policy), "--on-failure", "deny")
    policy.write_text("timeout = 100\n", encoding="utf-8")
    status, (_, found, _) = doctor(run_cli)
    assert (status, found["mend"]) == (0, "codex-oauth install claude")
    assert "a verdict may take 100 s" in found["finding"]
    run_cli(*shlex.split(found["mend"])[1:], "--yes")
    assert doctor(run_cli)[1][0]["state"] == "ok"
    assert commands(claude)[0].endswith(f"--policy {policy} --on-failure deny")


def test_a_policy_that_is_gone_is_left_out_by_the_mend_and_all_else_is_kept(
    run_cli: RunCLI, claude: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "gate.toml"
    policy.write_text("", encoding="utf-8")
    run_cli("install", "claude", "--yes", "--policy", str(policy), "--on-failure", "deny")
    policy.unlink()
    status, (found, _) = doctor(run_cli)
    assert (status, found["mend"]) == (1, "codex-oauth install claude --reset --on-failure deny")
    run_cli(*shlex.split(found["mend"])[1:], "--yes")
    assert doctor(run_cli)[0] == 0
    assert commands(claude)[0].endswith(" hook claude --on-failure deny")


def policies(run_cli: RunCLI) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and the findings about the policy."""
    done = run_cli("doctor", "--json")
    return done.returncode, [check for check in json.loads(done.stdout)["checks"] if check["name"] == "policy"]


def test_a_policy_that_is_wrong_is_a_failure_with_its_line(
    run_cli: RunCLI, environ: dict[str, str], tmp_path: Path
) -> None:
    assert [found["finding"] for found in policies(run_cli)[1]] == ["the built-in rules"]
    own = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth" / "gate.toml"
    own.parent.mkdir(parents=True)
    own.write_text("\nnonsense = 1\n", encoding="utf-8")
    status, (found,) = policies(run_cli)
    assert (status, found["state"]) == (2, "fail")
    assert found["finding"].startswith(f"{own}:2: ")
    strict = tmp_path / "strict.toml"
    strict.write_text("", encoding="utf-8")
    run_cli("install", "claude", "--yes", "--policy", str(strict))
    status, (found,) = policies(run_cli)
    assert (status, found["finding"]) == (0, f"the built-in rules, {strict}"), "the hook does not go by one's own file"


def test_a_policy_that_is_passed_over_is_a_warning_with_the_command_that_makes_it_count(
    run_cli: RunCLI, tmp_path: Path
) -> None:
    repo = tmp_path / "somewhere"
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    (repo / ".codex-oauth").mkdir()
    (repo / ".codex-oauth" / "gate.toml").write_text("timeout = 20\n", encoding="utf-8")
    subprocess.run(["git", "-C", str(repo), "add", "."], check=True)
    run_cli("install", "claude", "--yes")
    status, (well, found) = policies(run_cli)
    assert (status, well["state"], found["state"]) == (0, "ok", "warn")
    assert found["mend"].startswith("codex-oauth gate trust")


def test_a_configuration_that_is_wrong_does_not_keep_the_doctor_from_the_hooks(
    run_cli: RunCLI, claude: Path, environ: dict[str, str]
) -> None:
    put(claude, "/gone/codex-oauth hook claude")
    path = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("timeout =", encoding="utf-8")
    status, (found, _) = doctor(run_cli)
    assert (status, "cannot start" in found["finding"]) == (2, True)


@pytest.mark.parametrize("trouble", ["untrusted", "modified", "switched off", "another before it"])
def test_a_hook_that_codex_does_not_run_is_a_failure_that_trust_mends(
    run_cli: RunCLI, codex_hooks: Path, environ: dict[str, str], trouble: str
) -> None:
    run_cli("install", "codex", "--yes", *(["--trust"] if trouble != "untrusted" else []))
    config = codex_hooks.with_name("config.toml")
    if trouble == "modified":
        codex_hooks.write_text(codex_hooks.read_text(encoding="utf-8").replace("60", "61"), encoding="utf-8")
    elif trouble == "switched off":
        config.write_text(config.read_text(encoding="utf-8") + "enabled = false\n", encoding="utf-8")
    elif trouble == "another before it":
        put(codex_hooks, "/bin/other", *commands(codex_hooks))
    status, found = doctor(run_cli)
    assert (status, found[-1]["state"], found[-1]["mend"]) == (1, "fail", "codex-oauth install codex --trust")
    words = {"untrusted": "does not trust", "modified": "as it was", "switched off": "enabled = false"}
    assert words.get(trouble, "does not trust") in found[-1]["finding"]
    run_cli("install", "codex", "--yes", "--trust")
    assert doctor(run_cli)[0] == 0


def test_hooks_that_are_off_or_passed_over_are_a_failure(run_cli: RunCLI, codex_hooks: Path) -> None:
    run_cli("install", "codex", "--yes", "--trust")
    whole = json.loads(codex_hooks.read_bytes())
    codex_hooks.write_text(json.dumps({**whole, "version": 1}), encoding="utf-8")
    status, found = doctor(run_cli)
    assert (status, found[-1]["mend"]) == (1, f"take 'version' out of {codex_hooks}")
    codex_hooks.write_text(json.dumps(whole), encoding="utf-8")
    config = codex_hooks.with_name("config.toml")
    config.write_text(f"features.hooks = false\n{config.read_text(encoding='utf-8')}", encoding="utf-8")
    status, found = doctor(run_cli)
    assert (status, found[-1]["mend"]) == (1, "codex features enable hooks")


def test_others_that_codex_asks_too_are_a_warning(run_cli: RunCLI, codex_hooks: Path, environ: dict[str, str]) -> None:
    put(codex_hooks, "/bin/other")
    run_cli("install", "codex", "--yes", "--trust")
    assert [check["state"] for check in doctor(run_cli)[1]] == ["ok", "ok"], "the other one is not trusted"
    trust_all(environ, codex_hooks.parent)
    status, found = doctor(run_cli)
    assert (status, found[-1]["state"], found[-1]["details"]) == (0, "warn", [f"/bin/other ({codex_hooks})"])


def test_a_codex_that_cannot_be_asked_is_a_warning(
    run_cli: RunCLI, codex_hooks: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    run_cli("install", "codex", "--yes", "--trust")
    fake = tmp_path / "fake" / "codex"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    environ["PATH"] = f"{fake.parent}{os.pathsep}{environ['PATH']}"
    status, found = doctor(run_cli)
    assert (status, found[-1]["state"], found[-1]["mend"]) == (0, "warn", "codex, then /hooks")
    assert "the app-server ended with status 1" in found[-1]["finding"]


def test_the_doctor_in_words_gives_a_line_for_each(run_cli: RunCLI, claude: Path) -> None:
    put(claude, disableAllHooks=True)
    run_cli("install", "claude", "--yes")
    done = run_cli("doctor")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines()[-3:] == [
        f"✗ claude-hook  Claude Code runs no hooks: disableAllHooks is true in {claude}",
        f"               → take disableAllHooks out of {claude}",
        "✓ codex-hook   not installed; codex-oauth install codex puts it there",
    ]
