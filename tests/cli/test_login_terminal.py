"""`codex-oauth login` on a terminal: what is asked, what is shown, and what a browser is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.account import read_sign_in
from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.cli.people import POLL, Piped, decide_at_once
from tests.cli.terminal import Terminal
from tests.conftest import RunCLI

pytestmark = pytest.mark.usefixtures("login_port")

MENU = r"1, 2 or 3 \[(\d)\]: "
WAITING = "waiting for you to sign in…"


def is_signed_in(settings: Settings) -> bool:
    return read_sign_in(settings.home) is not None


def test_on_a_terminal_it_asks_which_way(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    with Terminal(environ, tmp_path, "login") as terminal:
        terminal.wait_for(MENU)
        terminal.type("4\n")
        terminal.wait_for("Error: '4' is not one of '1', '2', '3'")
        terminal.type("1\n")
        address = terminal.wait_for(r"\n  (https://\S+)\n")[1]
        terminal.wait_for(WAITING)
        chatgpt.complete_browser_login(address)
        shown = terminal.end()
    assert shown.returncode == 0
    assert "signed in  chatgpt, plan plus (person@example.com)\n" in shown.plain
    assert [line for line in shown.plain.splitlines() if len(line) > 80 and "home  " not in line] == [f"  {address}"]
    assert is_signed_in(signed_out)


def test_a_code_is_shown_large_and_once_more_to_be_copied(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    with Terminal(environ, tmp_path, "login") as terminal:
        terminal.wait_for(MENU)
        terminal.type("2\n")
        code = terminal.wait_for(r"2\. Enter this code: (LOOP-\d+)\n")[1]
        terminal.wait_for(WAITING)
        terminal.wait_for(r"\d:\d\d left, Ctrl-C gives up")
        chatgpt.approve_device(code)
        shown = terminal.end()
    assert shown.returncode == 0
    lines = shown.plain.splitlines()
    row = next(number for number, line in enumerate(lines) if " ".join(code) in line)
    assert [line.strip()[0] for line in lines[row - 2 : row + 3]] == ["╭", "│", "│", "│", "╰"]
    assert "  https://auth.openai.com/codex/device\n" in shown.plain
    assert "Whoever has the code can sign in for you: give it to nobody.\n" in shown.plain
    assert max(len(line) for line in lines if not line.startswith("home  ")) <= 80  # a path may be long
    assert is_signed_in(signed_out)


@pytest.mark.parametrize(
    ("set_here", "arguments", "proposed"),
    [
        ({}, (), "2"),
        ({"DISPLAY": ":0"}, (), "1"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, (), "1"),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}, (), "2"),
        ({"DISPLAY": ":0"}, ("--profile", "api-key"), "3"),
    ],
    ids=["no screen", "a screen", "a Wayland screen", "over ssh", "a profile for a key"],
)
def test_the_way_that_fits_the_place_is_proposed(
    environ: dict[str, str],
    key_profile: Settings,
    tmp_path: Path,
    set_here: dict[str, str],
    arguments: tuple[str, ...],
    proposed: str,
) -> None:
    key_profile.home.mkdir(parents=True, exist_ok=True)
    (key_profile.home.parent / "profile.json").write_text('{"wallet": "apiKey"}', encoding="utf-8")
    with Terminal({**environ, **set_here}, tmp_path, "login", *arguments) as terminal:
        assert terminal.wait_for(MENU)[1] == proposed
        terminal.type("\x04")
        shown = terminal.end()
    assert shown.returncode == 130
    assert shown.plain.endswith("\ninterrupted\n")
    assert max(map(len, shown.plain.splitlines())) <= 80


@pytest.mark.parametrize("way", ["--browser", "--device"])
def test_ctrl_c_gives_up(
    environ: dict[str, str],
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    processes_of: Callable[[], list[int]],
    tmp_path: Path,
    way: str,
) -> None:
    before = (settings.home / "auth.json").read_bytes()
    with Terminal(environ, tmp_path, "login", way) as terminal:
        terminal.wait_for(WAITING)
        terminal.type("\x03")
        shown = terminal.end()
    assert shown.returncode == 130
    assert shown.plain.endswith("\ninterrupted\n")
    assert processes_of() == []
    assert (settings.home / "auth.json").read_bytes() == before


def test_the_address_is_for_a_terminal_and_not_for_json_on_it(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    decide_at_once(chatgpt)
    with Terminal(environ, tmp_path, "login", "--device", "--json") as terminal:
        shown = terminal.end()
    assert shown.returncode == 0
    assert '"plan": "plus"' in shown.plain
    assert "person@example.com" not in shown.plain


@pytest.mark.parametrize(("extra", "opens"), [((), True), (("--no-open",), False)], ids=["by itself", "not wanted"])
def test_a_screens_browser_is_opened_and_not_waited_for(
    environ: dict[str, str],
    signed_out: Settings,
    chatgpt: LoopbackChatGPT,
    tmp_path: Path,
    extra: tuple[str, ...],
    opens: bool,
) -> None:
    opened, closed = tmp_path / "opened", tmp_path / "closed"
    os.mkfifo(closed)
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nexec </dev/null >/dev/null 2>&1\necho "$1" > "{opened}"\ncat "{closed}"\n', encoding="utf-8"
    )
    browser.chmod(0o755)
    with Piped({**environ, "DISPLAY": ":0", "BROWSER": str(browser)}, tmp_path, "login", "--browser", *extra) as login:
        address = login.said("https://").strip()
        if opens:
            with closed.open("w", encoding="utf-8"):  # opens once the browser is there
                chatgpt.complete_browser_login(address)
                done = login.end()
        else:
            chatgpt.complete_browser_login(address)
            done = login.end()
    assert done.returncode == 0
    assert is_signed_in(signed_out)
    assert opened.exists() is opens
    if opens:
        assert opened.read_text(encoding="utf-8").strip() == address


def test_a_browser_that_cannot_be_opened_leaves_the_address(
    environ: dict[str, str], signed_out: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    without = {**environ, "DISPLAY": ":0", "PATH": str(tmp_path / "nothing")}
    with Piped(without, tmp_path, "login", "--browser") as login:
        address = login.said("https://").strip()
        login.said("The browser could not be opened; copy the address.")
        chatgpt.complete_browser_login(address)
        assert login.end().returncode == 0


# --- from codex ------------------------------------------------------------------------------------------------------


def test_from_codex_explains_and_does_nothing_without_a_terminal(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    done = run_cli("login", "--from-codex")
    assert (done.returncode, done.stdout) == (0, b"")
    said = done.stderr.decode()
    assert "A sign-in cannot be copied from ~/.codex." in said
    assert "\n       codex-oauth login\n" in said
    assert "\n       codex-oauth complete --codex-home ~/.codex 'Is 91 prime?'\n" in said
    assert max(map(len, said.splitlines())) <= 80
    assert chatgpt.requests == ()


@pytest.mark.parametrize(("answer", "asked_on"), [("n", False), ("y", True)])
def test_from_codex_offers_to_sign_in_here(
    environ: dict[str, str], signed_out: Settings, tmp_path: Path, answer: str, asked_on: bool
) -> None:
    with Terminal(environ, tmp_path, "login", "--from-codex") as terminal:
        terminal.wait_for(r"Sign in here now\? \[Y/n\]: ")
        terminal.type(f"{answer}\n")
        if asked_on:
            terminal.wait_for(MENU)
            terminal.type("\x04")
        assert terminal.end().returncode == (130 if asked_on else 0)


def test_from_codex_with_a_way_explains_and_signs_in(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    decide_at_once(chatgpt)
    (settings.home / "auth.json").unlink()
    done = run_cli("login", "--from-codex", "--device")
    assert done.returncode == 0
    assert done.stderr.startswith(b"A sign-in cannot be copied from ~/.codex.")
    assert is_signed_in(settings)
    assert [request.path for request in chatgpt.requests].count(POLL) == 1
