"""The pages of a sign-in, as a client without a browser sees them, and codex's ways to them and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from codex_oauth.testing import LoopbackChatGPT

from .app_server import AppServer
from .web import Answer, Web

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("login_port")]

AUTH = "auth.openai.com"
BACK = "http://127.0.0.1:9/auth/callback"
AUTHORIZE = "/oauth/authorize?" + urlencode(
    {
        "response_type": "code",
        "client_id": "c",
        "redirect_uri": BACK,
        "state": "s&<t>",
        "code_challenge": "x",
        "code_challenge_method": "S256",
    }
)

StartCodex = Callable[[], AppServer]


def page(answer: Answer) -> str:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = answer.body.decode()
    assert "<script" not in text
    return text


def post(web: Web, path: str, **fields: str) -> Answer:
    form = {"content-type": "application/x-www-form-urlencoded"}
    return web.request("POST", path, urlencode(fields).encode(), form, host=AUTH)


def brought_back(answer: Answer) -> dict[str, list[str]]:
    """What a redirect to the program tells it."""
    assert answer.status == 302
    back = urlsplit(answer.headers["location"])
    assert back._replace(query="").geturl() == BACK
    return parse_qs(back.query)


@pytest.fixture
def suspicious() -> Iterator[Web]:
    """A client of a stand-in whose person has a strange address."""
    with LoopbackChatGPT(email='"><b>@example.com') as chatgpt, Web(chatgpt) as web:
        chatgpt.consent_page = True
        yield web


def test_without_a_consent_page_a_browser_goes_straight_back(web: Web) -> None:
    result = brought_back(web.request("GET", AUTHORIZE, host=AUTH))

    assert result["state"] == ["s&<t>"]
    assert result["code"]


def test_the_consent_page_asks_and_tells_the_program_what_was_said(chatgpt: LoopbackChatGPT, web: Web) -> None:
    chatgpt.consent_page = True

    asked = web.request("GET", AUTHORIZE, host=AUTH)

    assert asked.status == 200
    assert "<h1>Sign in to Codex as person@example.com?</h1>" in page(asked)
    agreed = brought_back(post(web, AUTHORIZE, decision="continue"))
    assert (list(agreed), agreed["state"]) == (["code", "state"], ["s&<t>"])
    declined = brought_back(post(web, AUTHORIZE, decision="cancel"))
    assert declined == {"error": ["access_denied"], "state": ["s&<t>"]}
    assert page(post(web, AUTHORIZE)) == page(asked)


def test_a_browser_s_stand_in_agrees_on_the_consent_page_or_declines(
    chatgpt: LoopbackChatGPT, start_codex: StartCodex
) -> None:
    chatgpt.consent_page = True
    codex = start_codex()

    for error in ("access_denied", None):
        login = codex.call("account/login/start", {"type": "chatgpt"})
        chatgpt.complete_browser_login(login["authUrl"], error=error)
        assert codex.wait_for("account/login/completed")["success"] is (error is None)


def test_a_sign_in_ends_on_the_service_s_own_page_when_codex_asks_for_it(
    chatgpt: LoopbackChatGPT, web: Web, start_codex: StartCodex
) -> None:
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgpt", "useHostedLoginSuccessPage": True})

    landed = urlsplit(chatgpt.complete_browser_login(login["authUrl"]))

    assert (landed.hostname, landed.path) == ("chatgpt.com", "/codex/open-app")
    for host in ("chatgpt.com", AUTH):
        assert "You are signed in" in page(web.request("GET", "/codex/open-app", host=host))


@pytest.mark.parametrize(
    ("decision", "said", "success"), [("approve", "signed in as person@", True), ("deny", "not signed in", False)]
)
def test_a_code_is_decided_on_the_page_that_codex_names(
    web: Web, start_codex: StartCodex, decision: str, said: str, success: bool
) -> None:
    codex = start_codex()
    login = codex.call("account/login/start", {"type": "chatgptDeviceCode"})
    assert login["verificationUrl"] == f"https://{AUTH}/codex/device"
    assert 'name="user_code"' in page(web.request("GET", "/codex/device", host=AUTH))

    answer = post(web, "/codex/device", user_code=f" {login['userCode'].lower()}\n", decision=decision)

    assert answer.status == 200
    assert said in page(answer)
    assert codex.wait_for("account/login/completed")["success"] is success


def test_an_unknown_code_is_asked_for_again_and_harmless_in_the_page(web: Web) -> None:
    answer = post(web, "/codex/device", user_code='"><b>&', decision="approve")

    assert answer.status == 400
    assert 'role="alert"' in page(answer)
    assert page(answer).count("&quot;&gt;&lt;b&gt;&amp;") == 2
    assert "<b>" not in page(answer)
    assert post(web, "/codex/device").status == 400


def test_a_strange_address_is_harmless_in_the_pages(suspicious: Web) -> None:
    code = suspicious.request("POST", "/api/accounts/deviceauth/usercode", b"{}", host=AUTH).json["user_code"]

    for answer in (
        suspicious.request("GET", AUTHORIZE, host=AUTH),
        post(suspicious, "/codex/device", user_code=code, decision="approve"),
    ):
        assert "&quot;&gt;&lt;b&gt;@example.com" in page(answer)
        assert "<b>" not in page(answer)
