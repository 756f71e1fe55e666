"""`codex-oauth status`: who would pay, and how good the sign-in is."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.account import read_sign_in
from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.account.tokens import write_sign_in
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI

KEYS = {
    *("home", "managed", "profile", "signed_in", "account", "plan", "external", "token", "stale"),
    *("withheld_variables", "error"),
}


def test_status_says_who_pays_from_where_and_for_how_long(run_cli: RunCLI, settings: Settings) -> None:
    done = run_cli("status")
    assert (done.returncode, done.stderr) == (0, b"")
    home, account, plan, token, refresh = done.stdout.decode().splitlines()
    assert (home, account, plan) == (f"home      {settings.home}", "account   chatgpt", "plan      plus")
    assert re.fullmatch(r"token     \d+ s old, expires in (59|60) min", token)
    assert re.fullmatch(r"refresh   last \d+ s ago", refresh)


def test_status_as_json_is_one_value(run_cli: RunCLI, settings: Settings) -> None:
    sign_in = read_sign_in(settings.home)
    assert sign_in is not None
    done = run_cli("status", "--json")
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)
    said = json.loads(done.stdout)
    token = said.pop("token")
    assert said == {
        "home": str(settings.home),
        "managed": True,
        "profile": None,
        "signed_in": True,
        "account": "chatgpt",
        "plan": "plus",
        "external": None,
        "stale": None,
        "withheld_variables": [],
        "error": None,
    }
    assert (token["issued_at"], token["expires_at"]) == (sign_in.issued_at, sign_in.expires_at)
    assert token["last_refresh"] == sign_in.last_refresh
    assert 0 <= token["age_s"] <= 60
    assert 3540 <= token["expires_in_s"] <= 3600


def test_the_address_is_for_a_terminal_only(
    run_cli: RunCLI, environ: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    assert "person@example.com" in run_in_terminal(environ, tmp_path, "status").text
    assert b"person@example.com" not in run_cli("status").stdout
    assert "person@example.com" not in run_in_terminal(environ, tmp_path, "status", "--json").text


@pytest.mark.parametrize("extra", [(), ("--json",)], ids=["words", "json"])
def test_status_of_nobody_exits_with_3(run_cli: RunCLI, settings: Settings, extra: tuple[str, ...]) -> None:
    (settings.home / "auth.json").unlink()
    done = run_cli("status", *extra)
    assert done.returncode == 3
    if extra:
        said = json.loads(done.stdout)
        assert set(said) == KEYS
        assert (said["signed_in"], said["error"]["code"], said["token"]) == (False, "not_logged_in", None)
        assert done.stderr == b""
    else:
        assert done.stdout.decode() == f"home      {settings.home}\n"
        assert done.stderr.decode() == (
            "codex-oauth: not signed in; sign in with your ChatGPT plan: codex-oauth login\n"
        )


def test_a_stale_sign_in_is_told_with_its_reason_and_not_tried_again(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-600)
    chatgpt.refuse_refresh("reused")
    first = run_cli("status")
    asked = len(chatgpt.refresh_requests)
    second, as_json = run_cli("status"), run_cli("status", "--json")
    for done in (first, second):
        assert done.returncode == 3
        token, _, stale = done.stdout.decode().splitlines()[-3:]
        assert re.fullmatch(r"token     10 min old, expired 10 min ago", token)
        assert re.fullmatch(r"stale     the service refused to refresh it \d+ s ago: reused", stale)
        assert done.stderr.decode().rstrip().endswith("; sign in again: codex-oauth login")
    said = json.loads(as_json.stdout)
    assert (as_json.returncode, said["signed_in"], said["stale"]["reason"]) == (3, False, "reused")
    assert said["error"]["code"] == "reauthentication_required"
    assert said["token"]["expires_in_s"] < 0
    assert len(chatgpt.refresh_requests) == asked > 0


def test_a_token_that_cannot_be_refreshed_just_now_is_not_stale(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-600)
    chatgpt.offline = True
    done = run_cli("status", timeout=60)
    assert done.returncode in (1, 5)
    assert b"stale" not in done.stdout
    assert b"Traceback" not in done.stderr


def test_a_token_that_has_expired_is_refreshed_by_asking(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-600)
    done = run_cli("status")
    assert done.returncode == 0
    assert re.search(r"^token     \d+ s old, expires in (59|60) min$", done.stdout.decode(), re.MULTILINE)
    assert len(chatgpt.refresh_requests) == 1


@pytest.mark.parametrize(
    ("issued", "expires", "said"),
    [
        (-90, 3590, r"(9\d|10\d) s old, expires in 59 min"),
        (-7260, 86_400 * 9 + 60, "2 h old, expires in 9 d"),
        (-86_460 * 3, 3600 * 30 + 60, "3 d old, expires in 30 h"),
        (-1e12, 4e12, r"\d+ d old, expires in \d+ d"),
        (None, 7260, "expires in 2 h"),
        ("then", "soon", "does not say when it expires"),
        (10**400, 10**400, "does not say when it expires"),
        (float("nan"), float("inf"), "does not say when it expires"),
    ],
    ids=["seconds", "hours", "days", "far away", "no begin", "words", "beyond a float", "no numbers"],
)
def test_a_tokens_age_is_told_in_words_whatever_it_says(
    run_cli: RunCLI, settings: Settings, issued: Any, expires: Any, said: str
) -> None:
    now = time.time()
    times = {"iat": issued, "exp": expires}
    claims = {name: now + at if isinstance(at, float | int) and abs(at) < 1e300 else at for name, at in times.items()}
    write_sign_in(settings.home, claims)
    done = run_cli("status")
    assert b"Traceback" not in done.stderr
    token = re.search(r"^token     (.*)$", done.stdout.decode(), re.MULTILINE)
    assert token is not None
    assert re.fullmatch(said, token[1])


def test_status_names_what_is_withheld_and_not_its_value(
    environ: dict[str, str], run_cli: RunCLI, settings: Settings
) -> None:
    environ |= {"OPENAI_API_KEY": "sk-secret-value", "CODEX_ACCESS_TOKEN": "secret-token", "XAI_API_KEY": ""}
    words, as_json = run_cli("status"), run_cli("status", "--json")
    assert (words.returncode, as_json.returncode) == (0, 0)
    last = words.stdout.decode().splitlines()[-1]
    assert last == "withheld  CODEX_ACCESS_TOKEN, OPENAI_API_KEY (could pay; not given to codex)"
    assert len(last) <= 80
    assert json.loads(as_json.stdout)["withheld_variables"] == ["CODEX_ACCESS_TOKEN", "OPENAI_API_KEY"]
    assert b"secret" not in words.stdout + words.stderr + as_json.stdout


def test_status_makes_no_model_request(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    assert run_cli("status").returncode == 0
    assert chatgpt.model_requests == ()


def test_an_external_token_is_named_and_not_shown(
    environ: dict[str, str], run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    token = json.loads((settings.home / "auth.json").read_bytes())["tokens"]["access_token"]
    environ |= {"CODEX_OAUTH_TOKEN": token, "CODEX_ACCOUNT_ID": "acc_1"}
    words, as_json = run_cli("status"), run_cli("status", "--json")
    assert (words.returncode, as_json.returncode) == (0, 0)
    assert words.stdout.decode().splitlines() == [
        f"home      {settings.state_dir / 'external-home'}",
        "account   chatgpt",
        "plan      plus",
        "token     from CODEX_OAUTH_TOKEN",
    ]
    said = json.loads(as_json.stdout)
    assert (said["external"], said["token"], said["stale"]) == ("CODEX_OAUTH_TOKEN", None, None)
    assert token.encode() not in words.stdout + words.stderr + as_json.stdout + as_json.stderr
    assert not (settings.state_dir / "external-home" / "auth.json").exists()


@pytest.mark.parametrize(
    ("variable", "value", "status"),
    [
        ("CODEX_OAUTH_CREDENTIAL", '{"tokens": {"access_token": "secret-token"}}', 2),
        ("CODEX_OAUTH_CREDENTIAL", "secret-token", 2),
        ("CODEX_OAUTH_TOKEN", "secret token", 2),
    ],
)
def test_an_external_token_that_is_none_exits_with_2_before_anything_is_asked(
    environ: dict[str, str], run_cli: RunCLI, chatgpt: LoopbackChatGPT, variable: str, value: str, status: int
) -> None:
    environ[variable] = value
    done = run_cli("status")
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.startswith(f"codex-oauth: {variable}: ".encode())
    assert b"secret" not in done.stderr
    assert chatgpt.requests == ()


def test_a_profile_is_named(run_cli: RunCLI, other_profile: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(other_profile.home, plan="pro")
    done = run_cli("status", "--profile", "other")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[:3] == [
        f"home      {other_profile.home}  (profile other)",
        "account   chatgpt",
        "plan      pro",
    ]


def test_a_home_of_ones_own_is_named_so(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    own = tmp_path / "own"
    chatgpt.sign_in(own)
    done = run_cli("status", "--codex-home", str(own))
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[0] == f"home      {own}  (your own)"
