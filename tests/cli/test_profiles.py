"""`codex-oauth profiles`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI


@pytest.fixture
def state(environ: dict[str, str], tmp_path: Path) -> Path:
    """The folder of this package's own files: of this test alone."""
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    return tmp_path / "state" / "codex-oauth"


def test_before_anything_there_is_the_account_that_calls_use(run_cli: RunCLI, state: Path) -> None:
    done = run_cli("profiles")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        "profile       pays with       signed in  home",
        f"(none named)  a ChatGPT plan  no         {state / 'codex-home'}",
    ]
    assert not state.exists()


def test_every_account_with_a_home_is_listed(run_cli: RunCLI, state: Path, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(state / "codex-home")
    chatgpt.sign_in(state / "profiles/work/codex-home", plan="pro")
    chatgpt.sign_in_with_api_key(state / "profiles/ci/codex-home")
    (state / "profiles/ci/profile.json").write_text('{"wallet": "apiKey"}', encoding="utf-8")
    (state / "profiles/away/codex-home").mkdir(parents=True)
    (state / "profiles/empty").mkdir()
    (state / "profiles/file").touch()
    words, as_json = run_cli("profiles"), run_cli("profiles", "--json")
    assert (words.returncode, as_json.returncode, as_json.stderr) == (0, 0, b"")
    assert [line.split("  /")[0].rstrip() for line in words.stdout.decode().splitlines()] == [
        "profile       pays with           signed in       home",
        "(none named)  a ChatGPT plan      yes, plan plus",
        "away          a ChatGPT plan      no",
        "ci            an API key, billed  yes",
        "work          a ChatGPT plan      yes, plan pro",
    ]
    listed = json.loads(as_json.stdout)
    assert listed[3] == {
        "profile": "work",
        "wallet": "chatgpt",
        "signed_in": True,
        "plan": "pro",
        "home": str(state / "profiles/work/codex-home"),
    }
    assert [(each["profile"], each["wallet"], each["signed_in"], each["plan"]) for each in listed[:3]] == [
        (None, "chatgpt", True, "plus"),
        ("away", "chatgpt", False, None),
        ("ci", "apiKey", True, None),
    ]
    assert chatgpt.requests == ()


@pytest.mark.parametrize(
    "command", [("status",), ("limits",), ("models",), ("logout",), ("complete", "hi")], ids=" ".join
)
def test_a_name_that_was_mistyped_is_told_and_made_nothing_of(
    run_cli: RunCLI, state: Path, chatgpt: LoopbackChatGPT, command: tuple[str, ...]
) -> None:
    done = run_cli(*command, "--profile", "wrok")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"codex-oauth: there is no profile 'wrok'; codex-oauth login --profile wrok makes it")
    assert not (state / "profiles").exists()
    assert chatgpt.requests == ()


def test_the_home_can_be_copied_from_a_narrow_terminal(
    environ: dict[str, str], state: Path, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    home = state / "profiles" / ("work-" * 8 + "x") / "codex-home"
    chatgpt.sign_in(home)
    shown = run_in_terminal(environ, tmp_path, "profiles", columns=60)
    assert shown.returncode == 0
    assert shown.plain.splitlines()[-1].endswith(f"  {home}")


def test_the_name_of_a_folder_is_no_markup_and_no_control_sequence(
    run_cli: RunCLI, state: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    (state / "profiles" / "[red]a\x1b[2Jb" / "codex-home").mkdir(parents=True)
    shown = run_in_terminal(environ, tmp_path, "profiles").text
    assert "\x1b[2J" not in shown
    assert shown.splitlines()[-1].startswith("[red]a\ufffd[2Jb ")
