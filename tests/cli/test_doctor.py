"""`codex-oauth doctor`: what is wrong, and the one command that mends it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.account.tokens import jwt
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI

WriteCodex = Callable[[str], Path]
NO_ACCOUNT = "the token does not say which account it is for; set CODEX_ACCOUNT_ID to the ChatGPT account's id"


@pytest.fixture
def write_codex(tmp_path: Path) -> WriteCodex:
    """Writes a shell script in the place of codex."""

    def write(script: str) -> Path:
        path = tmp_path / "fake/codex"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write


def checks(stdout: bytes) -> dict[str, Any]:
    """The doctor's findings by name."""
    return {check["name"]: check for check in json.loads(stdout)["checks"]}


def sign_ins(stdout: bytes) -> list[tuple[str, str, str | None]]:
    """State, finding and remedy of each finding about sign-ins."""
    found = json.loads(stdout)["checks"]
    return [(each["state"], each["finding"], each["mend"]) for each in found if each["name"] == "sign-in"]


def copied(one: Path, other: Path, owner: str) -> str:
    """What is said of two files with one refresh token."""
    return (
        f"{one} and {other} ({owner}) hold the same refresh token, which is good for one use: whichever is refreshed "
        "first ends the other's sign-in"
    )


def test_a_healthy_doctor_has_nothing_to_mend(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    done = run_cli("doctor", "--json")
    assert (done.returncode, done.stderr, json.loads(done.stdout)["ok"]) == (0, b"", True)
    found = checks(done.stdout)
    assert list(found) == ["package", "codex", "home", "account", "environment", "service", "metrics", "policy"]
    assert {(check["state"], check["mend"]) for check in found.values()} == {("ok", None)}
    assert chatgpt.model_requests == ()


def test_the_doctor_in_words_is_a_line_for_each_check(run_cli: RunCLI) -> None:
    done = run_cli("doctor")
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.decode().splitlines()] == [
        ["✓", name] for name in ("package", "codex", "home", "account", "environment", "service", "metrics", "policy")
    ]


def test_the_doctor_of_nobody_exits_with_3_and_gives_the_command(run_cli: RunCLI, settings: Settings) -> None:
    (settings.home / "auth.json").unlink()
    done = run_cli("doctor", "--json")
    account = checks(done.stdout)["account"]
    assert (done.returncode, account["state"]) == (3, "fail")
    assert account["finding"] == "not signed in; sign in with your ChatGPT plan"
    assert account["mend"] == "codex-oauth login"


def test_the_doctor_of_a_stale_sign_in_says_why_and_gives_the_command(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh("invalidated")
    done = run_cli("doctor", "--json")
    account = checks(done.stdout)["account"]
    assert (done.returncode, account["state"], account["mend"]) == (3, "fail", "codex-oauth login")
    assert account["finding"] == "the sign-in of this home is no longer accepted: it was revoked; sign in again"


def test_the_doctor_without_a_binary_exits_with_6(run_cli: RunCLI) -> None:
    done = run_cli("doctor", "--json", "--codex-bin", "/no/such/codex")
    codex = checks(done.stdout)["codex"]
    assert (done.returncode, codex["state"]) == (6, "fail")
    assert codex["mend"] == "leave --codex-bin and CODEX_OAUTH_CODEX_BIN out"


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        ("echo codex-cli 0.100.0", "codex 0.100.0 is too old; 0.159.0 or later is needed"),
        ("echo hello", "does not answer like codex"),
        ("exit 1", "failed with status 1"),
    ],
)
def test_the_doctor_of_a_binary_that_cannot_serve_exits_with_6(
    run_cli: RunCLI, write_codex: WriteCodex, script: str, finding: str
) -> None:
    done = run_cli("doctor", "--json", "--codex-bin", str(write_codex(script)))
    assert done.returncode == 6
    assert finding in checks(done.stdout)["codex"]["finding"]


def test_the_doctor_offline_names_the_network(run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.offline = True
    done = run_cli("doctor", "--json", timeout=60)
    assert done.returncode in (1, 5)
    assert checks(done.stdout)["network"]["state"] == "fail"
    assert b"Traceback" not in done.stderr


def test_the_doctor_warns_of_a_home_of_ones_own(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    chatgpt.sign_in(own)
    done = run_cli("doctor", "--json", "--codex-home", str(own))
    assert (done.returncode, checks(done.stdout)["home"]["state"]) == (0, "warn")
    assert checks(done.stdout)["home"]["details"][0].startswith("project_doc_max_bytes is not 0")


def test_the_doctor_finds_instructions_in_the_home(run_cli: RunCLI, settings: Settings) -> None:
    path = settings.home / "AGENTS.md"
    path.write_text("Speak like a pirate.", encoding="utf-8")
    try:
        done = run_cli("doctor", "--json")
    finally:
        path.unlink()
    assert (done.returncode, checks(done.stdout)["home"]["mend"]) == (2, f"mv '{path}' .")


def test_the_doctor_of_a_wrong_configuration_exits_with_2(run_cli: RunCLI, environ: dict[str, str]) -> None:
    path = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("timeout = 0", encoding="utf-8")
    done = run_cli("doctor", "--json")
    assert (done.returncode, checks(done.stdout)["configuration"]["state"]) == (2, "fail")


def test_the_doctor_makes_no_profile_of_a_name_that_was_mistyped(run_cli: RunCLI, other_profile: Settings) -> None:
    done = run_cli("doctor", "--json", "--profile", "other")
    home = checks(done.stdout)["home"]
    assert (done.returncode, home["state"], home["finding"]) == (2, "fail", "there is no profile 'other'")
    assert home["mend"] == "codex-oauth login --profile other"
    assert not other_profile.home.parent.exists()


# --- sign-ins of others ----------------------------------------------------------------------------------------------


def test_other_programs_sign_ins_are_named_and_are_no_problem(
    environ: dict[str, str], run_cli: RunCLI, chatgpt: LoopbackChatGPT
) -> None:
    user = Path(environ["HOME"])
    chatgpt.sign_in(user / ".codex")
    opencode = user / ".local/share/opencode/auth.json"
    opencode.parent.mkdir(parents=True)
    opencode.write_text(json.dumps({"openai": {"type": "oauth", "refresh": "rt-other"}}), encoding="utf-8")
    done = run_cli("doctor", "--json")
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)
    theirs = f"codex ({user / '.codex/auth.json'}), opencode ({opencode})"
    assert sign_ins(done.stdout) == [("ok", f"other programs' own, not used here: {theirs}", None)]
    assert b"rt-other" not in done.stdout


def test_a_copied_sign_in_is_a_warning_with_a_command(
    environ: dict[str, str], run_cli: RunCLI, settings: Settings
) -> None:
    theirs = Path(environ["HOME"]) / ".codex/auth.json"
    theirs.parent.mkdir()
    shutil.copy(settings.home / "auth.json", theirs)
    done = run_cli("doctor", "--json")
    assert done.returncode == 0
    mine = settings.home / "auth.json"
    assert sign_ins(done.stdout) == [("warn", copied(mine, theirs, "codex"), "codex-oauth login")]
    token = json.loads(mine.read_bytes())["tokens"]["refresh_token"]
    assert token.encode() not in done.stdout


def test_a_copied_sign_in_of_a_profile_is_mended_there(
    environ: dict[str, str], run_cli: RunCLI, settings: Settings, other_profile: Settings, chatgpt: LoopbackChatGPT
) -> None:
    theirs = Path(environ["HOME"]) / "elsewhere"
    chatgpt.sign_in(theirs)
    other_profile.home.mkdir(parents=True)
    shutil.copy(theirs / "auth.json", other_profile.home)
    environ["CODEX_HOME"] = str(theirs)
    expected = copied(other_profile.home / "auth.json", theirs / "auth.json", "codex")
    for arguments in ((), ("--profile", "other")):
        done = run_cli("doctor", "--json", *arguments)
        assert sign_ins(done.stdout) == [("warn", expected, "codex-oauth login --profile other")]


def test_a_home_of_ones_own_is_no_other_programs(
    environ: dict[str, str], run_cli: RunCLI, chatgpt: LoopbackChatGPT
) -> None:
    own = Path(environ["HOME"]) / ".codex"
    chatgpt.sign_in(own)
    assert sign_ins(run_cli("doctor", "--json", "--codex-home", str(own)).stdout) == []


def test_a_link_to_the_homes_sign_in_is_no_copy_and_no_other_one(
    environ: dict[str, str], run_cli: RunCLI, settings: Settings
) -> None:
    link = Path(environ["HOME"]) / ".codex/auth.json"
    link.parent.mkdir()
    link.symlink_to(settings.home / "auth.json")
    done = run_cli("doctor", "--json")
    assert (done.returncode, sign_ins(done.stdout)) == (0, [])


def test_a_finding_is_folded_on_a_terminal_and_its_command_is_whole(
    environ: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    theirs = Path(environ["HOME"]) / ".codex/auth.json"
    theirs.parent.mkdir()
    shutil.copy(settings.home / "auth.json", theirs)
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "doctor", columns=120).plain
    lines = [line for line in shown.splitlines() if "…" not in line]
    start = next(number for number, line in enumerate(lines) if line.startswith("! sign-in      "))
    assert "               → codex-oauth login" in lines[start:]
    assert all(len(line) <= 120 or "auth.json" in line for line in lines)


# --- an external token -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "status", "finding"),
    [
        (
            {"CODEX_OAUTH_CREDENTIAL": '{"access_token": 3}'},
            2,
            "CODEX_OAUTH_CREDENTIAL: 'access_token' must be text",
        ),
        (
            {"CODEX_OAUTH_TOKEN": jwt({"sub": "x"})},
            2,
            f"CODEX_OAUTH_TOKEN: {NO_ACCOUNT}",
        ),
        (
            {"CODEX_OAUTH_TOKEN": jwt({"exp": 1}), "CODEX_ACCOUNT_ID": "acc_1"},
            3,
            "the token in CODEX_OAUTH_TOKEN has expired; set a fresh one, or a token_command in the configuration",
        ),
    ],
    ids=["malformed", "no account", "expired"],
)
def test_a_token_that_is_no_good_is_told_whole(
    environ: dict[str, str], run_cli: RunCLI, variables: dict[str, str], status: int, finding: str
) -> None:
    environ |= variables
    done = run_cli("doctor", "--json")
    account = checks(done.stdout)["account"]
    assert (done.returncode, account["state"], account["finding"], account["mend"]) == (status, "fail", finding, None)


def test_a_token_command_that_fails_is_told_whole(environ: dict[str, str], run_cli: RunCLI) -> None:
    path = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('token_command = ["/no/such/program"]', encoding="utf-8")
    done = run_cli("doctor", "--json")
    account = checks(done.stdout)["account"]
    assert (done.returncode, account["mend"]) == (3, None)
    assert account["finding"] == ("token_command: /no/such/program: no such program or folder")


def test_a_token_that_is_good_is_named(environ: dict[str, str], run_cli: RunCLI, settings: Settings) -> None:
    token = json.loads((settings.home / "auth.json").read_bytes())["tokens"]["access_token"]
    environ["CODEX_OAUTH_TOKEN"] = token
    done = run_cli("doctor", "--json")
    assert checks(done.stdout)["account"]["finding"] == "chatgpt, plan plus, with the token of CODEX_OAUTH_TOKEN"
    assert token.encode() not in done.stdout + done.stderr


def test_recording_and_the_endpoint_are_told_of_where_they_are_used(
    run_cli: RunCLI, environ: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    assert not {"recording", "endpoint"} & checks(run_cli("doctor", "--json").stdout).keys()
    environ["CODEX_OAUTH_RECORD"] = str(tmp_path / "recorded.jsonl")
    token = settings.state_dir / "endpoint-token"
    token.write_text("a-token-of-my-own-choice")
    try:
        token.chmod(0o600)
        found = checks(run_cli("doctor", "--json").stdout)
        assert (found["recording"]["state"], found["endpoint"]["state"]) == ("ok", "ok")
        token.chmod(0o644)
        environ["CODEX_OAUTH_RECORD"] = str(tmp_path)
        found = checks(run_cli("doctor", "--json").stdout)
        assert (found["recording"]["state"], found["endpoint"]["state"]) == ("warn", "warn")
        assert found["endpoint"]["mend"] == f"chmod 600 {token}"
    finally:
        token.unlink()
