"""A person at a real browser signs the real binary in."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.chromium import Chromium

from .app_server import AppServer

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("login_port")]

StartCodex = Callable[[], AppServer]


@pytest.mark.parametrize(
    ("hosted", "host", "path", "said"),
    [
        (False, "127.0.0.1", "/success", "Signed in"),
        (True, "chatgpt.com", "/codex/open-app", "You are signed in"),
    ],
)
def test_continue_on_the_consent_page_signs_in(
    chatgpt: LoopbackChatGPT,
    chromium: Chromium,
    start_codex: StartCodex,
    hosted: bool,
    host: str,
    path: str,
    said: str,
) -> None:
    chatgpt.consent_page = True
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgpt", "useHostedLoginSuccessPage": hosted})

    chromium.open(login["authUrl"])
    assert "Sign in to Codex as person@example.com?" in chromium.text()
    chromium.click("button[value=continue]")
    chromium.wait_for_load()

    landed = urlsplit(chromium.url())
    assert (landed.hostname, landed.path) == (host, path)
    assert said in chromium.text()
    assert codex.wait_for("account/login/completed")["success"] is True
    assert codex.call("account/read", {})["account"]["email"] == "person@example.com"
    assert codex.turn(codex.start_thread(), "hi").text == "You said: hi"


def test_cancel_on_the_consent_page_signs_nobody_in(
    chatgpt: LoopbackChatGPT, chromium: Chromium, start_codex: StartCodex
) -> None:
    chatgpt.consent_page = True
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgpt"})

    chromium.open(login["authUrl"])
    chromium.click("button[value=cancel]")
    chromium.wait_for_load()

    assert urlsplit(chromium.url()).path == "/auth/callback"
    assert codex.wait_for("account/login/completed")["success"] is False
    assert codex.call("account/read", {})["account"] is None


@pytest.mark.parametrize(("button", "said", "success"), [("approve", "Approved", True), ("deny", "Denied", False)])
def test_a_code_typed_on_the_device_page_is_decided_there(
    chromium: Chromium, start_codex: StartCodex, button: str, said: str, success: bool
) -> None:
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgptDeviceCode"})

    chromium.open(login["verificationUrl"])
    chromium.fill("[name=user_code]", "LOOP-99999")
    chromium.click(f"button[value={button}]")
    chromium.wait_for_load()
    assert "No sign-in waits for the code “LOOP-99999”." in chromium.text()
    # The wrong code is still in the field, and is typed over.
    chromium.fill("[name=user_code]", login["userCode"])
    chromium.click(f"button[value={button}]")
    chromium.wait_for_load()

    assert said in chromium.text()
    assert codex.wait_for("account/login/completed")["success"] is success
    assert (codex.call("account/read", {})["account"] is not None) is success
