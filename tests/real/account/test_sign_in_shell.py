"""`codex-oauth login` that is interrupted, killed, late, refused or overtaken."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import HttpResponse, LoopbackChatGPT
from tests.conftest import RunCLI
from tests.real.account.conftest import Start
from tests.real.account.people import Shown, Way, nothing_runs, sign_in, ways
from tests.scripted import ended


@pytest.fixture(autouse=True)
def _kept(settings: Settings) -> Iterator[None]:
    """After each of these, nothing runs and whoever was signed in still is."""
    before = (settings.home / "auth.json").read_bytes()
    yield
    assert nothing_runs(settings.home)
    assert (settings.home / "auth.json").read_bytes() == before


def waiting_login(start: Start, way: Way, *options: str) -> tuple[subprocess.Popen[str], Shown]:
    """A command that has shown what its person needs, and waits."""
    program = start("-m", "codex_oauth", "login", f"--{way}", "--no-open", *options)
    return program, Shown(program)


def end_of(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    said, complained = program.communicate(timeout=15)
    return program.returncode, said, complained


@ways
def test_ctrl_c_ends_it_with_one_line(start: Start, way: Way) -> None:
    program, _ = waiting_login(start, way)
    program.send_signal(signal.SIGINT)
    assert end_of(program) == (130, "", "interrupted\n")


_BLOCKING: Final = """
from codex_oauth import Codex
with Codex().login_{way}() as login:
    print("ready", flush=True)
    login.wait()
"""
_ASYNC: Final = """
import anyio
from codex_oauth import AsyncCodex
async def main():
    async with AsyncCodex().login_{way}() as login:
        print("ready", flush=True)
        await login.wait()
anyio.run(main)
"""


@ways
@pytest.mark.parametrize("text", [_BLOCKING, _ASYNC], ids=["blocking", "async"])
def test_ctrl_c_ends_a_program_with_a_keyboard_interrupt(start: Start, way: Way, text: str) -> None:
    program = start("-c", text.format(way=way))
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(signal.SIGINT)
    status, _, complained = end_of(program)
    assert status == -signal.SIGINT
    assert complained.endswith("KeyboardInterrupt\n")
    assert "ExceptionGroup" not in complained


@ways
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["sigterm", "sigkill"])
def test_a_killed_command_leaves_no_app_server(start: Start, way: Way, number: signal.Signals) -> None:
    program, _ = waiting_login(start, way)
    program.send_signal(number)
    assert ended(program.pid)


@ways
def test_time_that_is_up_is_said_with_the_next_step(start: Start, way: Way) -> None:
    program, _ = waiting_login(start, way, "--timeout", "0.5")
    message = "codex-oauth: nobody signed in within 0.5 s; start again: codex-oauth login\n"
    assert end_of(program) == (3, "", message)


@ways
def test_a_declined_sign_in_is_said_with_the_next_step(start: Start, chatgpt: LoopbackChatGPT, way: Way) -> None:
    program, shown = waiting_login(start, way)
    if shown.user_code is None:
        chatgpt.complete_browser_login(shown.url, error="access_denied")
    else:
        chatgpt.deny_device(shown.user_code)
    message = "codex-oauth: the sign-in was declined; start again: codex-oauth login\n"
    assert end_of(program) == (3, "", message)


def test_the_next_step_names_the_profile(start: Start, settings: Settings) -> None:
    program, _ = waiting_login(start, "device", "--timeout", "0.3", "--profile", "late")
    status, _, complained = end_of(program)
    assert (status, complained.rpartition(": ")[2]) == (3, "codex-oauth login --profile late\n")
    assert nothing_runs(settings.state_dir / "profiles" / "late" / "codex-home")


def test_device_codes_that_are_not_enabled_say_where_to_enable_them(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.respond("/api/accounts/deviceauth/usercode", HttpResponse(404, {}))
    done = run_cli("login", "--device")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"allow them in ChatGPT's security settings, or use a browser: codex-oauth login --browser\n" in done.stderr


def test_without_a_network_it_ends_with_the_next_step(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.offline = True
    done = run_cli("login", "--device")
    chatgpt.offline = False
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.endswith(b"; see to the network, and start again: codex-oauth login\n")


@pytest.mark.usefixtures("login_port")
def test_another_process_takes_the_place_of_the_first(
    start: Start, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    first, _ = waiting_login(start, "browser")
    second, shown = waiting_login(start, "browser", "--json", "--profile", "second")
    status, said, complained = end_of(first)
    assert (status, said) == (3, "")
    assert complained.startswith("codex-oauth: another sign-in on this machine took this one's place; finish that one")
    sign_in(chatgpt, shown)
    status, said, _ = end_of(second)
    home = settings.state_dir / "profiles" / "second" / "codex-home"
    assert (status, json.loads(said)) == (
        0,
        {"account": "chatgpt", "plan": "plus", "profile": "second", "home": str(home)},
    )
