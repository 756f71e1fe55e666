"""`codex-oauth login --api-key`: into a profile of its own, and seen by nobody on the way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codex_oauth.account import read_sign_in
from codex_oauth.config import Settings, load_settings
from codex_oauth.process import find_binary
from codex_oauth.testing import LoopbackChatGPT
from tests.cli.people import decide_at_once
from tests.cli.terminal import Terminal
from tests.conftest import RunCLI

KEY = "sk-loopback-a1b2c3d4e5f6"
ASKED = "API key: "


def has_key(profile: Settings) -> bool:
    sign_in = read_sign_in(profile.home)
    return sign_in is not None and sign_in.wallet == "apiKey"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_key_from_stdin_goes_into_a_profile_and_nowhere_else(
    run_cli: RunCLI, settings: Settings, key_profile: Settings, chatgpt: LoopbackChatGPT, ending: str
) -> None:
    before = (settings.home / "auth.json").read_bytes()
    done = run_cli("login", "--api-key", stdin=KEY + ending)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        "signed in  apiKey, billed for each call",
        f"home       {key_profile.home}",
        "next       codex-oauth complete --profile api-key 'Is 91 prime?'",
    ]
    assert done.stderr.decode() == "Calls with --profile api-key will be billed to this key. No other call uses it.\n"
    assert json.loads((key_profile.home / "auth.json").read_bytes())["OPENAI_API_KEY"] == KEY
    assert (settings.home / "auth.json").read_bytes() == before
    assert chatgpt.requests == ()


def test_a_key_can_go_into_a_profile_with_a_name(run_cli: RunCLI, other_profile: Settings) -> None:
    done = run_cli("login", "--api-key", "--profile", "other", "--json", stdin=KEY)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "account": "apiKey",
        "plan": None,
        "profile": "other",
        "home": str(other_profile.home),
    }
    assert has_key(other_profile)


def test_a_terminal_asks_for_the_key_and_does_not_show_it(
    environ: dict[str, str], key_profile: Settings, tmp_path: Path
) -> None:
    with Terminal(environ, tmp_path, "login") as terminal:
        terminal.wait_for(r"1, 2 or 3 \[2\]: ")
        terminal.type("3\n")
        terminal.wait_for(ASKED)
        terminal.type(f"{KEY}\n")
        shown = terminal.end()
    assert shown.returncode == 0
    assert "signed in  apiKey, billed for each call\n" in shown.plain
    assert KEY not in shown.text
    assert max(len(line) for line in shown.plain.splitlines() if not line.startswith("home ")) <= 80
    assert has_key(key_profile)


def test_a_key_is_hidden_wherever_stderr_goes(environ: dict[str, str], key_profile: Settings, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = f"exec {sys.executable} -m codex_oauth login --api-key 2>{log}"
    with Terminal(environ, tmp_path, command=("/bin/sh", "-c", command)) as terminal:
        terminal.wait_for(ASKED)
        terminal.type(f"{KEY}\n")
        shown = terminal.end()
    assert shown.returncode == 0
    assert KEY not in shown.text + log.read_text(encoding="utf-8")
    assert has_key(key_profile)


@pytest.mark.parametrize(("typed", "status"), [("\x03", 130), ("\x04", 130), ("one two\n", 2)])
def test_a_terminal_that_gives_no_key_leaves_nothing(
    environ: dict[str, str], key_profile: Settings, tmp_path: Path, typed: str, status: int
) -> None:
    with Terminal(environ, tmp_path, "login", "--api-key") as terminal:
        terminal.wait_for(ASKED)
        if typed == "\x03":
            shown = terminal.interrupt_prompt()
        else:
            terminal.type(typed)
            shown = terminal.end()
    assert shown.returncode == status
    assert not (key_profile.home / "auth.json").exists()
    assert not (key_profile.home.parent / "profile.json").exists()


@pytest.mark.parametrize(
    ("stdin", "complaint"),
    [
        (b"", "one word is expected"),
        (b" \n", "one word is expected"),
        (b"sk-secret-1 sk-secret-2", "one word is expected"),
        (b"OPENAI_API_KEY=x\nsk-secret", "one word is expected"),
        (b"sk-secret-" + b"x" * 4096, "one word is expected"),
        ("sk-secret-größe".encode(), "one word is expected"),
        (b"sk-secret\xff", "one word is expected"),
        (b"eyJhbGciOi.secret.sig", "that is an access token, not an API key"),
    ],
    ids=["nothing", "white space", "two words", "two lines", "too long", "not ASCII", "not UTF-8", "a token"],
)
def test_what_is_no_key_exits_with_2_and_is_not_repeated(
    run_cli: RunCLI, key_profile: Settings, stdin: bytes, complaint: str
) -> None:
    done = run_cli("login", "--api-key", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert complaint in " ".join(done.stderr.decode().split())
    assert b"secret" not in done.stderr
    assert not (key_profile.home / "auth.json").exists()


def test_a_plan_and_a_key_do_not_share_a_profile(
    run_cli: RunCLI, key_profile: Settings, other_profile: Settings, chatgpt: LoopbackChatGPT
) -> None:
    decide_at_once(chatgpt)
    assert run_cli("login", "--api-key", stdin=KEY).returncode == 0
    assert run_cli("login", "--device", "--profile", "other").returncode == 0
    plan_on_key = run_cli("login", "--device", "--profile", "api-key")
    key_on_plan = run_cli("login", "--api-key", "--profile", "other", stdin=KEY)
    assert (plan_on_key.returncode, key_on_plan.returncode) == (2, 2)
    assert "profile 'api-key' is for an API key; choose another --profile NAME" in plan_on_key.stderr.decode()
    assert "profile 'other' is for a ChatGPT plan; choose another --profile NAME" in key_on_plan.stderr.decode()
    assert has_key(key_profile)
    assert not has_key(other_profile)


def test_codex_is_given_the_key_neither_as_an_argument_nor_in_its_environment(
    environ: dict[str, str], tmp_path: Path
) -> None:
    real, seen = find_binary(load_settings(environ=environ)).path, tmp_path / "seen"
    codex = tmp_path / "codex"
    codex.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; }} >> "{seen}"\nexec "{real}" "$@"\n', encoding="utf-8")
    codex.chmod(0o755)
    state = {**environ, "XDG_STATE_HOME": str(tmp_path / "state"), "OPENAI_API_KEY": KEY}
    done = subprocess.run(
        [sys.executable, "-m", "codex_oauth", "login", "--api-key", "--codex-bin", str(codex)],
        input=KEY.encode(),
        env=state,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = seen.read_text(encoding="utf-8")
    assert "app-server\n" in said
    assert KEY not in said
    assert KEY.encode() not in done.stdout + done.stderr
    holding = [path.name for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert holding == ["auth.json"]


def test_a_key_is_told_from_a_plan_by_every_command(run_cli: RunCLI, key_profile: Settings) -> None:
    named = ("--profile", "api-key")
    assert run_cli("login", "--api-key", stdin=KEY).returncode == 0
    status, doctor, limits = (run_cli(command, *named) for command in ("status", "doctor", "limits"))
    assert status.returncode == 0
    assert status.stdout.decode().splitlines() == [
        f"home      {key_profile.home}  (profile api-key)",
        "account   apiKey",
        "plan      none: each call is billed",
    ]
    assert doctor.returncode == 0
    assert re.search(r"✓ account +apiKey, each call is billed\n", doctor.stdout.decode())
    assert (limits.returncode, limits.stdout) == (3, b"")
    assert "limits are those of a plan" in limits.stderr.decode()
