"""`codex-oauth login` with a ChatGPT plan, where nobody is at a terminal: what is printed, and how it ends."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.account import read_sign_in, refusal_of
from codex_oauth.config import Settings
from codex_oauth.testing import HttpResponse, LoopbackChatGPT
from tests.cli.people import Piped, decide_at_once
from tests.conftest import RunCLI

pytestmark = pytest.mark.usefixtures("login_port")


def is_signed_in(settings: Settings) -> bool:
    return read_sign_in(settings.home) is not None


# --- without a terminal ----------------------------------------------------------------------------------------------


def test_without_a_terminal_it_is_a_code_that_a_person_approves_elsewhere(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    with Piped(environ, tmp_path, "login") as login:
        line = login.said("enter the code")
        found = re.fullmatch(r"Open (https://\S+) in any browser, sign in, and enter the code (LOOP-\d+)\n", line)
        assert found is not None
        assert found[1] == "https://auth.openai.com/codex/device"
        assert login.said("waiting") == "waiting, for at most 600 s…\n"
        chatgpt.approve_device(found[2], plan="pro")
        done = login.end()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "signed in  chatgpt, plan pro",
        f"home       {signed_out.home}",
        "next       codex-oauth complete 'Is 91 prime?'",
    ]
    assert is_signed_in(signed_out)


def test_as_json_it_is_one_value_without_an_address(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    decide_at_once(chatgpt)
    done = run_cli("login", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "account": "chatgpt",
        "plan": "plus",
        "profile": None,
        "home": str(settings.home),
    }


def test_a_browser_signs_in_at_the_address_that_is_printed(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    with Piped(environ, tmp_path, "login", "--browser") as login:
        address = login.said("https://").strip()
        assert login.said("waiting") == "waiting, for at most 300 s…\n"
        chatgpt.complete_browser_login(address)
        done = login.end()
    assert done.returncode == 0
    assert done.stdout.startswith("signed in  chatgpt, plan plus\n")
    assert is_signed_in(signed_out)


def test_a_profile_is_another_account_with_a_home_of_its_own(
    run_cli: RunCLI, settings: Settings, other_profile: Settings, chatgpt: LoopbackChatGPT
) -> None:
    decide_at_once(chatgpt)
    before = (settings.home / "auth.json").read_bytes()
    done = run_cli("login", "--profile", "other")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[1:] == [
        f"home       {other_profile.home}",
        "next       codex-oauth complete --profile other 'Is 91 prime?'",
    ]
    assert is_signed_in(other_profile)
    assert (settings.home / "auth.json").read_bytes() == before


@pytest.mark.parametrize("extra", [(), ("--json",)], ids=["words", "json"])
def test_nothing_secret_and_no_address_is_printed(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT, extra: tuple[str, ...]
) -> None:
    decide_at_once(chatgpt)
    done = run_cli("login", *extra)
    assert done.returncode == 0
    tokens: dict[str, str] = json.loads((settings.home / "auth.json").read_bytes())["tokens"]
    printed = (done.stdout + done.stderr).decode()
    assert [name for name, value in tokens.items() if value in printed] == []
    assert "person@example.com" not in printed


def test_the_file_of_a_sign_in_is_its_owners_alone(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    decide_at_once(chatgpt)
    (settings.home / "auth.json").unlink()
    assert run_cli("login").returncode == 0
    assert stat.S_IMODE((settings.home / "auth.json").stat().st_mode) == 0o600


def test_a_sign_in_ends_what_was_noted_of_the_last_one(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.refuse_refresh("expired")
    assert run_cli("status").returncode == 3
    chatgpt.refuse_refresh(None)
    decide_at_once(chatgpt)
    assert run_cli("login").returncode == 0
    sign_in = read_sign_in(settings.home)
    assert sign_in is not None
    assert refusal_of(settings, sign_in) is None
    assert run_cli("status").returncode == 0


# --- how it fails ----------------------------------------------------------------------------------------------------


def test_a_code_that_is_declined_exits_with_3_and_leaves_the_sign_in_that_was(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    before = (settings.home / "auth.json").read_bytes()
    decide_at_once(chatgpt, approve=False)
    done = run_cli("login")
    assert (done.returncode, done.stdout) == (3, b"")
    assert "codex-oauth: the sign-in was declined; start again" in done.stderr.decode()
    assert (settings.home / "auth.json").read_bytes() == before


def test_a_browser_that_declines_exits_with_3(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    with Piped(environ, tmp_path, "login", "--browser") as login:
        chatgpt.complete_browser_login(login.said("https://").strip(), error="access_denied")
        done = login.end()
    assert (done.returncode, done.stdout) == (3, "")
    assert "codex-oauth: the sign-in was declined; start again" in done.stderr
    assert not is_signed_in(signed_out)


def test_nobody_in_time_exits_with_3(run_cli: RunCLI, settings: Settings) -> None:
    before = (settings.home / "auth.json").read_bytes()
    done = run_cli("login", "--timeout", "0.3")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode().endswith(
        "\ncodex-oauth: nobody signed in within 0.3 s; start again: codex-oauth login\n"
    )
    assert (settings.home / "auth.json").read_bytes() == before


def test_an_account_that_may_not_use_codes_is_told_of_the_other_way(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.respond("/api/accounts/deviceauth/usercode", HttpResponse(404, {}))
    done = run_cli("login")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode().endswith("or use a browser: codex-oauth login --browser\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--timeout", "0"), "0 is not in the range 0<x<=86400"),
        (("--timeout", "soon"), "'soon' is not a valid float"),
        (("--profile", "../other"), "a profile's name has 1 to 64 letters"),
        (("--profile", ""), "a profile's name has 1 to 64 letters"),
        (("--profile", "a", "--home", "/b"), "give one of --home"),
        (("--codex-home", "."), "is your own and never written by this package; use codex itself to sign in there"),
        (("--api-key", "--home", "/b"), "give one of home="),
        (("extra",), "unexpected extra argument"),
    ],
)
def test_a_wrong_use_exits_with_2_and_asks_nobody(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...], complaint: str
) -> None:
    done = run_cli("login", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert complaint in done.stderr.decode()
    assert chatgpt.requests == ()


@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_token_of_somebody_elses_is_neither_signed_in_nor_out(
    environ: dict[str, str], run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT, command: str
) -> None:
    environ["CODEX_OAUTH_TOKEN"] = "secret-token"
    done = run_cli(command)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "codex-oauth: calls use the token of CODEX_OAUTH_TOKEN: unset that to sign " in done.stderr.decode()
    assert b"secret-token" not in done.stderr
    assert chatgpt.requests == ()


def test_an_interrupt_exits_with_130_and_cancels_the_sign_in(
    environ: dict[str, str],
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    processes_of: Callable[[], list[int]],
    tmp_path: Path,
) -> None:
    before = (settings.home / "auth.json").read_bytes()
    with Piped(environ, tmp_path, "login", "--browser") as login:
        address = login.said("https://").strip()
        login.said("waiting")
        login.interrupt()
        done = login.end()
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
    assert processes_of() == []
    with pytest.raises(OSError, match="refused"):
        chatgpt.complete_browser_login(address)
    assert (settings.home / "auth.json").read_bytes() == before
