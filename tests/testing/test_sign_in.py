"""Signing in, refreshing and being refused, as the real binary does them."""

from __future__ import annotations

import json
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.testing import BrowserLoginError, HttpResponse, LoopbackChatGPT

from .app_server import AppServer
from .web import Web, access_token, read_auth

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("login_port")]

StartCodex = Callable[[], AppServer]


def test_a_signed_in_home_is_accepted_and_names_its_plan(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> None:
    chatgpt.sign_in(codex_home, plan="pro", email="someone@example.com", account_id="acc_7")

    status = start_codex().call("account/read", {})

    assert status["account"]["type"] == "chatgpt"
    assert status["account"]["planType"] == "pro"
    assert status["account"]["email"] == "someone@example.com"
    assert status["workspaceRouting"]["chatgptAccountId"] == "acc_7"
    assert chatgpt.refresh_requests == ()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
def test_a_made_sign_in_is_private(chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    chatgpt.sign_in(tmp_path / "new" / "home")

    assert stat.S_IMODE((tmp_path / "new" / "home").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "home" / "auth.json").stat().st_mode) == 0o600


def test_a_real_sign_in_is_never_overwritten(chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    real = json.dumps({"OPENAI_API_KEY": None, "tokens": {"access_token": "eyJh.eyJz.c2ln", "refresh_token": "rt"}})
    (tmp_path / "auth.json").write_text(real, encoding="utf-8")

    with pytest.raises(FileExistsError, match="real sign-in"):
        chatgpt.sign_in(tmp_path)
    with pytest.raises(FileExistsError, match="real sign-in"):
        chatgpt.sign_in_with_api_key(tmp_path)

    assert (tmp_path / "auth.json").read_text(encoding="utf-8") == real


def test_a_home_can_be_signed_in_again_and_with_another_wallet(chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    chatgpt.sign_in(tmp_path)
    chatgpt.sign_in_with_api_key(tmp_path, "sk-other")
    chatgpt.sign_in(tmp_path)

    assert read_auth(tmp_path)["auth_mode"] == "chatgpt"


def test_an_api_key_goes_to_the_api_host_which_is_refused_and_counted(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> None:
    chatgpt.sign_in_with_api_key(codex_home)
    codex = start_codex()
    thread = codex.start_thread()

    assert codex.call("account/read", {})["account"] == {"type": "apiKey"}
    turn = codex.start_turn(thread, "hi")
    chatgpt.wait_until(lambda: chatgpt.refused["api.openai.com"] > 0)
    codex.call("turn/interrupt", {"threadId": thread, "turnId": turn})

    assert codex.finish(turn).status == "interrupted"
    assert set(chatgpt.connections) == {"api.openai.com"}
    assert chatgpt.requests == ()


def test_a_refresh_gives_out_a_new_token_and_uses_up_the_old_one(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex, web: Web
) -> None:
    chatgpt.sign_in(codex_home)
    before = read_auth(codex_home)["tokens"]

    start_codex().call("account/read", {"refreshToken": True})

    after = read_auth(codex_home)["tokens"]
    assert {before["access_token"], before["refresh_token"]}.isdisjoint(after.values())
    form = f"grant_type=refresh_token&refresh_token={before['refresh_token']}".encode()
    again = web.request("POST", "/oauth/token", form, host="auth.openai.com")
    assert (again.status, again.json["error"]["code"]) == (401, "refresh_token_reused")
    assert chatgpt.refresh_outcomes == {"granted": 1, "refresh_token_reused": 1}
    assert [request.fields["refresh_token"] for request in chatgpt.refresh_requests] == [before["refresh_token"]] * 2
    assert before["refresh_token"] not in repr(chatgpt.refresh_requests)


def test_an_expired_token_is_refreshed_before_anything_else(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> None:
    chatgpt.sign_in(codex_home, expires_in=-60)
    codex = start_codex()
    codex.call("account/read", {})

    assert codex.turn(codex.start_thread(), "hi").text == "You said: hi"
    assert chatgpt.requests[0].path == "/oauth/token"
    assert len(chatgpt.refresh_requests) == 1


def test_a_late_refresh_has_used_up_the_old_token_already(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> None:
    chatgpt.sign_in(codex_home)
    codex = start_codex()
    chatgpt.refresh_delay = 0.2
    used_up = read_auth(codex_home)["tokens"]["refresh_token"]
    before = time.monotonic()

    codex.call("account/read", {"refreshToken": True})

    assert time.monotonic() - before >= 0.2
    assert read_auth(codex_home)["tokens"]["refresh_token"] != used_up


def test_a_change_of_plan_shows_after_the_next_refresh(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> None:
    chatgpt.sign_in(codex_home)
    chatgpt.change_plan("pro")

    status = start_codex().call("account/read", {"refreshToken": True})

    assert status["account"]["planType"] == "pro"


def test_revoked_tokens_are_refreshed_once_and_the_turn_completes(codex: AppServer, chatgpt: LoopbackChatGPT) -> None:
    codex.call("account/read", {})
    chatgpt.revoke_access_tokens()

    assert codex.turn(codex.start_thread(), "hi").text == "You said: hi"
    assert len(chatgpt.refresh_requests) == 1


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("expired", "has expired"),
        ("reused", "was already used"),
        ("invalidated", "was revoked"),
        ("other", "could not be refreshed. Please"),
    ],
)
def test_a_refused_refresh_fails_the_turn_and_says_why(
    codex: AppServer, chatgpt: LoopbackChatGPT, reason: Any, said: str
) -> None:
    codex.call("account/read", {})
    thread = codex.start_thread()
    chatgpt.refuse_refresh(reason)
    chatgpt.revoke_access_tokens()
    # A WebSocket that was opened ahead would go on with the token it was opened with.
    chatgpt.websocket = False
    thread = codex.start_thread()

    turn = codex.turn(thread, "hi")

    assert turn.failure == "unauthorized"
    assert turn.error is not None
    assert said in turn.error["message"]
    assert codex.call("account/read", {})["account"] is None


def test_tokens_that_are_never_accepted_fail_the_turn_with_the_status(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> None:
    chatgpt.websocket = False
    chatgpt.sign_in(codex_home)
    codex = start_codex()
    codex.call("account/read", {})
    thread = codex.start_thread()
    # Refused here too, 0.163 would ask and refresh for ever; and a refused upgrade is tried for six seconds more.
    chatgpt.respond("/backend-api/codex/responses", lambda r: HttpResponse(426) if r.method == "GET" else None)
    chatgpt.respond("/backend-api/wham/settings/user", HttpResponse(200, {}))
    chatgpt.reject_all_access_tokens = True

    turn = codex.turn(thread, "hi")

    assert turn.status == "failed"
    assert turn.error is not None
    assert "401" in turn.error["message"]


def test_a_device_is_signed_in_once_its_person_approves(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex
) -> None:
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgptDeviceCode"})
    chatgpt.wait_for_requests(1, path="/api/accounts/deviceauth/token")

    chatgpt.approve_device(login["userCode"], plan="pro")

    assert codex.wait_for("account/login/completed")["success"] is True
    assert chatgpt.refresh_requests == ()
    assert codex.call("account/read", {})["account"]["planType"] == "pro"
    assert codex.turn(codex.start_thread(), "hi").text == "You said: hi"
    assert read_auth(codex_home)["tokens"]["refresh_token"].startswith("rt-")


def test_a_device_that_is_denied_is_not_signed_in(chatgpt: LoopbackChatGPT, start_codex: StartCodex) -> None:
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgptDeviceCode"})

    chatgpt.deny_device(login["userCode"])

    assert codex.wait_for("account/login/completed")["success"] is False
    assert codex.call("account/read", {})["account"] is None


def test_a_code_that_was_never_given_out_cannot_be_approved(chatgpt: LoopbackChatGPT) -> None:
    with pytest.raises(LookupError, match="ABCD"):
        chatgpt.approve_device("ABCD")


@pytest.mark.parametrize("key", [None, "sk-exchanged"])
def test_a_browser_signs_in_and_brings_an_api_key_only_if_the_account_has_one(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex, key: str | None
) -> None:
    chatgpt.exchanged_api_key = key
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgpt"})

    page = chatgpt.complete_browser_login(login["authUrl"])

    assert "/success" in page
    assert codex.wait_for("account/login/completed")["success"] is True
    assert codex.call("account/read", {})["account"]["type"] == "chatgpt"
    assert read_auth(codex_home).get("OPENAI_API_KEY") == key


def test_a_person_who_declines_in_the_browser_is_not_signed_in(
    chatgpt: LoopbackChatGPT, start_codex: StartCodex
) -> None:
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgpt"})

    chatgpt.complete_browser_login(login["authUrl"], error="access_denied")

    assert codex.wait_for("account/login/completed")["success"] is False
    assert codex.call("account/read", {})["account"] is None


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/oauth/authorize",
        "http://192.0.2.1:1455/auth/callback?code=1",
        (
            "https://auth.openai.com/oauth/authorize?response_type=code&client_id=c&state=s&code_challenge=x"
            "&code_challenge_method=S256&redirect_uri=http%3A%2F%2Fexample.com%2Fcallback"
        ),
    ],
)
def test_the_browser_goes_nowhere_but_here(chatgpt: LoopbackChatGPT, address: str) -> None:
    with pytest.raises(ValueError, match="this machine only"):
        chatgpt.complete_browser_login(address)


def test_an_address_the_service_refuses_is_an_error(chatgpt: LoopbackChatGPT) -> None:
    with pytest.raises(BrowserLoginError, match="400"):
        chatgpt.complete_browser_login("https://auth.openai.com/oauth/authorize?client_id=c")


def test_signing_out_revokes_the_refresh_token(
    chatgpt: LoopbackChatGPT, codex_home: Path, start_codex: StartCodex, web: Web
) -> None:
    chatgpt.sign_in(codex_home)
    refresh_token = read_auth(codex_home)["tokens"]["refresh_token"]

    start_codex().call("account/logout")

    assert not (codex_home / "auth.json").exists()
    form = f"grant_type=refresh_token&refresh_token={refresh_token}".encode()
    assert web.request("POST", "/oauth/token", form, host="auth.openai.com").status == 401


def test_the_service_wants_a_token_it_knows(chatgpt: LoopbackChatGPT, tmp_path: Path, web: Web) -> None:
    def status(token: str | None) -> int:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return web.request("GET", "/backend-api/wham/accounts/check", headers=headers).status

    chatgpt.sign_in(tmp_path / "good")
    chatgpt.sign_in(tmp_path / "late", expires_in=-1)

    assert status(access_token(tmp_path / "good")) == 200
    assert status(access_token(tmp_path / "late")) == 401
    assert status("made.up.token") == 401
    assert status(None) == 401
    chatgpt.revoke_access_tokens()
    assert status(access_token(tmp_path / "good")) == 401
