"""`codex-oauth logout`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_oauth.account import read_sign_in
from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI

REVOKE = "/oauth/revoke"


def test_signing_out_revokes_the_sign_in_and_deletes_it(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    refresh_token = json.loads((settings.home / "auth.json").read_bytes())["tokens"]["refresh_token"]
    done = run_cli("logout")
    assert (done.returncode, done.stdout.decode()) == (0, f"signed out  {settings.home}\n")
    assert done.stderr == b""
    assert not (settings.home / "auth.json").exists()
    revoked = [request.fields["token"] for request in chatgpt.requests if request.path == REVOKE]
    assert revoked == [refresh_token]
    assert run_cli("status").returncode == 3


def test_signing_out_again_is_no_error(run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    assert run_cli("logout").returncode == 0
    asked = len(chatgpt.requests)
    again, as_json = run_cli("logout"), run_cli("logout", "--json")
    assert (again.returncode, again.stdout) == (0, b"")
    assert again.stderr.decode() == f"nobody was signed in in {settings.home}\n"
    assert (as_json.returncode, json.loads(as_json.stdout)) == (0, {"signed_out": False, "home": str(settings.home)})
    assert len(chatgpt.requests) == asked


def test_as_json_it_is_one_value(run_cli: RunCLI, settings: Settings) -> None:
    done = run_cli("logout", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == {"signed_out": True, "home": str(settings.home)}


def test_others_stay_signed_in(
    environ: dict[str, str], run_cli: RunCLI, settings: Settings, other_profile: Settings, chatgpt: LoopbackChatGPT
) -> None:
    codex = Path(environ["HOME"]) / ".codex"
    for home in (codex, other_profile.home):
        chatgpt.sign_in(home)
    assert run_cli("logout").returncode == 0
    assert read_sign_in(settings.home) is None
    assert read_sign_in(codex) is not None
    assert read_sign_in(other_profile.home) is not None
    assert run_cli("logout", "--profile", "other").stdout.decode() == f"signed out  {other_profile.home}\n"
    assert read_sign_in(other_profile.home) is None
    assert read_sign_in(codex) is not None


def test_a_home_of_ones_own_is_left_to_codex(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    own = tmp_path / "own"
    chatgpt.sign_in(own)
    done = run_cli("logout", "--codex-home", str(own))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        f"codex-oauth: {own} is your own and never written by this package; use codex itself to sign out there\n"
    )
    assert read_sign_in(own) is not None


def test_without_a_network_the_sign_in_is_deleted_all_the_same(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.offline = True
    done = run_cli("logout")
    assert (done.returncode, done.stdout.decode()) == (0, f"signed out  {settings.home}\n")
    assert not (settings.home / "auth.json").exists()


@pytest.mark.parametrize("content", ["", "{", "{}", '{"tokens": {"access_token": "x"}}', '{"new": "kind"}'])
def test_a_file_that_is_no_sign_in_is_deleted_too(run_cli: RunCLI, settings: Settings, content: str) -> None:
    (settings.home / "auth.json").write_text(content, encoding="utf-8")
    done = run_cli("logout")
    assert (done.returncode, done.stdout.decode()) == (0, f"signed out  {settings.home}\n")
    assert not (settings.home / "auth.json").exists()


@pytest.mark.usefixtures("settings")
def test_on_a_terminal_it_is_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    shown = run_in_terminal(environ, tmp_path, "logout")
    assert shown.returncode == 0
    assert shown.plain.splitlines()[-1].startswith("signed out  ")
